"""Read a queue file: jobs in TOML, checked before the first of them begins.

::

    retries = 1                          # for all jobs

    [[job]]
    name = "faces"
    command = "extract"
    options = { inputs = ["a.mp4"], project = "P", side = "a" }

    [[job]]
    command = "convert"
    after = ["faces"]                    # begins when these are done
    order = 1                            # of those that can begin, the lowest does
    start_at = 2026-12-24T22:00:00       # not before
    [job.options]
    project = "P"

Relative paths are from the folder of the file.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceswap.errors import InputError
from faceswap.options import Options, arguments_of, flag_of

_HEADER = re.compile(r"\s*\[\[\s*job\s*\]\]")
_TOML_LINE = re.compile(r"line (\d+)")

ModelOf = Callable[[str], type[Options] | None]
"""The options model of a command; None where there is no such command."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    command: str
    options: dict[str, Any] = {}
    after: tuple[str, ...] = ()
    order: int = 0
    start_at: datetime | None = None
    retries: Annotated[int, Field(ge=0, le=1000)] = 0


@dataclass(frozen=True)
class QueuedJob:
    """A job of a queue. arguments: its command line. start_at: with a time zone.

    key: of command and options; a job that was done is done again when it changes.
    """

    name: str
    arguments: tuple[str, ...]
    key: str
    after: tuple[str, ...] = ()
    order: int = 0
    start_at: datetime | None = None
    retries: int = 0


class QueueFileError(InputError):
    """A mistake in a queue file, with its line."""


def read_queue(path: Path, model_of: ModelOf) -> list[QueuedJob]:
    """The jobs of the queue file ``path``, in its order.

    Raises InputError when it cannot be read, QueueFileError at the first mistake.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"Cannot read {path}: {reason}.") from error
    return _Reader(path, text, model_of).jobs()


class _Reader:
    def __init__(self, path: Path, text: str, model_of: ModelOf) -> None:
        self._path, self._model_of = path, model_of
        self._lines = text.splitlines()
        try:
            self._document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _TOML_LINE.search(str(error))
            line = int(found[1]) if found else len(self._lines)
            raise self._mistake(line, f"{error}") from error
        self._headers = [n for n, line in enumerate(self._lines, 1) if _HEADER.match(line)]

    def jobs(self) -> list[QueuedJob]:
        shared = {name: v for name, v in self._document.items() if name != "job"}
        for name in shared:
            if name != "retries":
                raise self._mistake(self._line(None, name), f"{name!r} is not known here")
        entries = self._document.get("job", [])
        if not isinstance(entries, list) or not entries:
            raise self._mistake(1, "there is no job; begin each with [[job]]")
        jobs = [self._job(number, shared | entry) for number, entry in enumerate(entries)]
        self._check_names(jobs)
        return jobs

    def _job(self, number: int, values: Mapping[str, Any]) -> QueuedJob:
        named = {"name": f"{values.get('command', 'job')} {number + 1}", **values}
        try:
            entry = _Entry.model_validate(named)
        except ValidationError as error:
            problem = error.errors()[0]
            name = str(problem["loc"][0])
            line = self._line(number, name)
            raise self._mistake(line, f"{name}: {_reason(problem['msg'])}") from error
        model = self._model_of(entry.command)
        if model is None:
            what = f"there is no command {entry.command!r} that a queue can run"
            raise self._mistake(self._line(number, "command"), what)
        arguments = (*entry.command.split(), *self._arguments(number, model, entry.options))
        start = entry.start_at
        return QueuedJob(
            name=entry.name,
            arguments=arguments,
            key=hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:16],
            after=entry.after,
            order=entry.order,
            start_at=start.astimezone() if start is not None else None,
            retries=entry.retries,
        )

    def _arguments(self, number: int, model: type[Options], given: Mapping[str, Any]) -> list[str]:
        try:
            return arguments_of(model(**given))
        except ValidationError as error:
            # A misspelled option also lacks under its own name, which is no mistake of its own.
            problems = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
            problem = problems[0]
            where = str(problem["loc"][0]) if problem["loc"] else ""
            known = where in model.model_fields
            line = self._line(number, where)
            if where and not known:
                raise self._mistake(line, f"there is no option {where!r}") from error
            name = f"{flag_of(model, where)}: " if known else ""
            raise self._mistake(line, f"{name}{_reason(problem['msg'])}") from error

    def _check_names(self, jobs: Sequence[QueuedJob]) -> None:
        numbers: dict[str, int] = {}
        for number, job in enumerate(jobs):
            if job.name in numbers:
                line = self._line(number, "name")
                raise self._mistake(line, f"there are two jobs called {job.name!r}")
            numbers[job.name] = number
        for number, job in enumerate(jobs):
            for name in job.after:
                if name not in numbers:
                    line = self._line(number, "after")
                    raise self._mistake(line, f"there is no job {name!r}")
        waiting = {job.name: set(job.after) for job in jobs}
        while ready := [name for name, before in waiting.items() if not before]:
            for name in ready:
                del waiting[name]
            for before in waiting.values():
                before.difference_update(ready)
        if waiting:
            name = next(iter(waiting))
            line = self._line(numbers[name], "after")
            raise self._mistake(line, f"{name!r} waits for itself, through others")

    def _line(self, number: int | None, name: str) -> int:
        """The line of a name in the job with this number, or else where the job begins."""
        headers = [*self._headers, len(self._lines) + 1]
        begin = 1 if number is None else self._headers[number] if self._headers else 1
        later = [line for line in headers if line > begin]
        end = later[0] if later else len(self._lines) + 1
        pattern = re.compile(rf"(^|[\s{{,.]){re.escape(name)}\s*[=.]|\[job\.{re.escape(name)}\]")
        for line in range(begin, end):
            code = self._lines[line - 1].partition("#")[0]
            if name and pattern.search(code):
                return line
        return begin

    def _mistake(self, line: int, what: str) -> QueueFileError:
        return QueueFileError(f"{self._path}, line {line}: {what.rstrip('.')}.")


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
