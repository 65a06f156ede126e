"""All jobs of this user, running and ended."""

import shutil
import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from faceswap.commands import JOBS, options_of
from faceswap.options import Options
from gui.ipc import job_runner, processes
from gui.ipc.job_runner import Job

_MAX_JOBS = 100
_POLL_MS = 100


class JobListModel(QObject):
    """The jobs recorded in a folder, newest first; logs of running jobs are polled at 10 Hz."""

    added = Signal(object)
    changed = Signal(object)
    ended = Signal(object)

    def __init__(
        self,
        folder: Path,
        program: tuple[str, ...] = job_runner.COMMAND,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder, self._program = folder, program
        self.jobs: list[Job] = []
        self._alive_at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        made = [p for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
        for number, known in enumerate(sorted(made, reverse=True)):
            job = job_runner.load(known)
            if number >= _MAX_JOBS and (job is None or not job.running):
                shutil.rmtree(known, ignore_errors=True)
            elif job is not None:
                self._connect(job)
                self.jobs.append(job)
        self._update_timer()

    def start(self, command: str, options: Options, title: str, project: Path | None) -> Job:
        """Start a job; raises OutputError when it cannot be started."""
        folder = self._folder / f"{time.time_ns():020}"
        job = job_runner.start(folder, command, options, title, project, self._program)
        self._connect(job)
        self.jobs.insert(0, job)
        self.added.emit(job)
        self._update_timer()
        return job

    def retry(self, job: Job) -> Job:
        """Start a job again with the same options. Raises OutputError when it cannot be started,
        ValidationError when this version no longer has its options.
        """
        record = job.record
        options = options_of(JOBS[record.command]).model_validate(record.options)
        return self.start(record.command, options, record.title, record.project)

    def running(self, command: str | None = None, project: Path | None = None) -> list[Job]:
        """The running jobs, optionally only of one command and one project."""
        return [
            job
            for job in self.jobs
            if job.running
            and command in (None, job.record.command)
            and project in (None, job.record.project)
        ]

    def forget(self, job: Job) -> None:
        """Remove an ended job from the list and delete its log."""
        if not job.running and job in self.jobs:
            self.jobs.remove(job)
            shutil.rmtree(job.folder, ignore_errors=True)
            self.changed.emit(job)

    def close(self) -> None:
        """Stop polling; the jobs keep running."""
        self._timer.stop()

    def _connect(self, job: Job) -> None:
        job.setParent(self)
        job.changed.connect(lambda: self.changed.emit(job))
        job.ended.connect(lambda: self.ended.emit(job))

    def _update_timer(self) -> None:
        if not self.running():
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()

    def _poll(self) -> None:
        for job in self.running():
            job.poll(processes.alive(job.record.process))
        self._update_timer()
