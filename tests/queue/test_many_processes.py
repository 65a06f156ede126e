"""A thousand real processes, one in ten of which fails; by hand, as it takes a minute."""

import os
import sys
from functools import partial
from pathlib import Path

import pytest
from driving import finished

from faceswap.events import Progress
from faceswap.queue.job_process import run_in_process
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.queue_run import run_queue
from faceswap.queue.record import QueueRecord

# Needs no package of ours: a thousand times the start of one would take half an hour.
PROGRAM = """
import json, os, signal, sys
number = int(sys.argv[1])
with open(f"{number}.ran", "a") as file:
    file.write("x")
if number % 30 == 7:
    os.kill(os.getpid(), signal.SIGKILL)
if number % 30 == 17:
    sys.exit("no luck")
if number % 30 == 27:
    print(json.dumps({"kind": "failed", "message": "It failed."}))
    sys.exit(1)
print(json.dumps({"kind": "finished", "summary": {}, "text": f"{number} is done"}))
"""


@pytest.mark.skipif("FACESWAP_BY_HAND" not in os.environ, reason="by hand: FACESWAP_BY_HAND=1")
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_thousand_processes_of_which_one_in_ten_fails(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    jobs = [QueuedJob(f"{number}", (f"{number}",), f"key {number}") for number in range(1000)]
    record = QueueRecord(tmp_path / "q.toml")
    command = (sys.executable, "-I", "-S", str(program))
    run = partial(run_in_process, folder=tmp_path, command=command)
    # Stopped after four hundred, and begun again.
    running = run_queue(jobs, record, run)
    for event in running:
        if isinstance(event, Progress) and event.unit == "jobs" and event.done >= 400:
            break
    running.close()
    before = {name for name, _ in record.done()}
    assert 350 <= len(before) <= 400
    _, states = finished(run_queue(jobs, record, run))
    kinds = {state.job.name: state.state for state in states}
    for number in range(1000):
        name = f"{number}"
        expected = "failed" if number % 10 == 7 else "done before" if name in before else "done"
        assert kinds[name] == expected
    messages = {state.job.name: state.message for state in states}
    assert messages["997"] == "The process ended by signal 9."
    assert messages["977"] == "The process ended with the exit code 1: no luck."
    assert messages["957"] == "It failed."
    # Nothing was lost, and what is done was done once; the one that was stopped may run again.
    ran = [len((tmp_path / f"{number}.ran").read_text()) for number in range(1000)]
    assert all(ran)
    twice = [number for number, count in enumerate(ran) if count > 1 and number % 10 != 7]
    assert len(twice) <= 1
    assert len(record.done()) == 900
