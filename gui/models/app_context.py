"""The project that is open, and what all pages share."""

import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, QSysInfo, QTimer, Signal

from gui.ipc.job_runner import COMMAND
from gui.ipc.rpc_client import RpcClient, wait_for_ending_processes
from gui.models.job_list import JobListModel
from gui.models.settings import Settings

LOCK = "window.lock"


class ProjectSession(QObject):
    """One open project: what is in it, and the line to the process that shows it.

    changed: ``info`` was read anew. lost: the project is no longer there, with a sentence.
    """

    changed = Signal()
    lost = Signal(str)

    def __init__(
        self, folder: Path, program: tuple[str, ...] = COMMAND, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.folder = folder
        self.link = RpcClient(folder, program, self)
        self.info: dict[str, Any] = {}
        self.read_only = ""
        self._lock = QLockFile(str(folder / LOCK))
        self._lock.setStaleLockTime(0)
        self._watcher = QFileSystemWatcher(self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(400)
        self._later.timeout.connect(self.refresh)
        self._watcher.directoryChanged.connect(self._touched)

    def open(self) -> None:
        """Take hold of the project, for reading only where another window has it."""
        if not self._lock.tryLock(0) and not self._take_moved_lock():
            if self._lock.error() == QLockFile.LockError.LockFailedError:
                self.read_only = self.tr(
                    "This project is open in another window; here it can only be looked at."
                )
            else:
                self.read_only = self.tr(
                    "The project's folder cannot be written; it can only be looked at."
                )
        # A folder that is moved or deleted is seen from the one it was in.
        self._watcher.addPaths([str(self.folder), str(self.folder.parent)])
        self.refresh()

    def make(self, a: Path, b: Path, done: Any, sorry: Any) -> None:
        """Make the project of two videos, then open it."""

        def made(values: dict[str, Any]) -> None:
            self.open()
            done()

        self.link.request("make", made, on_error=sorry, a=str(a), b=str(b))

    def refresh(self) -> None:
        """Read anew what there is."""
        self.link.request("project", self._read, on_error=self.lost.emit, channel="project")

    def side(self, side: str) -> dict[str, Any]:
        """What is known of one side; empty until it was read."""
        found: dict[str, Any] = self.info.get("sides", {}).get(side, {})
        return found

    def runs(self) -> list[dict[str, Any]]:
        """The training runs, the one saved last first."""
        return sorted(self.info.get("runs", []), key=lambda run: -float(run["saved"]))

    def close(self) -> None:
        """Let go of the project."""
        self._later.stop()
        self.link.close()
        self._lock.unlock()

    def _take_moved_lock(self) -> bool:
        """Replace a lock of this very window that a project took along when it was moved.

        One that is held, be it by this process, the system does not let us remove; one of another
        machine that shares the folder it would, and a process there may have our number.
        """
        pid, host, _ = self._lock.getLockInfo()
        ours = pid == os.getpid() and host == QSysInfo.machineHostName()
        return ours and self._lock.removeStaleLockFile() and self._lock.tryLock(0)

    def _touched(self, folder: str) -> None:
        if folder == str(self.folder) or not (self.folder / "project.toml").is_file():
            self._later.start()

    def _read(self, info: dict[str, Any]) -> None:
        self.info = info
        self.changed.emit()


class AppContext(QObject):
    """What every page works with: the open project, the jobs, the settings, and the window.

    opened: another project, or none, is open. notice: tell the user a sentence, of the kind
    "good", "warn" or "bad". go: show the page of this name. show_frame: show a side's frame.
    """

    opened = Signal()
    notice = Signal(str, str)
    go = Signal(str)
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
        self.viewer = RpcClient(settings.folder / "no project", program, self)
        self.viewer.trouble.connect(lambda text: self.notice.emit(text, "warn"))

    def set_session(self, session: ProjectSession) -> None:
        """Make ``session`` the open project."""
        if self.session is not None:
            self.session.close()
            self.session.deleteLater()
        self.session = session
        session.setParent(self)
        session.link.trouble.connect(lambda text: self.notice.emit(text, "warn"))
        session.lost.connect(self._lost)
        self.settings.add_recent(session.folder)
        self.opened.emit()
        if session.read_only:
            self.notice.emit(session.read_only, "warn")

    def open(self, folder: Path) -> None:
        """Open the project in ``folder``."""
        if not (folder / "project.toml").is_file():
            self.settings.drop_recent(folder)
            self.notice.emit(
                self.tr("There is no project in %1.").replace("%1", str(folder)), "bad"
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
        self.viewer.close()
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
                "The project %1 was moved or deleted; open it from where it is now."
            ).replace("%1", session.folder.name)
            self.go.emit("start")
        self.notice.emit(sentence, "bad")
