"""Run the jobs of a queue in an order that their file allows, and go on after a failed one."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from faceswap.driver import forward
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


@dataclass
class JobState:
    """What became of a job. tries: in this run of the queue. seconds: of all of them."""

    job: QueuedJob
    state: State = "waiting"
    message: str = ""
    tries: int = 0
    seconds: float = 0.0


def run_queue(
    jobs: Sequence[QueuedJob], record: QueueRecord, run: RunJob
) -> Generator[Event, None, list[JobState]]:
    """Run the jobs that are not done, each again as often as it may fail; tells what became of all.

    Raises OutputError when the record cannot be written.
    """
    before = record.done()
    states = {job.name: JobState(job) for job in jobs}
    for state in states.values():
        if (state.job.name, state.job.key) in before:
            state.state = "done before"
    while True:
        ended = sum(state.state != "waiting" for state in states.values())
        yield Progress(stage="queue", done=ended, total=len(states), unit="jobs")
        waiting = [state for state in states.values() if state.state == "waiting"]
        if not waiting:
            return list(states.values())
        if _leave_out(waiting, states):
            continue
        ready = [state for state in waiting if _can_begin(state, states)]
        if not ready:
            time.sleep(_POLL)
            continue
        # One that failed comes after the others, when what was wrong may have passed.
        chosen = min(ready, key=lambda state: (state.tries, state.job.order))
        yield from _attempt(chosen, record, run)


def _attempt(state: JobState, record: QueueRecord, run: RunJob) -> Generator[Event, None, None]:
    job, begun, clock = state.job, datetime.now().astimezone(), time.monotonic()

    def named(event: Event) -> Iterator[Event]:
        if isinstance(event, Progress):
            event = event.model_copy(update={"stage": job.name})
        elif isinstance(event, Notice):
            event = event.model_copy(update={"message": f"{job.name}: {event.message}"})
        yield event

    outcome = yield from forward(run(job), named)
    seconds = time.monotonic() - clock
    state.tries += 1
    state.seconds += seconds
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
            begun=begun,
            seconds=seconds,
        )
    )
    if not outcome.ok:
        yield Notice(message=f"{job.name} failed: {outcome.message.rstrip('.')}{again}.")


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
