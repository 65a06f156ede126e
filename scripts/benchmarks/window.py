"""Benchmarks of the window: start-up, many faces, long curves, memory, and how long the event loop
is blocked, with the target beside.

All on Qt's offscreen platform, so without the time of the graphics system.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QSettings
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from benchmarks._held import AIM, while_jobs_run
from faceswap.events import Metrics
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.protocol import FacesRequest
from faceswap.preview.server import PreviewServer
from gui.app import make_app
from gui.ipc.job_runner import Job, JobRecord
from gui.models.app_context import AppContext
from gui.models.face_table import FacePart, FaceTableModel
from gui.models.settings import Settings
from gui.widgets.plots import Curves
from gui.widgets.thumbnail_grid import ThumbnailGrid
from gui.widgets.training_previews import ROWS, TrainingPreviews
from gui.window import Window

Row = dict[str, str | int | float | None]

_UP = """
import sys
from pathlib import Path
from PySide6.QtCore import QSettings
from gui.app import make_app
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.window import Window
app = make_app(["faceswap"])
folder = Path(sys.argv[1])
store = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
window = Window(AppContext(Settings(store, folder)))
window.show()
app.processEvents()
print(flush=True)
window.close()
"""


def run(arguments: list[str]) -> dict[str, list[Row]]:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(prog="benchmark.py window")
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--previews", type=int, default=3600)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args(arguments)
    app = make_app(["faceswap"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "Window up": [start(folder, given.repeat)],
            f"{given.faces:,} faces": faces(app, folder / "crowd", given.faces),
            f"Curves of {given.points:,} points": [curves(app, given.points)],
            "A job with many events": [job(app, folder / "job", given.points // 10)],
            f"Memory over {given.previews:,} previews": previews(app, folder, given.previews),
            "Pages opened for the first time": pages(app, folder),
            "The event loop while jobs run": while_jobs_run(app, folder),
        }


def start(folder: Path, repeat: int) -> Row:
    """Time from process start to the first drawn page."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", _UP, str(folder)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            seconds.append(time.perf_counter() - began)
    return {"median s": statistics.median(seconds), "longest s": max(seconds), "runs": repeat}


def faces(app: QApplication, project: Path, count: int) -> list[Row]:
    """Request, show and scroll through ``count`` crops of 256 pixels."""
    make_crowd(project, count)
    began = time.perf_counter()
    with ExchangeFolder(project / "exchange") as exchange:
        with PreviewServer(project, exchange) as server:
            answer = server.faces(FacesRequest(source="a"))
        requested = time.perf_counter() - began
        began = time.perf_counter()
        table = FaceTableModel([FacePart.read("a", answer)])
    grid = ThumbnailGrid()
    grid.resize(1100, 560)
    grid.set_items(table.paths(), table.excluded.copy())
    grid.set_order(table.order("yaw", "all"))
    grid.show()
    app.processEvents()
    opened = time.perf_counter() - began
    table.set_people({("a", 0): 1})
    began = time.perf_counter()
    grid.set_order(table.order("pitch", "frontal", person=1, source="a"))
    app.processEvents()
    filtered = time.perf_counter() - began
    folded = seconds_of(table.folds)
    grid.set_order(table.order("yaw", "all"))
    bar, frames = grid.verticalScrollBar(), []
    for step in range(600):
        bar.setValue(step * 40)
        frames.append(seconds_of(app.processEvents))
    while grid.requested:
        app.processEvents()
    grid.stop_loading()
    close(app, grid)
    frames.sort()
    return [
        {
            "request, s": requested,
            "open, s": opened,
            "filter, s": filtered,
            "fold, s": folded,
            "a scrolled frame, ms": 1000 * statistics.median(frames),
            "95 % within, ms": 1000 * frames[int(0.95 * len(frames))],
            "longest, ms": 1000 * frames[-1],
        }
    ]


def make_crowd(project: Path, count: int) -> None:
    """A project with ``count`` crops of one side, links to 100 different images."""
    folder = project / "faces" / "a"
    folder.mkdir(parents=True)
    (project / "project.toml").write_text("format = 1\n")
    random = np.random.default_rng(0)
    pictures = []
    for number in range(100):
        coarse = random.integers(0, 255, (16, 16, 3), np.uint8)
        picture = np.ascontiguousarray(coarse.repeat(16, 0).repeat(16, 1))
        pictures.append(project / f"{number}.png")
        save(picture, pictures[-1])
    points, forehead = np.zeros((68, 2), np.float32), np.zeros((13, 2), np.float32)
    rows = []
    for number in range(count):
        crop = f"{number:06}_0.png"
        os.link(pictures[number % 100], folder / crop)
        pose = (number % 90 - 45.0, 0.0, 0.0)
        rows.append(FaceRow(number, 0, points, forehead, 0.9, pose, crop))
    frames = [FrameRow(number, number, number / 25, False) for number in range(count)]
    with FaceIndex(project / "index.sqlite") as index:
        index.reset_source("a", {})
        index.add("a", frames, rows, {}, complete=True)


def curves(app: QApplication, count: int) -> Row:
    """Add points to a curve; redraw all of it after one more point."""
    plots = Curves({"Loss": "loss"})
    plots.resize(900, 160)
    plots.show()
    made = [0.0]
    while not plots.ready:
        made.append(seconds_of(app.processEvents))
    values = np.exp(-np.linspace(0, 4, count)) + np.random.default_rng(0).normal(0, 0.05, count)

    def fill() -> None:
        for step, value in enumerate(values.tolist()):
            plots.series["loss"].add(step, value)

    filled = seconds_of(fill)

    def draw() -> None:
        plots.series["loss"].add(count + len(drawn), 0.5)
        plots.draw()
        app.processEvents()

    drawn: list[float] = []
    for _ in range(20):
        drawn.append(seconds_of(draw))
    close(app, plots)
    return {
        "a point, µs": 1e6 * filled / count,
        "a redraw, ms": 1000 * statistics.median(drawn),
        "longest, ms": 1000 * max(drawn),
        "longest while created, ms": 1000 * max(made),
        "aim, ms": AIM,
    }


def job(app: QApplication, folder: Path, count: int) -> Row:
    """Read a log of ``count`` events in chunks, polled ten times a second."""
    folder.mkdir()
    with open(folder / "events.jsonl", "w", encoding="utf-8") as file:
        for step in range(count):
            file.write(Metrics(step=step, values={"loss": 1 / (step + 1)}).model_dump_json() + "\n")
    record = JobRecord(command="train", arguments=[], options={}, title="", project=None, started=0)
    read = Job(folder, record)
    plots = Curves({"Loss": "loss"})
    read.event_received.connect(lambda line: plots.add(line.step, line.values))
    polls: list[float] = []
    while len(plots.series["loss"].points[0]) < count:
        polls.append(seconds_of(lambda: read.poll(alive=True)))
    close(app, plots)
    return {
        "events": count,
        "a poll, ms": 1000 * statistics.median(polls),
        "longest, ms": 1000 * max(polls),
        "aim, ms": AIM,
        "events/s at 10 polls/s": 10 * count / len(polls),
    }


def previews(app: QApplication, folder: Path, count: int) -> list[Row]:
    """Resident memory while ``count`` previews are shown, with one face enlarged."""
    shown = TrainingPreviews()
    shown.resize(900, 500)
    shown.show()
    shown.enlarge(1)
    rows: list[Row] = []
    random = np.random.default_rng(0)
    paths = [folder / f"preview-{number}.png" for number in range(20)]
    for path in paths:
        save(random.integers(0, 255, (len(ROWS) * 128, 8 * 128, 3), np.uint8), path)
    for number in range(count + 1):
        place = folder / f"step-{number:09}.png"
        os.link(paths[number % len(paths)], place)
        shown.add(str(place))
        app.processEvents()
        if number % max(1, count // 4) == 0:
            memory = psutil.Process().memory_info().rss
            rows.append({"previews": number, "resident MiB": memory / 2**20})
    close(app, shown)
    return rows


def pages(app: QApplication, folder: Path) -> list[Row]:
    """How long creating each page blocks the event loop."""
    project = folder / "empty"
    project.mkdir()
    (project / "project.toml").write_text("format = 1\n")
    store = QSettings(str(folder / "pages.ini"), QSettings.Format.IniFormat)
    context = AppContext(Settings(store, folder / "pages"))
    window = Window(context)
    window.show()
    context.open(project)
    while context.session is not None and not context.session.info:
        app.processEvents()
    rows: list[Row] = []
    for name in ("footage", "people", "faces", "train", "convert", "jobs"):

        def open_page(name: str = name) -> None:
            window.go(name)
            app.processEvents()

        rows.append({"page": name, "ms": 1000 * seconds_of(open_page)})
    window.close()
    return rows


def seconds_of(work: Callable[[], object]) -> float:
    """Time ``work`` in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def save(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path) -> None:
    """Write uint8 RGB (H, W, 3) as PNG."""
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    image.save(str(path))


def close(app: QApplication, widget: QWidget) -> None:
    """Close and delete a widget."""
    widget.close()
    widget.deleteLater()
    app.processEvents()
