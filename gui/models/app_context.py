"""The open project, and the state that all pages share."""

import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, QSysInfo, QTimer, Signal

from faceswap.options import Side
from faceswap.preview.protocol import (
    CreateProjectRequest,
    ProjectAnswer,
    ProjectRequest,
    RunState,
    SideState,
    SourceState,
)
from gui.ipc.job_runner import COMMAND
from gui.ipc.rpc_client import OnError, RpcClient, wait_for_ending_processes
from gui.models.job_list import JobListModel
from gui.models.people import PeopleModel
from gui.models.settings import Settings

LOCK = "window.lock"


class ProjectSession(QObject):
    """One open project: its contents and the client of its preview server.

    changed: ``info`` was updated. lost: the project cannot be read any more, with a message.
    """

    changed = Signal()
    lost = Signal(str)

    def __init__(
        self, folder: Path, program: tuple[str, ...] = COMMAND, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.folder = folder
        self.rpc = RpcClient(folder, program, self)
        self.info: ProjectAnswer | None = None
        self.people = PeopleModel(self.rpc, self)
        self.read_only = ""
        self._lock = QLockFile(str(folder / LOCK))
        self._lock.setStaleLockTime(0)
        self._watcher = QFileSystemWatcher(self)
        self._refresh_timer = QTimer(self)
        self._refresh_timer.setSingleShot(True)
        self._refresh_timer.setInterval(400)
        self._refresh_timer.timeout.connect(self.refresh)
        self._watcher.directoryChanged.connect(self._folder_changed)

    def open(self) -> None:
        """Lock and read the project; open it read-only where another window holds the lock."""
        if not self._lock.tryLock(0) and not self._take_moved_lock():
            if self._lock.error() == QLockFile.LockError.LockFailedError:
                self.read_only = self.tr(
                    "This project is open in another window; here it is read-only."
                )
            else:
                self.read_only = self.tr(
                    "The project folder cannot be written to; the project is read-only."
                )
        # Moving or deleting a folder is reported by a watch on its parent.
        self._watcher.addPaths([str(self.folder), str(self.folder.parent)])
        self.refresh()

    def make(self, a: Path, b: Path, on_done: Callable[[], None], on_error: OnError) -> None:
        """Create the project from two videos, then open it."""

        def made(answer: ProjectAnswer) -> None:
            self.open()
            on_done()

        self.rpc.send(CreateProjectRequest(a=a, b=b), made, on_error=on_error)

    def refresh(self) -> None:
        """Request the project's contents from the preview server."""
        self.rpc.send(ProjectRequest(), self._read, on_error=self.lost.emit, channel="project")

    def side(self, side: Side) -> SideState:
        """The state of one side; that of an empty one until it was read."""
        return SideState() if self.info is None else self.info.side(side)

    def sources(self, side: Side) -> list[SourceState]:
        """The sources of a side."""
        return [] if self.info is None else self.info.sources_of(side)

    def source(self, name: str) -> SourceState | None:
        """The source with this id."""
        return None if self.info is None else self.info.source(name)

    def runs(self) -> list[RunState]:
        """The training runs, most recently saved first."""
        runs = () if self.info is None else self.info.runs
        return sorted(runs, key=lambda run: -run.saved)

    def run(self, name: str) -> RunState | None:
        """The training run of this name, if it has begun."""
        return next((run for run in self.runs() if run.name == name), None)

    def close(self) -> None:
        """Unlock the project and stop its preview server."""
        self._refresh_timer.stop()
        self.rpc.close()
        self._lock.unlock()

    def _take_moved_lock(self) -> bool:
        """Replace a stale lock file of this window that was moved along with its project.

        A held lock, even one of this process, cannot be removed. A lock of another machine that
        shares the folder could be, and a process there may have our ID: hence the host check.
        """
        pid, host, _ = self._lock.getLockInfo()
        ours = pid == os.getpid() and host == QSysInfo.machineHostName()
        return ours and self._lock.removeStaleLockFile() and self._lock.tryLock(0)

    def _folder_changed(self, folder: str) -> None:
        if folder == str(self.folder) or not (self.folder / "project.toml").is_file():
            self._refresh_timer.start()

    def _read(self, info: ProjectAnswer) -> None:
        self.info = info
        self.changed.emit()
        self.people.refresh()


class AppContext(QObject):
    """The state that all pages share: the open project, the jobs, the settings; and signals.

    rpc: a preview server without a project. opened: the open project changed, maybe to none.
    notice: show a message of the kind "good", "warn" or "bad". show_page: go to the page of this
    name. show_frame: show a frame of a source.
    """

    opened = Signal()
    notice = Signal(str, str)
    show_page = Signal(str)
    show_frame = Signal(str, int)

    def __init__(
        self,
        settings: Settings,
        program: tuple[str, ...] = COMMAND,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.settings, self.program = settings, program
        self.jobs = JobListModel(settings.jobs, program, self)
        self.session: ProjectSession | None = None
        self.rpc = RpcClient(settings.folder / "no project", program, self)
        self.rpc.warning.connect(lambda text: self.notice.emit(text, "warn"))

    def set_session(self, session: ProjectSession) -> None:
        """Make ``session`` the open project."""
        if self.session is not None:
            self.session.close()
            self.session.deleteLater()
        self.session = session
        session.setParent(self)
        session.rpc.warning.connect(lambda text: self.notice.emit(text, "warn"))
        session.lost.connect(self._lost)
        session.people.failed.connect(lambda text: self.notice.emit(text, "bad"))
        self.settings.add_recent(session.folder)
        self.opened.emit()
        if session.read_only:
            self.notice.emit(session.read_only, "warn")

    def open(self, folder: Path) -> None:
        """Open the project in ``folder``."""
        if not (folder / "project.toml").is_file():
            self.settings.drop_recent(folder)
            self.notice.emit(
                self.tr("There is no project in %1; choose another folder.").replace(
                    "%1", str(folder)
                ),
                "bad",
            )
            return
        session = ProjectSession(folder, self.program)
        session.open()
        self.set_session(session)

    def close_project(self) -> None:
        """Close the open project."""
        session, self.session = self.session, None
        if session is not None:
            session.close()
            session.deleteLater()
            self.opened.emit()

    def close(self) -> None:
        """Close everything but the running jobs."""
        self.close_project()
        self.rpc.close()
        wait_for_ending_processes()
        self.jobs.close()
        self.settings.sync()

    def _lost(self, sentence: str) -> None:
        session = self.session
        if session is None:
            return
        if not (session.folder / "project.toml").is_file():
            self.close_project()
            sentence = self.tr(
                "The project %1 was moved or deleted; open it from its new folder."
            ).replace("%1", session.folder.name)
            self.show_page.emit("start")
        self.notice.emit(sentence, "bad")
