"""Runs each job as a process of its own and reads what it says.

A job is started detached and writes its events to a log, which stays small, so that it outlives
the window: a window that opens later finds it by its record and reads on. A crash there ends
nothing here.
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
from faceswap.options import Options, flag_of, presentation_of
from gui.ipc import processes
from gui.ipc.processes import Process

State = Literal["running", "finished", "failed", "stopped"]

COMMAND = (processes.interpreter(sys.executable), "-m", "faceswap")
GRACE_SECONDS = 30.0
"""Seconds that a job has to save what it holds after it was asked to stop."""

_TAIL = 1 << 18
"""Bytes at the end of the log of a job that is over that tell how it ended and its last notices."""


class JobRecord(BaseModel):
    """What is kept of a run on disk, beside what it wrote.

    process: None in records of versions that kept its number alone, which may be another's now.
    """

    command: str
    arguments: list[str]
    options: dict[str, JsonValue]
    title: str
    project: Path | None
    started: float
    process: Process | None = None


class Job(QObject):
    """One run of one command.

    arrived: each event, in order, progress only as often as it can be seen. changed: state or
    progress is another. ended: it is over, whatever way.
    """

    arrived = Signal(object)
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
        """The log of what it tells."""
        return self.folder / "events.jsonl"

    @property
    def running(self) -> bool:
        """Whether it is not over yet."""
        return self.state == "running"

    @property
    def message(self) -> str:
        """How it ended, in a sentence or two; empty while it runs."""
        match self.outcome:
            case Finished():
                return self.outcome.text
            case Failed():
                return self.outcome.message
            case Stopped():
                return self.tr("Stopped; what was done is kept, and it can go on from there.")
            case None:
                return ""

    def command_line(self) -> str:
        """The same run for a terminal."""
        return command_line(["faceswap", *self.record.arguments])

    def details(self) -> str:
        """What a bug report needs: the traceback and the end of what it wrote besides."""
        text = self.outcome.details if isinstance(self.outcome, Failed) else ""
        return (text + "\n" + tail(self.folder / "errors.txt")).strip()

    def stop(self) -> None:
        """Ask it to stop; asked again, or when it does not within its time, it is ended."""
        if not self.running:
            return
        if self.stopping:
            processes.end(self.record.process)
        else:
            self.stopping = time.monotonic()
            processes.ask_to_stop(self.record.process)
        self.changed.emit()

    def metrics(self) -> list[Metrics]:
        """The numbers it told so far, thinned to what a curve needs."""
        return metrics_in(self.events)

    def poll(self, alive: bool) -> bool:
        """Read some of what it wrote since; ``alive`` says whether its process ran before this.

        Whether there is more to be read at once.
        """
        look = self._log.read_new()
        if look.again:
            self.notices = []
        latest: Progress | None = None
        for line in look.lines:
            if isinstance(line, Progress):
                latest = line
            else:
                self._take(line)
        if latest is not None:
            self.progress = latest
            self.arrived.emit(latest)
        if self.running and not alive and look.at_end:
            self._take(self._last_word(look.cut))
        elif self.running and self.stopping and time.monotonic() - self.stopping > GRACE_SECONDS:
            processes.end(self.record.process)
        if look.lines or not self.running:
            self.changed.emit()
        if not self.running:
            self.ended.emit()
        return not look.at_end

    def skip_to_end(self) -> None:
        """Leave out all but the end of a long log; what it says there is what counts."""
        self._log.skip_to_tail(_TAIL)

    def _take(self, line: Line) -> None:
        if isinstance(line, Notice):
            self.notices = [*self.notices[-99:], line]
        elif isinstance(line, Finished | Failed | Stopped):
            self.outcome = line
            self.state = line.kind
        self.arrived.emit(line)

    def _last_word(self, cut: bytes) -> Finished | Failed | Stopped:
        """How it ended, of a process that is gone and did not say; ``cut`` is a line begun."""
        with suppress(ValidationError):
            last = parse(cut)
            if isinstance(last, Finished | Failed | Stopped):
                return last  # whole but for the end of its line
        if self.stopping:
            return Stopped()
        if self.record.process is None:
            return Failed(
                message="An older version started this job, and whether it still runs cannot be "
                "told. If it does not, start it again: it goes on from what it saved."
            )
        what = "in the middle of a message" if cut else "from outside"
        return Failed(
            message=f"The job was ended {what}: it was killed, crashed, or memory ran out. What it "
            "saved is intact; start it again to go on, with smaller settings if memory is short.",
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
        words = [*program, *arguments, "--log", str(folder / "events.jsonl"), "--debug"]
        try:
            process = processes.start(words, folder / "errors.txt")
        except OSError as error:
            raise OutputError(f"Cannot start {program[0]}: {error.strerror}.") from error
        record = record.model_copy(update={"process": process})
        try:
            (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
        except OSError:
            processes.end(process)  # which nobody would find again
            raise
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror}.") from error
    return Job(folder, record)


def load(folder: Path) -> Job | None:
    """The job recorded in ``folder``, as far as it is; None where there is none."""
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


def arguments_of(options: Options) -> list[str]:
    """What was given, as arguments of the command line."""
    arguments: list[str] = []
    for name, field in type(options).model_fields.items():
        value, undone = getattr(options, name), presentation_of(type(options), name).negatable
        if value is None or name not in options.model_fields_set:
            continue
        if value is False and field.default is False and not undone:
            continue
        flag = flag_of(type(options), name)
        if isinstance(value, bool):
            arguments.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple | list):
            for item in value:
                arguments += [flag, str(item)]
        else:
            arguments += [flag, str(value)]
    return arguments


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
