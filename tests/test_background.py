"""Work beside a job that goes on answering: signs of life, results, errors, and being deserted."""

import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from driving import finished
from gates import Gate, heard

from faceswap import background
from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    WorkCancelled,
    generator_in_background,
    import_in_background,
    in_background,
    uninterruptible,
)
from faceswap.errors import InputError
from faceswap.events import Event, Notice, Progress


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HEARTBEAT_SECONDS", 0.01)


def test_work_that_is_over_at_once_is_not_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HEARTBEAT_SECONDS", 20.0)
    assert finished(in_background("add", lambda _: 1 + 1)) == ([], 2)


def test_while_it_works_it_says_how_far_it_is() -> None:
    gate = Gate()

    def work(report: ProgressReporter) -> str:
        for number in range(5):
            report(number, 5)
            gate.arrive()
        report.begin("more", "apples")
        gate.open()
        return "done"

    events, made = heard(in_background("work", work, "pears"), gate)
    assert made == "done"
    told = [event for event in events if isinstance(event, Progress)]
    assert {(e.stage, e.unit, e.total) for e in told[:3]} == {("work", "pears", 5)}
    assert {0, 1, 2} <= {e.done for e in told}


def test_of_what_was_told_the_end_is_told_too() -> None:
    shown, over = threading.Event(), threading.Event()

    def work(report: ProgressReporter) -> None:
        report(7, 8)
        shown.wait(20)
        report.begin("more", "apples")
        over.wait(20)

    told: list[tuple[str, float, float | None]] = []
    for event in in_background("work", work):
        assert isinstance(event, Progress)
        told.append((event.stage, event.done, event.total))
        (over if event.stage == "more" else shown).set()
    assert told[0] == ("work", 7, 8)
    assert ("work", 8, 8) in told
    assert told[-1] == ("more", 0, 0)


def test_what_goes_wrong_there_goes_wrong_here() -> None:
    def work(_: ProgressReporter) -> None:
        raise InputError("no such file")

    with pytest.raises(InputError, match="no such file"):
        finished(in_background("work", work))

    def asked(_: ProgressReporter) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finished(in_background("work", asked))


def test_work_ends_at_its_next_report_when_the_job_is_closed() -> None:
    done: list[int] = []
    ended = threading.Event()

    def work(report: ProgressReporter) -> None:
        try:
            for number in range(10**9):
                report(number)
                done.append(number)
        finally:
            ended.set()

    job = in_background("work", work)
    next(job)
    job.close()
    assert ended.is_set()
    assert not background.any_left_running()


def test_what_must_be_whole_is_waited_for_and_what_cannot_end_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait, ended = threading.Event(), threading.Event()

    def work(_: ProgressReporter) -> None:
        with uninterruptible():
            wait.wait(20)
        ended.set()

    job = in_background("work", work)
    next(job)
    monkeypatch.setattr(background, "GRACE_SECONDS", 0.1)
    timer = threading.Timer(3 * background.GRACE_SECONDS, wait.set)
    timer.start()
    job.close()
    assert ended.is_set()
    timer.join()
    # Asked a second time, it does not wait, and knows of what goes on.
    hold = threading.Event()

    def held(_: ProgressReporter) -> None:
        with uninterruptible():
            hold.wait(20)

    twice = in_background("work", held)
    next(twice)

    def pressed(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "join", lambda thread, seconds=None: pressed(0.0))
        with pytest.raises(KeyboardInterrupt):
            twice.close()
    assert background.any_left_running()
    hold.set()
    while background.any_left_running():
        pass
    stuck = threading.Event()
    deaf = in_background("work", lambda _: stuck.wait(20))
    next(deaf)
    deaf.close()
    assert background.any_left_running()
    stuck.set()
    while background.any_left_running():
        pass


def steps(report: ProgressReporter) -> Generator[Event, None, int]:
    try:
        for number in range(4):
            yield Notice(message=str(number))
        return 4
    finally:
        closed.append(threading.current_thread().name)


closed: list[str] = []


def test_a_job_in_another_thread_stands_still_between_its_events() -> None:
    closed.clear()
    job = generator_in_background("steps", steps)
    seen = [event.message for event in job if isinstance(event, Notice)]
    assert seen == ["0", "1", "2", "3"]
    assert closed == ["steps"]
    begun: list[int] = []

    def slow(_: ProgressReporter) -> Generator[Event, None, None]:
        for number in range(3):
            begun.append(number)
            yield Notice(message=str(number))

    half = generator_in_background("slow", slow)
    while not isinstance(next(half), Notice):
        pass
    assert begun == [0]
    half.close()
    assert begun == [0]


def test_what_fails_while_it_is_closed_is_told() -> None:
    def job(_: ProgressReporter) -> Generator[Event, None, None]:
        try:
            while True:
                yield Notice(message="on")
        finally:
            raise InputError("the last save failed")

    running = generator_in_background("job", job)
    next(running)
    with pytest.raises(InputError, match="the last save failed"):
        running.close()


def test_parts_are_waited_for_in_one_thread() -> None:
    gate, alive = Gate(1), Notice(message="alive")
    with BackgroundWorker(lambda: alive) as paced:
        assert heard(paced(gate.arrive), gate)[0]
        where = {finished(paced(threading.get_ident))[1] for _ in range(3)}
        assert len(where) == 1
        assert where != {threading.get_ident()}
    assert not background.any_left_running()
    with BackgroundWorker(lambda: alive) as paced:
        with pytest.raises(ZeroDivisionError):
            finished(paced(lambda: 1 // 0))
        assert finished(paced(lambda: 1)) == ([], 1)


def test_a_library_that_is_missing_is_said_as_python_says_it() -> None:
    finished(import_in_background("load", "json", "email.message"))
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        finished(import_in_background("load", "no_such_library"))


def test_nothing_catches_that_work_is_deserted() -> None:
    assert not issubclass(WorkCancelled, Exception)


STOPPED = """
import sys, threading, time
from faceswap import __main__, background, cli
from faceswap.events import Progress, Summary
from faceswap.options import Options
class Nothing(Options):
    pass
class Done(Summary):
    pass
def deaf(options: Nothing):
    "Can't be broken off."
    print("begun", flush=True)
    yield from background.in_background("deaf", lambda _: time.sleep(60))
    return Done()
deaf.__annotations__["return"] = object
cli.JOBS = {"deaf": deaf}
sys.argv = ["faceswap", "deaf"]
__main__.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends the signals of Unix")
def test_a_process_ends_with_its_code_whatever_goes_on_in_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "Stopped" in errors
