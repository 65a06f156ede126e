"""From two clips to a finished video, through the real window and the real program."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from stand_in import drop

from faceswap.video.label import is_labelled
from faceswap.video.reader import VideoReader
from gui import processes
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

PATIENCE = 300.0
"""Seconds for one job, on a machine that has much else to do."""


class Walker:
    """The window with the real program behind it, and a user's hands."""

    def __init__(self, window: Window, wait: Callable[..., None], bot: QtBot) -> None:
        self.window, self.desk, self._wait, self._bot = window, window.desk, wait, bot
        self.worst = (0.0, "")
        self._last = time.thread_time()
        self._watch = QTimer(window)
        self._watch.timeout.connect(self._tick)
        self._watch.start(5)

    def until(self, condition: Callable[[], object]) -> None:
        """Run the event loop until ``condition`` holds."""
        self._wait(condition, PATIENCE)

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Press ``widget`` in its middle, or at ``place``, once it can be pressed."""
        self.until(lambda: widget.isVisible() and widget.isEnabled())
        if place is None:
            self._bot.mouseClick(widget, Qt.MouseButton.LeftButton)
        else:
            self._bot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)

    def type(self, widget: QWidget, key: Qt.Key) -> None:
        """Press ``key`` in ``widget``."""
        self._bot.keyClick(widget, key)

    def go(self, name: str) -> None:
        """Show a page; the making of a page is not what must not hold up the event loop."""
        self.window.go(name)
        self._last = time.thread_time()

    def run(self, widget: QWidget) -> None:
        """Start a job by pressing ``widget``, and see it to its good end."""
        before = len(self.desk.jobs.jobs)
        self.click(widget)
        job = self.desk.jobs.jobs[0]
        assert len(self.desk.jobs.jobs) == before + 1, self.window.banner._text.text()
        self.until(lambda: not job.running)
        assert job.state == "finished", f"{job.message}\n{job.details()}"

    def side(self, side: str) -> dict[str, object]:
        """What the window knows of one side."""
        assert self.desk.session is not None
        return self.desk.session.side(side)

    def _tick(self) -> None:
        now = time.thread_time()
        running = ", ".join(job.record.command for job in self.desk.jobs.running())
        if running:
            held = (now - self._last, f"{self.window.page.name}, running: {running}")
            self.worst = max(self.worst, held)
        self._last = now


@pytest.fixture
def walker(settings: Settings, wait: Callable[..., None], qtbot: QtBot) -> Iterator[Walker]:
    """A new window, as at the first start."""
    desk = Desk(settings, COMMAND)
    window = Window(desk)
    window.resize(1280, 800)
    window.show()
    yield Walker(window, wait, qtbot)
    pids = [job.record.pid for job in desk.jobs.jobs]
    for pid in pids:
        processes.end(pid)
    wait(lambda: not any(processes.alive(pid) for pid in pids))
    window.ask_about_jobs = lambda running: "keep"  # type: ignore[method-assign]
    window.close()
    window.deleteLater()
    desk.deleteLater()


@pytest.mark.usefixtures("swept")
def test_from_two_clips_to_a_video(
    walker: Walker, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Compiled kernels are kept for the next time, so they are no temporary files.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kernels"))
    project = tmp_path / "first swap"
    _drop(walker, sample, tmp_path, project)
    _find_faces(walker)
    _look_at_faces(walker, project)
    _train(walker)
    _convert(walker, sample, project)
    assert walker.worst[0] < 0.05, f"the event loop was held up: {walker.worst}"


def _drop(walker: Walker, sample: Path, tmp_path: Path, project: Path) -> None:
    page = walker.window.page
    assert isinstance(page, StartPage)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((sample / "a.mp4").read_bytes()[:5000])
    zone = page.zones["a"]
    drop(zone, broken)
    walker.until(lambda: zone.said() != page.zones["b"].said())
    assert "broken.mp4" in zone.said()
    assert not page.make_button.isEnabled()
    drop(zone, sample / "a.mp4", sample / "b.mp4")
    walker.until(page.make_button.isEnabled)
    page.place.setText(str(project))
    walker.click(page.make_button)
    walker.until(lambda: walker.window.page.name == "footage")


def _find_faces(walker: Walker) -> None:
    page = walker.window.page
    assert isinstance(page, FootagePage)
    walker.until(lambda: not page.canvas.image.isNull())
    for side in ("a", "b"):
        walker.click(page.segments[side])
        walker.until(lambda side=side: page.side == side and page.find_button.isEnabled())
        page.form.set_values({"size": 64})
        walker.run(page.find_button)
        walker.until(lambda side=side: walker.side(side)["complete"])
        assert walker.side(side)["crops"] == 50
    timeline = page.timeline
    walker.click(timeline, QPoint(timeline.width() // 2, timeline.height() // 2))
    walker.until(lambda: timeline.frame == 25 and len(page.canvas.faces) == 1)


def _look_at_faces(walker: Walker, project: Path) -> None:
    walker.go("faces")
    page = walker.window.page
    assert isinstance(page, FacesPage)
    walker.until(lambda: len(page.grid.order) == 50)
    walker.until(lambda: page.table.left_to_measure() == 0)
    walker.type(page.grid, Qt.Key.Key_End)
    walker.click(page.out)
    walker.until(lambda: int(page.table.excluded.sum()) == 1)
    assert len(list((project / "faces" / "a").glob("*.png"))) == 49


def _train(walker: Walker) -> None:
    walker.go("train")
    page = walker.window.page
    assert isinstance(page, TrainPage)
    walker.until(page.go.isEnabled)
    page.form.set_values({"steps": 100, "batch": 4, "resolution": 64})
    walker.run(page.go)
    walker.until(lambda: not page.previews.grid.image.isNull())
    grid = page.previews.grid
    walker.click(grid, grid.place().center().toPoint())
    assert not page.previews.wipe.second.isNull()
    walker.until(lambda: len(page.curves.series["loss"].points[0]) > 1 and page.curves.isVisible())
    walker.until(lambda: "of training" in page.state.text())


def _convert(walker: Walker, sample: Path, project: Path) -> None:
    walker.go("convert")
    page = walker.window.page
    assert isinstance(page, ConvertPage)
    walker.until(lambda: not page.wipe.second.isNull() and not page.wipe.image.isNull())
    before = page.wipe.second
    slider = page.look.editors["grow"]
    assert isinstance(slider, Slider)
    walker.type(slider.slider, Qt.Key.Key_Home)
    assert page.look.values() == {"grow": -0.3}
    walker.until(lambda: page.wipe.second != before)
    walker.click(page.wipe, QPoint(page.wipe.width() // 4, page.wipe.height() // 2))
    assert page.wipe.divider < 0.5
    output = project / "out" / "swap.mp4"
    walker.run(page.start)
    assert is_labelled(output)
    with VideoReader(output) as made, VideoReader(sample / "a.mp4") as given:
        assert sum(1 for _ in made) == sum(1 for _ in given)
    walker.click(page.play_button)
    walker.until(lambda: not page.result.image.isNull() and page.timeline.frame > 10)
    walker.until(lambda: not page.player.playing)
    assert page.timeline.frame == 49
