"""A queue's jobs on the workers of a farm."""

import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from driving import finished
from thread_cluster import ThreadCluster

from faceswap.events import Event, Notice, Progress
from faceswap.farm import job_farm, worker
from faceswap.farm.job_farm import JobFarm
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.queue_run import JobState, Outcome, run_queue
from faceswap.queue.record import QueueRecord


class Ran:
    """Stands in for processes: what was run, and how many at a time."""

    def __init__(self) -> None:
        self.arguments: list[tuple[str, ...]] = []
        self.most = self._now = 0
        self.wanted = 1  # jobs wait until so many have run at a time
        self.closed: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, job: QueuedJob, folder: Path) -> Generator[Event, None, Outcome]:
        with self._lock:
            self.arguments.append(job.arguments)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                time.sleep(0.02)
                yield Progress(stage="x", done=1)
                if job.arguments[0] != "wait" and self.most >= self.wanted:
                    break
        except GeneratorExit:
            self.closed.append(job.name)
            raise
        finally:
            with self._lock:
                self._now -= 1
        return Outcome(job.arguments[-1] != "fails", f"{folder}")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    processes = Ran()
    monkeypatch.setattr(worker, "run_in_process", processes)
    monkeypatch.setattr(job_farm, "run_in_process", processes)
    return processes


def job(name: str, *arguments: str) -> QueuedJob:
    return QueuedJob(name, arguments or ("models",), f"key of {name}")


def run(
    folder: Path, jobs: list[QueuedJob], cluster: ThreadCluster
) -> tuple[list[Event], dict[str, JobState]]:
    file = folder / "q.toml"
    file.write_text("jobs")
    farm = JobFarm(cluster, file, ["--ray", "threads"])
    events, states = finished(run_queue(jobs, QueueRecord(file), farm.run, farm.room))
    return events, {state.job.name: state for state in states}


def test_jobs_run_at_a_time_as_there_are_workers(tmp_path: Path, ran: Ran) -> None:
    jobs = [job(f"{n}", "models", *(["fails"] if n == 3 else [])) for n in range(8)]
    ran.wanted = 3
    events, states = run(tmp_path, jobs, ThreadCluster(["one", "two", "three"]))
    assert ran.most == 3
    assert len(ran.arguments) == 8
    assert [name for name, state in states.items() if state.state != "done"] == ["3"]
    assert states["0"].message == str(tmp_path)
    assert any(isinstance(e, Notice) and e.message.startswith("3 failed") for e in events)
    assert [e.done for e in events if isinstance(e, Progress) and e.unit == "jobs"][-1] == 8


def test_films_are_converted_one_at_a_time_by_all_workers(tmp_path: Path, ran: Ran) -> None:
    jobs = [job("1", "convert", "--project", "P"), job("2", "convert", "--ray", "elsewhere")]
    _, states = run(tmp_path, jobs, cluster := ThreadCluster(["one"]))
    assert ran.most == 1
    assert ran.arguments[0] == ("convert", "--project", "P", "--ray", "threads")
    assert ran.arguments[1] == ("convert", "--ray", "elsewhere")
    assert cluster.started == []  # the conversion's own process asks for workers
    assert {state.state for state in states.values()} == {"done"}


def test_a_job_whose_worker_is_lost_is_run_again(tmp_path: Path, ran: Ran) -> None:
    cluster = ThreadCluster(["one"], [lambda method, _: method == "told"])
    events, states = run(tmp_path, [job("a")], cluster)
    assert states["a"].state == "done"
    assert states["a"].tries == 1
    assert any(
        isinstance(e, Notice) and "one was lost, and it is run again" in e.message for e in events
    )
    always = ThreadCluster(["one"], [lambda method, _: method == "told"] * 3)
    _, states = run(tmp_path, [job("b")], always)
    assert states["b"].message.startswith("Its worker was lost 3 times")


def test_a_worker_that_cannot_be_used_is_told_and_left(tmp_path: Path, ran: Ran) -> None:
    class Other(worker.Worker):
        version = "0.0.1"

    cluster = ThreadCluster(["one"])
    cluster.kind = Other
    events, states = run(tmp_path, [job("a")], cluster)
    assert states["a"].state == "failed"
    assert "it has faceswap 0.0.1" in states["a"].message
    assert any(isinstance(e, Notice) and "on one is not used" in e.message for e in events)

    file = tmp_path / "other.toml"
    file.write_text("jobs")
    farm = JobFarm(ThreadCluster(["one"]), file, [])
    file.write_text("another machine's")
    _, outcome = finished(farm.run(job("a")))
    assert f"it does not see {file} as it is" in outcome.message
    assert ran.arguments == []


def test_a_stopped_queue_asks_its_jobs_to_stop(tmp_path: Path, ran: Ran) -> None:
    file = tmp_path / "q.toml"
    file.write_text("jobs")
    farm = JobFarm(ThreadCluster(["one", "two"]), file, [])
    jobs = [job("a", "wait"), job("b", "wait")]
    running = run_queue(jobs, QueueRecord(file), farm.run, farm.room)
    for _ in running:
        if len(ran.arguments) == 2:
            break
    running.close()
    assert sorted(ran.closed) == ["a", "b"]
    assert QueueRecord(file).attempts() == []
