"""Run the jobs of a queue file one after another."""

import importlib
import pkgutil
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceswap import jobs
from faceswap.events import Event, Summary
from faceswap.options import Options, Presentation, RayAddress, WorkersPerNode

if TYPE_CHECKING:
    from faceswap.queue.queue_file import QueuedJob
    from faceswap.queue.queue_run import JobState

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
    ray: RayAddress = None
    workers_per_node: WorkersPerNode = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.workers_per_node is not None and self.ray is None:
            raise ValueError("--workers-per-node is for a farm; give --ray, too")
        return self


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
    a table, and with the exit code 1 if a job failed. With --ray the jobs run on the machines of a
    Ray cluster, several at a time.

        faceswap queue night.toml
    """
    from faceswap.io.atomic import file_lock
    from faceswap.queue.queue_file import read_queue

    file = options.file.absolute()
    queued = read_queue(file, model_of)
    lock = file.with_name(f".{file.name}.lock")
    with file_lock(lock, 0, f"{file} is being run already; wait for that or stop it."):
        states = yield from _run(options, file, queued)
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


def _run(
    options: QueueOptions, file: Path, queued: "list[QueuedJob]"
) -> "Generator[Event, None, list[JobState]]":
    from faceswap.queue.job_process import run_in_process
    from faceswap.queue.queue_run import run_queue
    from faceswap.queue.record import QueueRecord

    if options.ray is None:
        run = partial(run_in_process, folder=file.parent)
        return (yield from run_queue(queued, QueueRecord(file), run))
    from faceswap.background import import_in_background, in_background

    yield from import_in_background("farm", "faceswap.farm.job_farm", "faceswap.farm.ray_cluster")
    from faceswap.farm.job_farm import JobFarm
    from faceswap.farm.ray_cluster import RayCluster

    address, per_node = options.ray, options.workers_per_node
    cluster = yield from in_background("farm", lambda _: RayCluster(address, per_node))
    with closing(cluster):
        shared = ["--ray", cluster.address]
        if per_node is not None:
            shared += ["--workers-per-node", str(per_node)]
        farm = JobFarm(cluster, file, shared)
        return (yield from run_queue(queued, QueueRecord(file), farm.run, farm.room))


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
