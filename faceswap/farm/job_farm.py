"""Run the jobs of a queue on a farm: each on a worker, conversions on all that are free."""

import hashlib
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from faceswap.events import Event, Failed, Finished, Line, Notice, Progress, Stopped, parse
from faceswap.farm.cluster import Cluster, Lost, RemoteWorker, Slot
from faceswap.farm.crew import WAIT, version_problem
from faceswap.farm.orders import Greeting, JobEnded, JobOrder
from faceswap.queue.job_process import run_in_process
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.queue_run import Outcome

_MOST_LOSSES = 3
_LOOK_EVERY = 2.0  # seconds between looks at which machines there are
_GRACE = 75.0  # seconds: a little more than a worker gives its job


class JobFarm:
    """Runs jobs of the queue file ``queue`` on ``cluster``.

    shared: options of a conversion by which it finds the same cluster.
    """

    def __init__(self, cluster: Cluster, queue: Path, shared: Sequence[str]) -> None:
        self._cluster, self._queue, self._shared = cluster, queue, tuple(shared)
        self._digest = hashlib.sha256(queue.read_bytes()).hexdigest()
        self._lock = threading.Lock()
        self._taken: set[Slot] = set()
        self._left: dict[Slot, str] = {}
        self._slots: list[Slot] = []
        self._looked: float | None = None

    def room(self, job: QueuedJob, running: Sequence[QueuedJob]) -> bool:
        """Whether a job may begin beside others: one film at a time, which all workers share."""
        if _is_film(job):
            return not any(map(_is_film, running))
        others = sum(not _is_film(one) for one in running)
        return others < max(1, len(self._usable()))

    def run(self, job: QueuedJob) -> Generator[Event, None, Outcome]:
        """Run a job; one whose worker is lost is run again, and goes on where it was."""
        if _is_film(job):
            shared = () if "--ray" in job.arguments else self._shared
            arguments = (*job.arguments, *shared)
            return (
                yield from run_in_process(replace(job, arguments=arguments), self._queue.parent)
            )
        losses = 0
        while True:
            slot = yield from self._free_slot(job)
            if slot is None:
                return Outcome(False, f"No worker can be used: {next(iter(self._left.values()))}")
            try:
                ended = yield from self._on(slot, job)
            finally:
                with self._lock:
                    self._taken.discard(slot)
            if isinstance(ended, Outcome):
                return ended
            if isinstance(ended, Lost):
                losses += 1
                if losses == _MOST_LOSSES:
                    return Outcome(False, f"Its worker was lost {losses} times: {ended.reason}")
                yield Notice(message=f"its worker on {slot.host} was lost, and it is run again.")
            else:
                yield Notice(message=f"The worker on {slot.host} is not used: {ended}")
                with self._lock:
                    self._left[slot] = ended

    def _usable(self) -> list[Slot]:
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked > _LOOK_EVERY:
                self._slots, self._looked = self._cluster.slots(), time.monotonic()
            return [slot for slot in self._slots if slot not in self._left]

    def _free_slot(self, job: QueuedJob) -> Generator[Event, None, Slot | None]:
        """A place for a worker, taken; None where all are left."""
        while True:
            usable = self._usable()
            with self._lock:
                free = [slot for slot in usable if slot not in self._taken]
                if free:
                    self._taken.add(free[0])
                    return free[0]
            if self._left and not usable:
                return None
            yield Progress(stage=job.name, done=0)
            time.sleep(WAIT)

    def _on(self, slot: Slot, job: QueuedJob) -> Generator[Event, None, Outcome | Lost | str]:
        """Run a job on a new worker: how it ended, or why the worker cannot be used."""
        remote = self._cluster.start(slot)
        remote.ask("hello")
        begun = False
        try:
            while True:
                answer = self._answer(remote)
                if answer is None:
                    yield Progress(stage=job.name, done=0)
                elif isinstance(answer, Lost):
                    begun = False
                    return answer
                elif isinstance(answer, str):
                    if (
                        problem := version_problem(Greeting.model_validate_json(answer))
                    ) is not None:
                        return problem
                    remote.ask("begin", self._order(job).model_dump_json())
                    begun = True
                else:
                    for line in answer:
                        if isinstance(line, Finished | Failed | Stopped):
                            begun = False
                            return _end_of(line)
                        yield line
                    remote.ask("told")
        finally:
            if begun:
                self._stop(remote)
            remote.end()

    def _answer(self, remote: RemoteWorker) -> "Lost | str | list[Line] | None":
        """What a worker answers within a moment."""
        for _, answer in self._cluster.answers([remote], WAIT):
            if isinstance(answer, list):
                return [parse(line) for line in answer]
            assert isinstance(answer, Lost | str)
            return answer
        return None

    def _order(self, job: QueuedJob) -> JobOrder:
        return JobOrder(
            name=job.name,
            arguments=job.arguments,
            folder=self._queue.parent,
            queue=self._queue,
            digest=self._digest,
        )

    def _stop(self, remote: RemoteWorker) -> None:
        """Ask a worker's job to stop, which saves what it has."""
        deadline, method = time.monotonic() + _GRACE, "stop"
        while time.monotonic() < deadline:
            if not remote.asked:
                remote.ask(method)
                method = "told"
            answer = self._answer(remote)
            if isinstance(answer, Lost):
                return
            if any(isinstance(line, Finished | Failed | Stopped) for line in answer or ()):
                return


def _is_film(job: QueuedJob) -> bool:
    return job.arguments[0] == "convert"


def _end_of(line: Finished | Failed | Stopped) -> Outcome | str:
    if isinstance(line, Failed):
        return line.message
    if isinstance(line, Stopped):
        return Outcome(False, "It was stopped.")
    ended = JobEnded.model_validate(line.summary)
    return Outcome(ended.ok, ended.message)
