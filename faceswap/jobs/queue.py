"""Run the jobs of a queue file one after another."""

import importlib
import pkgutil
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from faceswap import jobs
from faceswap.events import Event, Summary
from faceswap.options import Options, Presentation

_NOT_QUEUED = ("queue", "serve")
"""Commands that never end by themselves, or run others."""
_ALL_SHOWN = 60  # jobs; of more, those that were done are only counted


class QueueOptions(Options):
    """Run the jobs of a queue file one after another."""

    file: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="The queue: a TOML file with a table [[job]] for each."),
    ]


class QueueRow(BaseModel):
    """What became of a job of a queue: its name, state, tries, seconds, and what it said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: str
    tries: int
    seconds: float
    message: str


class QueueSummary(Summary):
    """Result of a queue."""

    file: Path
    rows: tuple[QueueRow, ...]

    def count(self, *states: str) -> int:
        """How many jobs have one of ``states``."""
        return sum(row.state in states for row in self.rows)

    def failed(self) -> bool:
        """Whether a job failed, or was left out as one before it did."""
        return self.count("failed", "left out") > 0

    def text(self) -> str:
        """A table of the jobs, and how many were done."""
        from faceswap.io.text_table import duration, text_table

        shown = [
            row
            for row in self.rows
            if len(self.rows) <= _ALL_SHOWN or row.state in ("failed", "left out")
        ]
        table = text_table(
            ("job", "state", "tries", "time", ""),
            [
                (
                    row.name,
                    row.state,
                    str(row.tries or ""),
                    duration(row.seconds) if row.tries else "",
                    next(iter(row.message.splitlines()), ""),
                )
                for row in shown
            ],
        )
        done, before = self.count("done"), self.count("done before")
        counts = (
            f"{len(self.rows):,} jobs: {done:,} done, {before:,} done before, "
            f"{self.count('failed'):,} failed, {self.count('left out'):,} left out."
        )
        return f"{table}\n{counts}" if shown else counts


def queue(options: QueueOptions) -> Generator[Event, None, QueueSummary]:
    """Run the jobs of a queue file one after another.

    Each is a command with its options, in a process of its own. A job that fails does not stop the
    others. What is done is noted beside the file: run again, only what is left is done. Ends with
    a table, and with the exit code 1 if a job failed.

        faceswap queue night.toml
    """
    from faceswap.io.atomic import file_lock
    from faceswap.queue.job_process import run_in_process
    from faceswap.queue.queue_file import read_queue
    from faceswap.queue.queue_run import run_queue
    from faceswap.queue.record import QueueRecord

    file = options.file.absolute()
    queued = read_queue(file, model_of)
    lock = file.with_name(f".{file.name}.lock")
    with file_lock(lock, 0, f"{file} is being run already; wait for that or stop it."):
        states = yield from run_queue(
            queued, QueueRecord(file), lambda job: run_in_process(job, file.parent)
        )
    rows = [
        QueueRow(
            name=one.job.name,
            state=one.state,
            tries=one.tries,
            seconds=one.seconds,
            message=one.message,
        )
        for one in states
    ]
    return QueueSummary(file=file, rows=tuple(rows))


def model_of(command: str) -> type[Options] | None:
    """The options model of a command that can be queued; None where there is none."""
    known = {found.name.replace("_", " ") for found in pkgutil.iter_modules(jobs.__path__)}
    if command not in known or command in _NOT_QUEUED:
        return None
    # One file = one job = one command, all of the same name.
    name = command.replace(" ", "_")
    job = getattr(importlib.import_module(f"faceswap.jobs.{name}"), name)
    model: type[Options] = get_type_hints(job)["options"]
    return model
