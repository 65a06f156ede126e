"""Runs each job as a process of its own and reads what it says.

A job is started detached and writes its events to a file, so that it outlives the window: a
window that opens later finds it by its record and reads on. A crash there ends nothing here.
"""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, JsonValue, ValidationError
from PySide6.QtCore import QObject, Signal

from faceswap.errors import OutputError
from faceswap.events import Failed, Finished, Line, Notice, Progress, Stopped, parse
from faceswap.options import Options, flag_of, show_of
from gui import processes

State = Literal["running", "finished", "failed", "stopped"]

COMMAND = (sys.executable, "-m", "faceswap")
PATIENCE = 30.0
"""Seconds that a job has to save what it holds after it was asked to stop."""

_AT_ONCE = 1 << 14
"""Bytes of a log read in one go: some hundred events, which take a few milliseconds."""

_TAIL = 1 << 18


class Record(BaseModel):
    """What is kept of a run on disk, beside what it wrote."""

    command: str
    arguments: list[str]
    options: dict[str, JsonValue]
    title: str
    project: Path | None
    started: float
    pid: int = 0


class Job(QObject):
    """One run of one command.

    arrived: each event, in order, progress only as often as it can be seen. changed: state or
    progress is another. ended: it is over, whatever way.
    """

    arrived = Signal(object)
    changed = Signal()
    ended = Signal()

    def __init__(self, folder: Path, record: Record, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.folder, self.record = folder, record
        self.state: State = "running"
        self.progress: Progress | None = None
        self.outcome: Finished | Failed | Stopped | None = None
        self.notices: list[Notice] = []
        self.stopping = 0.0
        self._read_to = 0
        self._rest = b""

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
            processes.end(self.record.pid)
        else:
            self.stopping = time.monotonic()
            processes.ask_to_stop(self.record.pid)
        self.changed.emit()

    def poll(self, alive: bool) -> bool:
        """Read what it wrote since; ``alive`` says whether its process still runs.

        False when there was nothing new.
        """
        lines = self._new_lines()
        latest: Progress | None = None
        for line in lines:
            if isinstance(line, Progress):
                latest = line
            else:
                self._take(line)
        if latest is not None:
            self.progress = latest
            self.arrived.emit(latest)
        if self.running and not alive and not lines:
            self._take(_vanished(bool(self.stopping)))
        elif self.running and self.stopping and time.monotonic() - self.stopping > PATIENCE:
            processes.end(self.record.pid)
        if lines or not self.running:
            self.changed.emit()
        if not self.running:
            self.ended.emit()
        return bool(lines)

    def skip_to_end(self) -> None:
        """Leave out all but the end of a long log; what it says there is what counts."""
        path = self.folder / "events.jsonl"
        size = path.stat().st_size if path.is_file() else 0
        if size > _TAIL:
            self._read_to = size - _TAIL
            self._new_lines()

    def _take(self, line: Line) -> None:
        if isinstance(line, Notice):
            self.notices = [*self.notices[-99:], line]
        elif isinstance(line, Finished | Failed | Stopped):
            self.outcome = line
            self.state = line.kind
        self.arrived.emit(line)

    def _new_lines(self) -> list[Line]:
        try:
            with open(self.folder / "events.jsonl", "rb") as file:
                file.seek(self._read_to)
                data = file.read(_AT_ONCE)
        except OSError:
            return []
        self._read_to += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = []
        for text in whole:
            try:
                lines.append(parse(text))
            except ValidationError:
                continue  # a library that prints to our standard output must not end the job
        return lines


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
    record = Record(
        command=command,
        arguments=arguments,
        options=options.model_dump(mode="json", exclude_unset=True),
        title=title,
        project=project,
        started=time.time(),
    )
    try:
        folder.mkdir(parents=True)
        words = [*program, *arguments, "--events", "jsonl", "--debug"]
        try:
            pid = processes.start(words, folder / "events.jsonl", folder / "errors.txt")
        except OSError as error:
            raise OutputError(f"Cannot start {program[0]}: {error.strerror}.") from error
        record = record.model_copy(update={"pid": pid})
        (folder / "record.json").write_text(record.model_dump_json(), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror}.") from error
    return Job(folder, record)


def load(folder: Path) -> Job | None:
    """The job recorded in ``folder``, as far as it is; None where there is none."""
    try:
        record = Record.model_validate_json((folder / "record.json").read_bytes())
    except (OSError, ValidationError):
        return None
    job = Job(folder, record)
    job.skip_to_end()
    alive = processes.alive(record.pid)
    while job.running and job.poll(alive):
        pass
    return job


def arguments_of(options: Options) -> list[str]:
    """What was given, as arguments of the command line."""
    arguments: list[str] = []
    for name, field in type(options).model_fields.items():
        value, undone = getattr(options, name), show_of(type(options), name).undone
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


def _vanished(asked: bool) -> Stopped | Failed:
    if asked:
        return Stopped()
    return Failed(
        message="The job was ended from outside: it was killed, crashed, or memory ran out. "
        "What it saved is intact; start it again to go on, with smaller settings if memory is "
        "short."
    )
