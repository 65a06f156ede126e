"""A job in a process of its own: its events, its end, and what is told of a crash."""

import sys
import time
from pathlib import Path

import psutil
import pytest
from driving import finished

from faceswap.events import Notice, Progress
from faceswap.queue.job_process import run_in_process
from faceswap.queue.queue_file import QueuedJob

PROGRAM = """
import os, signal, sys, time
from faceswap.events import Failed, Finished, Notice, Stopped
def say(line):
    print(line.model_dump_json(), flush=True)
what = sys.argv[1]
say(Notice(message=os.getcwd()))
print("not an event", flush=True)
if what == "well":
    say(Finished(summary={}, text="all well"))
elif what == "badly":
    say(Failed(message="It failed; do this."))
    sys.exit(1)
elif what == "partly":
    say(Finished(summary={}, text="one film failed"))
    sys.exit(1)
elif what == "crash":
    print("what it said last", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
else:
    time.sleep(60)
"""


def command(folder: Path) -> tuple[str, ...]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return (sys.executable, str(program))


def job(what: str) -> QueuedJob:
    return QueuedJob("j", (what,), "key")


@pytest.mark.parametrize(
    ("what", "ok", "said"),
    [
        ("well", True, "all well"),
        ("badly", False, "It failed; do this."),
        ("partly", False, "one film failed"),
    ],
)
def test_a_process_tells_how_it_ended(tmp_path: Path, what: str, ok: bool, said: str) -> None:
    events, outcome = finished(run_in_process(job(what), tmp_path, command(tmp_path)))
    assert (outcome.ok, outcome.message) == (ok, said)
    assert str(tmp_path) in [e.message for e in events if isinstance(e, Notice)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_crash_is_told_with_the_last_words(tmp_path: Path) -> None:
    _, outcome = finished(run_in_process(job("crash"), tmp_path, command(tmp_path)))
    assert not outcome.ok
    assert outcome.message == "The process ended by signal 9: what it said last."
    _, outcome = finished(run_in_process(job("x"), tmp_path, ("no such program",)))
    assert "cannot be started" in outcome.message


def test_a_stopped_queue_leaves_no_process(tmp_path: Path) -> None:
    before = psutil.Process().children()  # such as a virtual screen
    running = run_in_process(job("wait"), tmp_path, command(tmp_path))
    events = [next(running)]
    while not any(isinstance(event, Notice) for event in events):
        events.append(next(running))
    assert all(isinstance(event, Notice | Progress) for event in events)
    children = [one for one in psutil.Process().children() if one not in before]
    assert children
    begun = time.monotonic()
    running.close()
    assert time.monotonic() - begun < 30
    assert not [one for one in children if one.is_running()]
