"""Benchmark of the window's event loop while real jobs run: the longest time it is blocked."""

import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication

from faceswap import run
from faceswap.jobs.convert import ConvertOptions
from faceswap.jobs.extract import ExtractOptions
from faceswap.jobs.lab import LabOptions
from faceswap.jobs.restore import RestoreOptions
from faceswap.jobs.sample import SampleOptions, sample
from faceswap.options import Options
from faceswap.swap.training.options import TrainOptions
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.window import Window

Row = dict[str, str | int | float | None]

AIM = 50.0
"""Target for one iteration of the event loop in ms; above it, dragging visibly stutters."""


class Watch:
    """Longest iteration of the event loop, in CPU seconds of the window's thread, which a busy
    machine does not lengthen."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self.begin()
        self._timer.start(1)

    def begin(self) -> None:
        """Reset the measurement."""
        self.longest, self.turns, self._last = 0.0, 0, time.thread_time()

    def close(self) -> None:
        """Stop the timer."""
        self._timer.stop()

    def _tick(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self.turns += 1
        self._last = now


def while_jobs_run(app: QApplication, folder: Path) -> list[Row]:
    """Run each job from its page to its end; a row for each."""
    clips, project, lab = folder / "clips", folder / "swap", folder / "lab"
    run(sample(SampleOptions(folder=clips, seconds=2, size=256)))
    project.mkdir()
    (project / "project.toml").write_text("format = 1\n")
    store = QSettings(str(folder / "jobs.ini"), QSettings.Format.IniFormat)
    desk = AppContext(Settings(store, folder / "jobs"))
    window = Window(desk)
    window.show()
    desk.open(project)
    while len(window.pages) < len(window._kinds):
        app.processEvents()
    given: dict[str, Any] = {"project": project, "device": "cpu"}
    picture = project / "faces" / "a" / "000000_0.png"
    jobs: list[tuple[str, Options]] = [
        ("footage", ExtractOptions(video=clips / "a.mp4", side="a", size=64, **given)),
        ("footage", ExtractOptions(video=clips / "b.mp4", side="b", size=64, **given)),
        ("train", TrainOptions(steps=100, batch=4, resolution=64, **given)),
        ("convert", ConvertOptions(output=folder / "out.mp4", **given)),
        ("lab", LabOptions(task="denoise", output=lab, steps=20, device="cpu")),
        ("lab", RestoreOptions(input=picture, model=lab / "denoise", output=folder / "out.png")),
    ]
    watch = Watch()
    rows = [_row(app, window, watch, page, options) for page, options in jobs]
    watch.close()
    window.close()
    desk.deleteLater()
    return rows


def _row(app: QApplication, window: Window, watch: Watch, page: str, options: Options) -> Row:
    window.go(page)
    while not window.page.is_ready:
        app.processEvents()
    name = type(options).__name__.removesuffix("Options").lower()
    watch.begin()
    job = window.context.jobs.start(name, options, name, getattr(options, "project", None))
    while job.running:
        app.processEvents()
        time.sleep(0.001)
    if job.state != "finished":
        raise RuntimeError(f"{name}: {job.message}")
    longest = 1000 * watch.longest
    return {
        "page": page,
        "job": name,
        "turns": watch.turns,
        "longest, ms": longest,
        "aim, ms": AIM,
        "met": "yes" if longest <= AIM else "no",
    }
