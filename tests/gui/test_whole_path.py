"""From two clips to a finished video, through the real window and the real jobs."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from pytestqt.qtbot import QtBot
from stand_in import Wait

from faceswap.video.label import is_labelled
from faceswap.video.reader import VideoReader
from gui.forms import Slider
from gui.pages.convert import ConvertPage
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.pages.start import StartPage
from gui.pages.train import TrainPage
from gui.runner import COMMAND
from gui.session import Desk
from gui.settings import Settings
from gui.window import Window

pytestmark = pytest.mark.slow

BUSY = 600.0


@pytest.fixture
def real(settings: Settings, wait: Wait) -> object:
    """The window with the real program behind it."""
    desk = Desk(settings, COMMAND)
    window = Window(desk)
    window.resize(1280, 800)
    window.show()
    yield window
    for job in desk.jobs.running():
        job.stop()
    window.ask_about_jobs = lambda running: "stop"  # type: ignore[method-assign]
    window.close()
    window.deleteLater()
    desk.deleteLater()


def _slowly(wait: Callable[..., None]) -> Wait:
    return lambda condition: wait(condition, BUSY)


def test_from_two_clips_to_a_video(
    real: Window, sample: Path, tmp_path: Path, wait: Wait, qtbot: QtBot
) -> None:
    window, until = real, _slowly(wait)
    gaps = _Watchdog()
    project = tmp_path / "first swap"
    start = window.page
    assert isinstance(start, StartPage)
    start.zones["a"].several.emit([sample / "a.mp4", sample / "b.mp4"])
    until(start.make_button.isEnabled)
    start.place.setText(str(project))
    qtbot.mouseClick(start.make_button, Qt.MouseButton.LeftButton)
    until(lambda: window.page.name == "footage")
    _extract(window, until)
    _look_at_faces(window, until)
    _train(window, until)
    _convert(window, until, sample, project)
    assert gaps.worst < 0.05, f"{gaps.worst:.3f} s"
    gaps.stop()


class _Watchdog:
    """The longest that this thread worked between two turns of the event loop."""

    def __init__(self) -> None:
        self.worst, self._last = 0.0, time.thread_time()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(5)

    def stop(self) -> None:
        self._timer.stop()

    def _tick(self) -> None:
        now = time.thread_time()
        self.worst, self._last = max(self.worst, now - self._last), now


def _extract(window: Window, until: Wait) -> None:
    page = window.page
    assert isinstance(page, FootagePage)
    until(lambda: not page.canvas.image.isNull())
    for side in ("a", "b"):
        page.set_side(side)
        until(page.find_button.isEnabled)
        page.form.set_values({"size": 64})
        page.find_button.click()
        until(lambda: not window.desk.jobs.running())
        assert window.desk.jobs.jobs[0].state == "finished", window.desk.jobs.jobs[0].message
        until(partial(_has_crops, window, side))
    page.timeline.go(10)
    until(lambda: len(page.canvas.faces) == 1)


def _has_crops(window: Window, side: str) -> bool:
    session = window.desk.session
    return session is not None and session.side(side)["crops"] > 20


def _look_at_faces(window: Window, until: Wait) -> None:
    window.go("faces")
    page = window.page
    assert isinstance(page, FacesPage)
    until(lambda: len(page.grid.order) > 20)
    until(lambda: page.table.left_to_measure() == 0)
    page.grid._pick_span(0)
    page.exclude()
    until(lambda: int(page.table.excluded.sum()) == 1)


def _train(window: Window, until: Wait) -> None:
    window.go("train")
    page = window.page
    assert isinstance(page, TrainPage)
    until(page.go.isEnabled)
    page.form.set_values({"steps": 100, "batch": 4, "resolution": 64})
    page.go.click()
    until(lambda: not window.desk.jobs.running())
    assert window.desk.jobs.jobs[0].state == "finished", window.desk.jobs.jobs[0].message
    until(lambda: not page.previews.grid.image.isNull())
    page.previews.enlarge(1)
    assert not page.previews.wipe.second.isNull()
    until(lambda: len(page.curves.series["loss"].points[0]) > 0)


def _convert(window: Window, until: Wait, sample: Path, project: Path) -> None:
    window.go("convert")
    page = window.page
    assert isinstance(page, ConvertPage)
    session = window.desk.session
    assert session is not None
    until(lambda: not page.wipe.second.isNull())
    before = page.wipe.second
    opacity = page.look.editors["opacity"]
    assert isinstance(opacity, Slider)
    opacity.slider.setValue(200)
    until(lambda: not session.link.busy)
    assert page.wipe.second != before
    opacity.slider.setValue(1000)
    output = project / "out" / "swap.mp4"
    page.export()
    until(lambda: not window.desk.jobs.running())
    assert window.desk.jobs.jobs[0].state == "finished", window.desk.jobs.jobs[0].message
    assert is_labelled(output)
    with VideoReader(output) as made, VideoReader(sample / "a.mp4") as given:
        assert sum(1 for _ in made) == sum(1 for _ in given)
    until(page.made.isVisible)
    page.play()
    until(lambda: not page.result.image.isNull() and page.timeline.frame > 0)
    page.play()
