"""Run each job in its own process and read its event log.

A job is started detached and writes its events to a size-limited log, so it can outlive the
window: a window opened later finds it by its record on disk and continues reading. A crash of the
job does not affect the window.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue, ValidationError
from PySide6.QtCore import QObject, Signal

from faceswap.errors import OutputError
from faceswap.event_log import LogReader, metrics_in
from faceswap.events import Failed, Finished, Line, Metrics, Notice, Progress, Stopped, parse
from faceswap.options import Options, arguments_of
from gui.ipc import processes
from gui.ipc.processes import Process

State = Literal["running", "finished", "failed", "stopped"]

COMMAND = (processes.interpreter(sys.executable), "-m", "faceswap")
GRACE_SECONDS = 30.0
"""Seconds that a job has to save a checkpoint after a stop request, before it is killed."""

_TAIL = 1 << 18
"""Bytes read from the end of an ended job's log: enough for its outcome and last notices."""


class JobRecord(BaseModel):
    """The record of a job on disk, next to its log.

    process: None in records of versions that stored only the process ID, which may be reused now.
    """

    command: str
    arguments: list[str]
    options: dict[str, JsonValue]
    title: str
    project: Path | None
    started: float
    process: Process | None = None


class Job(QObject):
    """One job: a run of one command in its own process.

    event_received: each event in order; of the progress events of one poll only the latest.
    changed: state or progress changed. ended: the job ended, in any way.
    """

    event_received = Signal(object)
    changed = Signal()
    ended = Signal()

    def __init__(self, folder: Path, record: JobRecord, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder, self.record = folder, record
        self.state: State = "running"
        self.progress: Progress | None = None
        self.outcome: Finished | Failed | Stopped | None = None
        self.notices: list[Notice] = []
        self.stopping = 0.0
        self._log = LogReader(self.events)

    @property
    def events(self) -> Path:
        """The path of the event log."""
        return self.folder / "events.jsonl"

    @property
    def running(self) -> bool:
        """Whether the job has not ended yet."""
        return self.state == "running"

    @property
    def message(self) -> str:
        """The outcome in a sentence or two; empty while the job runs."""
        match self.outcome:
            case Finished():
                return self.outcome.text
            case Failed():
                return self.outcome.message
            case Stopped():
                return self.tr("Stopped. The work done so far is saved; run it again to resume.")
            case None:
                return ""

    def command_line(self) -> str:
        """The equivalent command for a terminal."""
        return command_line(["faceswap", *self.record.arguments])

    def details(self) -> str:
        """The traceback and the end of the error output, for a bug report."""
        text = self.outcome.details if isinstance(self.outcome, Failed) else ""
        return (text + "\n" + tail(self.folder / "errors.txt")).strip()

    def stop(self) -> None:
        """Request a stop; a second call, or GRACE_SECONDS without success, kills the process."""
        if not self.running:
            return
        if self.stopping:
            processes.kill(self.record.process)
        else:
            self.stopping = time.monotonic()
            processes.request_stop(self.record.process)
        self.changed.emit()

    def metrics(self) -> list[Metrics]:
        """The metrics logged so far, thinned out for plotting."""
        return metrics_in(self.events)

    def poll(self, alive: bool) -> bool:
        """Read the next part of the log; whether there is more to read at once.

        ``alive``: whether the process was running just before this call.
        """
        chunk = self._log.read_new()
        if chunk.restarted:
            self.notices = []
        latest: Progress | None = None
        for line in chunk.lines:
            if isinstance(line, Progress):
                latest = line
            else:
                self._handle(line)
        if latest is not None:
            self.progress = latest
            self.event_received.emit(latest)
        if self.running and not alive and chunk.at_end:
            self._handle(self._final_event(chunk.partial_line))
        elif self.running and self.stopping and time.monotonic() - self.stopping > GRACE_SECONDS:
            processes.kill(self.record.process)
        if chunk.lines or not self.running:
            self.changed.emit()
        if not self.running:
            self.ended.emit()
        return not chunk.at_end

    def skip_to_end(self) -> None:
        """Skip all but the end of a long log, which holds the outcome."""
        self._log.skip_to_tail(_TAIL)

    def _handle(self, line: Line) -> None:
        if isinstance(line, Notice):
            self.notices = [*self.notices[-99:], line]
        elif isinstance(line, Finished | Failed | Stopped):
            self.outcome = line
            self.state = line.kind
        self.event_received.emit(line)

    def _final_event(self, cut: bytes) -> Finished | Failed | Stopped:
        """The outcome of a process that is gone without reporting one; ``cut``: a partial line."""
        with suppress(ValidationError):
            last = parse(cut)
            if isinstance(last, Finished | Failed | Stopped):
                return last  # complete except for its newline
        if self.stopping:
            return Stopped()
        if self.record.process is None:
            return Failed(
                message="An older version started this job, so it is unknown whether it is still "
                "running. If it is not, start it again: it resumes from its last save."
            )
        what = "in the middle of a message" if cut else "from outside"
        return Failed(
            message=f"The job was ended {what}: it was killed, crashed, or memory ran out. What it "
            "saved is intact; start it again to resume, with a smaller batch or resolution if "
            "memory is short.",
            details=cut[:1000].decode(errors="replace"),
        )


def start(
    folder: Path,
    command: str,
    options: Options,
    title: str,
    project: Path | None,
    program: Sequence[str] = COMMAND,
) -> Job:
    """Start ``faceswap command`` with ``options``; its record and output go to ``folder``.

    Raises OutputError when the folder cannot be written or the process cannot be started.
    """
    arguments = [*command.split(), *arguments_of(options)]
    record = JobRecord(
        command=command,
        arguments=arguments,
        options=options.model_dump(mode="json", exclude_unset=True),
        title=title,
        project=project,
        started=time.time(),
    )
    try:
        folder.mkdir(parents=True)
        call = [*program, *arguments, "--log", str(folder / "events.jsonl"), "--debug"]
        try:
            process = processes.start(call, folder / "errors.txt")
        except OSError as error:
            raise OutputError(f"Cannot start {program[0]}: {error.strerror}.") from error
        record = record.model_copy(update={"process": process})
        try:
            (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
        except OSError:
            processes.kill(process)  # without a record it could not be found again
            raise
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror}.") from error
    return Job(folder, record)


def load(folder: Path) -> Job | None:
    """Load the job recorded in ``folder`` and its log so far; None where there is no record."""
    try:
        record = JobRecord.model_validate_json((folder / "record.json").read_bytes())
    except (OSError, ValidationError):
        return None
    job = Job(folder, record)
    alive = processes.alive(record.process)
    if not alive:
        job.skip_to_end()
    while job.poll(alive) and job.running:
        pass
    return job


def command_line(arguments: Sequence[str]) -> str:
    """``arguments`` quoted for this system's shell."""
    if sys.platform == "win32":
        return subprocess.list2cmdline(arguments)
    return shlex.join(arguments)


def tail(path: Path, size: int = 8192) -> str:
    """The end of a text file; empty when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
