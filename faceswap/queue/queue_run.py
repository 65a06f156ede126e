"""Run the jobs of a queue in an order that their file allows, and go on after a failed one."""

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Literal

from faceswap.driver import run as run_job
from faceswap.events import Event, Notice, Progress
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.record import Attempt, QueueRecord

_POLL = 0.25  # seconds between looks at the clock while all jobs wait for their time

State = Literal["waiting", "done", "done before", "failed", "left out"]


@dataclass(frozen=True)
class Outcome:
    """How a job ended, and what it said at its end."""

    ok: bool
    message: str


RunJob = Callable[[QueuedJob], Generator[Event, None, Outcome]]
HasRoom = Callable[[QueuedJob, Sequence[QueuedJob]], bool]
"""Whether a job can begin beside those that are running."""


def one_at_a_time(job: QueuedJob, running: Sequence[QueuedJob]) -> bool:
    """Room for a job if none is running."""
    return not running


@dataclass
class JobState:
    """What became of a job. tries: in this run of the queue. seconds: of all of them."""

    job: QueuedJob
    state: State = "waiting"
    message: str = ""
    tries: int = 0
    seconds: float = 0.0


def run_queue(
    jobs: Sequence[QueuedJob], record: QueueRecord, run: RunJob, room: HasRoom = one_at_a_time
) -> Generator[Event, None, list[JobState]]:
    """Run the jobs that are not done, each again as often as it may fail; tells what became of all.

    Raises OutputError when the record cannot be written.
    """
    before = record.done()
    states = {job.name: JobState(job) for job in jobs}
    for state in states.values():
        if (state.job.name, state.job.key) in before:
            state.state = "done before"
    with closing(_Running(run)) as running:
        shown = -1
        while True:
            ended = sum(state.state != "waiting" for state in states.values())
            if ended != shown:
                yield Progress(stage="queue", done=ended, total=len(states), unit="jobs")
                shown = ended
            waiting = [state for state in states.values() if state.state == "waiting"]
            if not waiting:
                return list(states.values())
            if _leave_out(waiting, states):
                continue
            idle = [state for state in waiting if state.job.name not in running.jobs]
            _begin(idle, states, running, room)
            if not running.jobs:
                time.sleep(_POLL)
                continue
            for attempt in running.ended(_POLL):
                yield from _note(states[attempt.job.name], attempt, record)
            yield from running.events()


def _begin(
    idle: Sequence[JobState], states: dict[str, JobState], running: "_Running", room: HasRoom
) -> None:
    ready = [state for state in idle if _can_begin(state, states)]
    # One that failed comes after the others, when what was wrong may have passed.
    at_work = list(running.jobs.values())
    for state in sorted(ready, key=lambda state: (state.tries, state.job.order)):
        if room(state.job, at_work):
            running.begin(state.job)
            at_work.append(state.job)


def _note(state: JobState, ended: "_Ended", record: QueueRecord) -> Iterator[Event]:
    """Note how an attempt ended. Raises OutputError."""
    job, outcome = ended.job, ended.outcome
    state.tries += 1
    state.seconds += ended.seconds
    state.message = outcome.message
    if outcome.ok:
        state.state = "done"
    elif state.tries > job.retries:
        state.state = "failed"
    again = "" if outcome.ok or state.state == "failed" else "; it is tried again"
    record.add(
        Attempt(
            job=job.name,
            key=job.key,
            result="done" if outcome.ok else "failed",
            message=outcome.message,
            begun=ended.begun,
            seconds=ended.seconds,
        )
    )
    if not outcome.ok:
        yield Notice(message=f"{job.name} failed: {outcome.message.rstrip('.')}{again}.")


@dataclass(frozen=True)
class _Ended:
    """An attempt that has ended."""

    job: QueuedJob
    outcome: Outcome
    begun: datetime
    seconds: float


class _StopRequested(Exception):  # noqa: N818  (no error)
    pass


class _Running:
    """The jobs that are running, by name, each in a thread of its own."""

    def __init__(self, run: RunJob) -> None:
        self.jobs: dict[str, QueuedJob] = {}
        self._run = run
        self._threads: list[threading.Thread] = []
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._ends: SimpleQueue[_Ended | BaseException] = SimpleQueue()
        self._stop = threading.Event()

    def begin(self, job: QueuedJob) -> None:
        """Run a job."""
        self.jobs[job.name] = job
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(threading.Thread(target=self._attempt, args=(job,), daemon=True))
        self._threads[-1].start()

    def events(self) -> Iterator[Event]:
        """What the jobs told until now."""
        while not self._events.empty():
            yield self._events.get()

    def ended(self, seconds: float) -> Iterator[_Ended]:
        """Attempts that ended, the first within ``seconds``; raises what a thread raised."""
        try:
            end = self._ends.get(timeout=seconds)
            while True:
                if isinstance(end, BaseException):
                    raise end
                del self.jobs[end.job.name]
                yield end
                end = self._ends.get_nowait()
        except Empty:
            return

    def close(self) -> None:
        """Stop all jobs, and wait until they have saved what they have."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _attempt(self, job: QueuedJob) -> None:
        begun, clock = datetime.now().astimezone(), time.monotonic()

        def tell(event: Event) -> None:
            if self._stop.is_set():
                raise _StopRequested
            if isinstance(event, Progress):
                event = event.model_copy(update={"stage": job.name})
            elif isinstance(event, Notice):
                event = event.model_copy(update={"message": f"{job.name}: {event.message}"})
            self._events.put(event)

        try:
            outcome = run_job(self._run(job), tell)
            self._ends.put(_Ended(job, outcome, begun, time.monotonic() - clock))
        except _StopRequested:
            pass
        except BaseException as error:  # noqa: BLE001  (raised again where the queue is run)
            self._ends.put(error)


def _leave_out(waiting: Sequence[JobState], states: dict[str, JobState]) -> bool:
    """Leave out jobs that wait for one that won't be done; whether there were any."""
    found = False
    for state in waiting:
        lost = [n for n in state.job.after if states[n].state in ("failed", "left out")]
        if lost:
            state.state, state.message = "left out", f"{lost[0]} was not done"
            found = True
    return found


def _can_begin(state: JobState, states: dict[str, JobState]) -> bool:
    job = state.job
    if any(states[name].state not in ("done", "done before") for name in job.after):
        return False
    return job.start_at is None or job.start_at <= datetime.now().astimezone()
