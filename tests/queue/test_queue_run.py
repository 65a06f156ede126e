"""The order of a queue's jobs, and what becomes of those that fail."""

from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from driving import finished

from faceswap.events import Event, Notice, Progress
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.queue_run import JobState, Outcome, run_queue
from faceswap.queue.record import QueueRecord


def job(name: str, **changes: object) -> QueuedJob:
    return QueuedJob(name, ("none",), f"key of {name}", **changes)  # type: ignore[arg-type]


class Runner:
    """Runs jobs that do nothing; ``ok``: whether a job's n-th try succeeds."""

    def __init__(self, ok: Callable[[str, int], bool] = lambda name, number: True) -> None:
        self.order: list[str] = []
        self._ok = ok

    def __call__(self, job: QueuedJob) -> Generator[Event, None, Outcome]:
        self.order.append(job.name)
        yield Progress(stage="x", done=1)
        ok = self._ok(job.name, self.order.count(job.name))
        return Outcome(ok, "well" if ok else "no luck")


def run(
    folder: Path, jobs: list[QueuedJob], runner: Runner
) -> tuple[list[Event], dict[str, JobState]]:
    events, states = finished(run_queue(jobs, QueueRecord(folder / "q.toml"), runner))
    return events, {state.job.name: state for state in states}


def test_order_and_after_decide(tmp_path: Path) -> None:
    runner = Runner()
    jobs = [job("c", after=("a",), order=-5), job("b", order=2), job("a", order=1), job("d")]
    events, states = run(tmp_path, jobs, runner)
    assert runner.order == ["d", "a", "c", "b"]
    assert {state.state for state in states.values()} == {"done"}
    assert any(isinstance(e, Progress) and e.stage == "c" for e in events)
    assert [e.done for e in events if isinstance(e, Progress) and e.unit == "jobs"] == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_a_failed_job_is_tried_again_after_the_others(tmp_path: Path) -> None:
    runner = Runner(lambda name, number: name != "a" or number == 3)
    _, states = run(tmp_path, [job("a", retries=2), job("b"), job("c", after=("a",))], runner)
    assert runner.order == ["a", "b", "a", "a", "c"]
    assert states["a"].state == "done"
    assert states["a"].tries == 3


def test_what_waits_for_a_failed_job_is_left_out_and_the_rest_is_done(tmp_path: Path) -> None:
    runner = Runner(lambda name, number: name != "a")
    jobs = [job("a"), job("b", after=("a",)), job("c", after=("b",)), job("d")]
    events, states = run(tmp_path, jobs, runner)
    assert [states[name].state for name in "abcd"] == ["failed", "left out", "left out", "done"]
    assert states["b"].message == "a was not done"
    assert any(isinstance(e, Notice) and "a failed: no luck." in e.message for e in events)
    # The next time only what is left is tried.
    again = Runner()
    _, states = run(tmp_path, jobs, again)
    assert again.order == ["a", "b", "c"]
    assert states["d"].state == "done before"


def test_a_job_is_not_begun_before_its_time(tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    jobs = [job("later", start_at=now + timedelta(seconds=0.6)), job("past", start_at=now)]
    runner = Runner()
    run(tmp_path, jobs, runner)
    assert runner.order == ["past", "later"]
    assert datetime.now().astimezone() >= now + timedelta(seconds=0.6)


def test_a_thousand_jobs_of_which_one_in_ten_fails(tmp_path: Path) -> None:
    jobs = [
        job(f"{number}", after=(f"{number - 1}",) if number % 10 == 5 else ())
        for number in range(1000)
    ]
    runner = Runner(lambda name, number: name[-1] != "7")
    stops_at = 400

    class StoppedError(Exception):
        pass

    def killed(one: QueuedJob) -> Generator[Event, None, Outcome]:
        if len(runner.order) == stops_at:
            raise StoppedError
        return runner(one)

    with pytest.raises(StoppedError):
        run(tmp_path, jobs, killed)  # type: ignore[arg-type]
    record = QueueRecord(tmp_path / "q.toml")
    with open(record.path, "ab") as file:
        file.write(b'{"job": "torn')  # as a killed process leaves it
    _, states = run(tmp_path, jobs, runner)
    count = {
        kind: sum(state.state == kind for state in states.values())
        for kind in ("done", "done before", "failed", "left out")
    }
    before = len({name for name in runner.order[:stops_at] if name[-1] != "7"})
    assert count == {"done": 900 - before, "done before": before, "failed": 100, "left out": 0}
    assert len([n for n in runner.order if n[-1] != "7"]) == 900  # none was done twice
    assert len(record.done()) == 900
