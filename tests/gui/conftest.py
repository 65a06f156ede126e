"""Fixtures: a window with a fake job program, and a check that nothing outlives a test."""

import gc
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("PySide6")

import display
import psutil
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from shiboken6 import isValid
from stand_in import FAKE, Wait
from walker import Walker

from gui.app import make_app
from gui.ipc import processes
from gui.ipc.job_runner import COMMAND
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.widgets import plots
from gui.window import Window


@pytest.fixture(scope="session")
def qapp() -> Iterator[QApplication]:
    """The application with its real set-up, for pytest-qt."""
    display.choose()
    existing = QApplication.instance()
    app = existing if isinstance(existing, QApplication) else make_app(["faceswap"])
    yield app
    for thread in plots._loading:
        thread.join()


@pytest.fixture
def wait(qapp: QApplication) -> Wait:
    """Run the event loop until a condition holds."""

    def until(condition: Callable[[], object], seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while not condition():
            qapp.processEvents()
            assert time.monotonic() < end, "the condition did not become true in time"
            time.sleep(0.005)

    return until


def runs_a_job(child: psutil.Process) -> bool:
    """Whether it is a running job or preview server."""
    try:
        ended = child.status() == psutil.STATUS_ZOMBIE
        return not ended and "faceswap" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def no_leaks(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread, timer, window, process or temporary file may outlive a test."""
    temporary = tmp_path / "temporary files"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = set(threading.enumerate())
    yield
    for _ in range(3):
        qapp.processEvents()
        qapp.sendPostedEvents(None, 52)  # DeferredDelete
    threads = [t for t in threading.enumerate() if t not in before and t not in plots._loading]
    assert not threads
    assert not [w for w in qapp.topLevelWidgets() if w.isVisible()]
    gc.unfreeze()  # so that frozen objects are found below
    # By type: isinstance on some lazy module objects emits warnings.
    timers = [o for o in gc.get_objects() if issubclass(type(o), QTimer) and isValid(o)]
    assert not [timer for timer in timers if timer.isActive()]
    assert not [child for child in psutil.Process().children() if runs_a_job(child)]
    assert not list(temporary.iterdir())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Separate settings for each test."""
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    return Settings(store, tmp_path / "data")


@pytest.fixture
def context(settings: Settings, wait: Wait) -> Iterator[AppContext]:
    """A context whose jobs and preview servers are the fake program."""
    made = AppContext(settings, FAKE)
    yield made
    for job in made.jobs.running():
        processes.kill(job.record.process)
    started = [job.record.process for job in made.jobs.jobs]
    made.close()
    made.deleteLater()
    wait(lambda: not any(processes.alive(process) for process in started))


@pytest.fixture
def window(context: AppContext) -> Iterator[Window]:
    """The window, shown."""
    made = Window(context)
    made.resize(1280, 800)
    made.show()
    yield made
    made.ask_about_jobs = lambda running: "keep"  # type: ignore[method-assign]
    made.close()
    made.deleteLater()


@pytest.fixture
def walker(
    settings: Settings,
    wait: Callable[..., None],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Walker]:
    """A new window with the real program."""
    # The cache of compiled kernels persists, so it must not lie in the temporary folder.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kernels"))
    context = AppContext(settings, COMMAND)
    window = Window(context)
    window.resize(1280, 800)
    window.show()
    yield Walker(window, wait, qtbot)
    started = [job.record.process for job in context.jobs.jobs]
    for process in started:
        processes.kill(process)
    wait(lambda: not any(processes.alive(process) for process in started))
    window.ask_about_jobs = lambda running: "keep"  # type: ignore[method-assign]
    window.close()
    window.deleteLater()
    context.deleteLater()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with ten small crops per side."""
    from fake_faceswap import png

    folder = tmp_path / "Projekt ä b"
    for side in "ab":
        (folder / "faces" / side).mkdir(parents=True)
        for number in range(10):
            path = folder / "faces" / side / f"{number:06}_0.png"
            path.write_bytes(png(16, 16, (20 * number, 90, 90)))
    (folder / "project.toml").write_text("format = 1\n")
    return folder
