"""The window: pages, invalid input, two windows, and closing."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QLockFile, QPoint, QSysInfo, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QScrollArea, QSlider, QWidget
from pytestqt.qtbot import QtBot
from stand_in import FAKE, Wait, drop

from faceswap.event_log import LogChunk, LogReader
from faceswap.jobs.convert import ConvertOptions
from faceswap.jobs.extract import ExtractOptions
from faceswap.jobs.lab import LabOptions
from faceswap.jobs.sample import SampleOptions
from faceswap.options import Options
from faceswap.preview.protocol import FileFrameRequest
from faceswap.swap.training.options import TrainOptions
from gui.app import CONSENT, ask_consent
from gui.ipc import processes, rpc_client
from gui.models.app_context import LOCK, AppContext
from gui.models.settings import Settings
from gui.pages.convert import ConvertPage
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.pages.jobs import JobsPage
from gui.pages.start import StartPage
from gui.pages.train import TrainPage
from gui.widgets.drop_zone import DropZone
from gui.widgets.plots import Curves
from gui.window import Window

OPTIONS: dict[str, Callable[[Path], Options]] = {
    "extract": lambda project: ExtractOptions(inputs=(Path("/a.mp4"),), project=project, side="a"),
    "train": lambda project: TrainOptions(project=project),
    "convert": lambda project: ConvertOptions(project=project),
    "sample": lambda project: SampleOptions(folder=project / "sample"),
    "lab": lambda project: LabOptions(task="denoise", output=project / "lab"),
}
PAGES = ("start", "footage", "people", "faces", "train", "convert", "lab", "jobs")


def start_page(window: Window) -> StartPage:
    page = window.pages["start"]
    assert isinstance(page, StartPage)
    return page


def _shows(window: Window, name: str) -> bool:
    return window.page.name == name


def opened(window: Window, project: Path, wait: Wait) -> None:
    window.context.open(project)
    session = window.context.session
    assert session is not None
    wait(lambda: session.info is not None)


def test_no_heavy_module_is_imported(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from PySide6.QtCore import QSettings
from gui.app import make_app
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.window import Window
app = make_app(["faceswap"])
store = QSettings(sys.argv[1] + "/s.ini", QSettings.Format.IniFormat)
context = AppContext(Settings(store, Path(sys.argv[1])))
window = Window(context)
window.show()
app.processEvents()
while len(window.pages) < 8:
    window._preload_page()
heavy = {"torch", "cv2", "av", "kornia", "matplotlib", "numba"} & set(sys.modules)
window.close()
print(sorted(heavy))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    assert done.stdout == "[]\n", done.stderr


def test_every_page_fits_and_every_control_has_an_accessible_name(
    window: Window, project: Path, wait: Wait, qapp: QApplication
) -> None:
    opened(window, project, wait)
    for name in PAGES:
        window.go(name)
        page = window.page
        assert page.name == name
        qapp.processEvents()
        room = window.minimumWidth() - page.mapTo(window, QPoint()).x()
        assert page.minimumSizeHint().width() <= room, name
        for panel in page.findChildren(QScrollArea):  # which hides what is too wide
            inside = panel.widget()
            assert inside is not None
            assert inside.minimumSizeHint().width() <= panel.viewport().width(), name
        for widget in page.findChildren(QWidget):
            if isinstance(widget, QAbstractButton | QSlider) and widget.isVisible():
                said = widget.accessibleName() or getattr(widget, "text", lambda: "")()
                assert said, f"{name}: {widget}"
    session = window.context.session
    assert session is not None
    wait(lambda: not session.rpc.busy)


def test_pages_open_by_keyboard(window: Window, project: Path, wait: Wait, qtbot: QtBot) -> None:
    opened(window, project, wait)
    window.activateWindow()
    wait(window.isActiveWindow)
    for number, name in enumerate(PAGES, 1):
        qtbot.keyClick(window, str(number), Qt.KeyboardModifier.ControlModifier)
        wait(partial(_shows, window, name))


def test_two_videos_become_a_project(
    window: Window, tmp_path: Path, wait: Wait, qtbot: QtBot
) -> None:
    page = start_page(window)
    clips = [tmp_path / "a clip.mp4", tmp_path / "b.mp4"]
    for clip in clips:
        clip.write_text("")
    drop(page.zones["a"], *clips)
    wait(lambda: page.make_button.isEnabled())
    page.folder_edit.setText(str(tmp_path / "new project"))
    qtbot.mouseClick(page.make_button, Qt.MouseButton.LeftButton)
    wait(lambda: window.page.name == "footage")
    assert window.context.settings.recent() == [tmp_path / "new project"]


def test_more_than_two_videos_are_not_dropped_silently(
    window: Window, tmp_path: Path, wait: Wait
) -> None:
    page = start_page(window)
    clips = [tmp_path / f"{name}.mp4" for name in "abc"]
    for clip in clips:
        clip.write_text("")
    drop(page.zones["a"], *clips)
    wait(page.make_button.isEnabled)
    assert "add the other 1 on the Footage page" in window.banner.text


def test_a_file_that_is_no_video_is_rejected(window: Window, tmp_path: Path, wait: Wait) -> None:
    page = start_page(window)
    folder, notes = tmp_path / "folder", tmp_path / "notes.txt"
    folder.mkdir()
    notes.write_text("no video")
    zone = page.zones["a"]
    for path in (folder, notes):
        drop(zone, path)
        wait(partial(_says, zone, f"{path.name} is not a video"))
    assert not page.make_button.isEnabled()


def _says(zone: DropZone, text: str) -> bool:
    return text in zone.message()


def test_a_second_window_is_read_only(
    window: Window, project: Path, wait: Wait, tmp_path: Path
) -> None:
    opened(window, project, wait)
    second = AppContext(Settings(window.context.settings._store, tmp_path / "other"), FAKE)
    other = Window(second)
    opened(other, project, wait)
    assert "another window" in other.banner.text
    for name in ("footage", "train", "convert"):
        other.go(name)
    footage, train, convert = (other.pages[n] for n in ("footage", "train", "convert"))
    assert isinstance(footage, FootagePage)
    assert isinstance(train, TrainPage)
    assert isinstance(convert, ConvertPage)
    assert not footage.find_button.isEnabled()
    assert not train.go.isEnabled()
    assert not convert.start.isEnabled()
    other.close()
    other.deleteLater()
    second.deleteLater()


def test_a_lock_of_another_machine_with_our_process_id_is_kept(
    window: Window, project: Path, wait: Wait
) -> None:
    lock = QLockFile(str(project / LOCK))
    assert lock.tryLock(0)
    pid, app, host, *rest = (project / LOCK).read_text().split("\n")
    assert (pid, host) == (str(os.getpid()), QSysInfo.machineHostName())
    lock.unlock()
    theirs = "\n".join([pid, app, "another-machine", *rest])
    (project / LOCK).write_text(theirs)
    opened(window, project, wait)
    assert "another window" in window.banner.text
    assert (project / LOCK).read_text() == theirs


@pytest.mark.parametrize("page", ["footage", "faces", "convert"])
def test_a_moved_project_is_reported(page: str, window: Window, project: Path, wait: Wait) -> None:
    opened(window, project, wait)
    window.go(page)
    project.rename(project.with_name("elsewhere"))
    wait(lambda: window.context.session is None)
    assert window.page.name == "start"
    assert "moved or deleted" in window.banner.text
    window.context.open(project.with_name("elsewhere"))
    session = window.context.session
    assert session is not None
    assert not session.read_only  # the lock file that moved along was this window's own


def test_a_project_deleted_while_a_job_runs_is_reported(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_JOB", "hang")
    opened(window, project, wait)
    window.go("train")
    job = window.context.jobs.start("train", TrainOptions(project=project), "Train", project)
    wait(lambda: job.progress is not None)
    shutil.rmtree(project)
    wait(lambda: window.context.session is None)
    assert "moved or deleted" in window.banner.text
    window.go("jobs")
    job.stop()
    wait(lambda: not job.running)


def test_closing_a_project_does_not_wait_for_its_server(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_client, "END_TIMEOUT_MS", 200)
    opened(window, project, wait)
    session = window.context.session
    assert session is not None
    for name in ("stubborn", "slow"):
        session.rpc.send(FileFrameRequest(path=Path(f"/{name}.mp4")), lambda _: None)
    wait(lambda: len(session.rpc._pending) == 1)
    window.context.close_project()
    assert rpc_client._ending  # had close waited for it, it would have been killed
    rpc_client.wait_for_ending_processes()
    assert not rpc_client._ending


class _Refused(QLockFile):
    """A lock in a read-only folder, also for users (root) whom permissions do not bind."""

    def tryLock(self, timeout: int = 0) -> bool:  # noqa: N802
        return False

    def error(self) -> QLockFile.LockError:
        return QLockFile.LockError.PermissionError


def test_a_project_in_a_read_only_folder_is_read_only(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = os.name != "nt" and os.geteuid() != 0
    if bound:
        project.chmod(0o555)
    else:
        monkeypatch.setattr("gui.models.app_context.QLockFile", _Refused)
    try:
        opened(window, project, wait)
        assert "cannot be written" in window.banner.text
        for name in PAGES:
            window.go(name)
        footage, faces = window.pages["footage"], window.pages["faces"]
        assert isinstance(footage, FootagePage)
        assert isinstance(faces, FacesPage)
        assert not footage.find_button.isEnabled()
        wait(lambda: len(faces.grid.order) == 10)
        faces.grid.select_all()
        assert not faces.out.isEnabled()
    finally:
        project.chmod(0o755)


@pytest.mark.parametrize("command", OPTIONS)
@pytest.mark.parametrize("answer", ["keep", "stop", "cancel"])
def test_closing_asks_whether_to_keep_or_stop_jobs(
    answer: Any,
    command: str,
    window: Window,
    project: Path,
    wait: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_JOB", "hang")
    opened(window, project, wait)
    window.go({"extract": "footage", "sample": "start"}.get(command, command))
    job = window.context.jobs.start(command, OPTIONS[command](project), "Job", project)
    wait(lambda: job.progress is not None)
    monkeypatch.setattr(window, "ask_about_jobs", lambda running: answer)
    assert window.close() is (answer != "cancel")
    if answer == "stop":
        wait(lambda: not processes.alive(job.record.process))
    else:
        assert processes.alive(job.record.process)


def test_closing_ends_a_busy_preview_server(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc_client, "END_TIMEOUT_MS", 200)
    opened(window, project, wait)
    session = window.context.session
    assert session is not None
    for name in ("stubborn", "slow"):
        session.rpc.send(FileFrameRequest(path=Path(f"/{name}.mp4")), lambda _: None)
    wait(lambda: len(session.rpc._pending) == 1)
    assert session.rpc._process is not None
    process = processes.look_up(session.rpc._process.processId())
    assert processes.alive(process)
    window.close()
    assert not processes.alive(process)


def test_a_failed_job_is_explained(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_JOB", "fail")
    opened(window, project, wait)
    window.go("jobs")
    page = window.page
    assert isinstance(page, JobsPage)
    job = window.context.jobs.start("train", TrainOptions(project=project), "Train", project)
    wait(lambda: not job.running)
    assert page.job is job
    assert page.message.text() == "It cannot be done; do another thing."
    assert not page.log.isVisible()
    page.more.click()
    assert "Something odd." in page.log.toPlainText()
    page.copy.click()
    assert QGuiApplication.clipboard().text() == job.command_line()
    page.again.click()
    wait(lambda: not window.context.jobs.running())
    assert len(window.context.jobs.jobs) == 2
    page.drop.click()
    assert len(window.context.jobs.jobs) == 1


def test_many_events_are_read_in_chunks_and_drawn_with_a_delay(
    window: Window, project: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chunk may block the event loop; ``benchmark.py window`` measures how long each takes."""
    monkeypatch.setenv("FAKE_JOB", "burst")
    opened(window, project, wait)
    window.go("train")
    page = window.page
    assert isinstance(page, TrainPage)
    wait(lambda: page.curves.ready)
    pieces: list[int] = []
    turns: list[int] = []
    drawings: list[int] = []
    turn = [0]
    look, draw = LogReader.read_new, page.curves.draw

    def counted(reader: LogReader) -> LogChunk:
        found = look(reader)
        if found.lines:
            pieces.append(len(found.lines))
            turns.append(turn[0])
        return found

    def drawn() -> None:
        drawings.append(len(page.curves.series["loss"].points[0]))
        draw()

    monkeypatch.setattr(LogReader, "read_new", counted)
    page.curves._draw_later.timeout.disconnect()
    page.curves._draw_later.timeout.connect(drawn)
    others = QTimer()
    others.timeout.connect(lambda: turn.__setitem__(0, turn[0] + 1))
    others.start(1)
    job = window.context.jobs.start("train", TrainOptions(project=project), "Train", project)
    wait(lambda: not job.running)
    wait(lambda: bool(drawings) and drawings[-1] == len(page.curves.series["loss"].points[0]))
    others.stop()
    assert sum(pieces) > 20_000
    assert len(pieces) >= 5
    assert len(set(turns)) == len(turns)  # other timers ran between any two chunks
    assert max(drawings) > 100  # the metrics requested at the end may be shorter
    assert len(drawings) <= len(pieces)


def test_plots_are_created_one_at_a_time(wait: Wait) -> None:
    curves = Curves({"One": "one", "Two": "two", "Three": "three"})
    build, made = curves._build, [0]
    curves._wait.timeout.disconnect()

    def counted() -> None:
        build()
        made.append(len(curves._items))

    curves._wait.timeout.connect(counted)
    wait(lambda: curves.ready)
    assert {after - before for before, after in itertools.pairwise(made)} == {0, 1}
    assert made[-1] == 3
    curves.deleteLater()


def test_a_resumed_run_shows_its_options(
    window: Window, project: Path, wait: Wait, qapp: QApplication
) -> None:
    opened(window, project, wait)
    window.go("train")
    page = window.page
    assert isinstance(page, TrainPage)
    wait(lambda: page.run.currentText() == "main")
    assert page.form.value("warp") == 0.05
    assert page.form.values() == {}
    page.form.set_values({"warp": 0.1})
    page.on_show()  # a refresh keeps the entries
    assert page.form.values() == {"warp": 0.1}
    page.run.setCurrentText("another")
    assert page.form.value("warp") == 0.1
    assert page.form.values() == {}
    page.run.setCurrentText("main")
    assert page.form.value("warp") == 0.05


def test_a_very_long_message_does_not_enlarge_the_window(
    window: Window, project: Path, wait: Wait, qapp: QApplication
) -> None:
    opened(window, project, wait)
    window.go("convert")
    page = window.page
    assert isinstance(page, ConvertPage)
    size = window.size()
    endless = "This model cannot be made: " + "network.decoders.a.layers.0.1.weight, " * 200
    page._no_swap(endless)
    page.wipe.show_text(endless)
    window.banner.show_message(endless, "bad")
    qapp.processEvents()
    assert window.size() == size
    assert window.minimumSizeHint().width() <= size.width()
    assert page.wipe.height() > size.height() // 2


def test_consent_is_stored(window: Window, qtbot: QtBot) -> None:
    ask_consent(window)
    box = window.findChild(QWidget, "consent")
    assert box is not None
    box.findChildren(QAbstractButton)[0].click()
    assert window.context.settings.flag(CONSENT)
