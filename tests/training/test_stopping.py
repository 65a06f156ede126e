"""Runs that are asked to stop, at any moment, go on as if they had not been."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from line_task import Line, line_loop, resumed

from faceswap.training.checkpoint import CheckpointFolder, newest_checkpoint, read_checkpoint
from faceswap.training.signals import defer_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends the signals of Unix")


@pytest.fixture(autouse=True)
def _heeds_ctrl_c() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so does all it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


STEPS = 3000
RUN = """
import sys
from pathlib import Path
from line_task import line_loop, resumed
folder = Path(sys.argv[1])
begun = any(folder.glob("step-*"))
loop = (resumed if begun else line_loop)(folder, steps=int(sys.argv[2]), compile="off")
run = loop.run()
first = loop.state.step
try:
    for _ in run:
        if first < loop.state.step:  # there is something to lose
            print("begun", flush=True)
            first = loop.state.step + 10**9
except KeyboardInterrupt:
    sys.exit(130)
finally:
    run.close()
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(STEPS)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1] / "support",
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_ctrl_c_at_any_moment_changes_nothing_of_what_is_learnt(tmp_path: Path) -> None:
    whole = line_loop(tmp_path / "whole", steps=STEPS)
    list(whole.run())
    chance, parts, stopped = random.Random(3), tmp_path / "parts", 0
    for _ in range(4):
        process = start(parts)
        assert process.stdout is not None
        process.stdout.readline()  # that it has begun, or nothing where no step was left
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        stopped += process.wait(timeout=60) == 130
    list(resumed(parts, steps=STEPS).run())
    assert stopped >= 2
    a, b = (read_checkpoint(newest_checkpoint(f)).tensors for f in (tmp_path / "whole", parts))
    assert a.keys() == b.keys()
    assert [name for name, value in a.items() if not torch.equal(value, b[name])] == []


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # Python looks at signals between two of its own instructions


def test_a_request_waits_for_the_end_and_a_second_one_does_not() -> None:
    done = []

    def asked_once() -> None:
        with defer_signals():
            interrupt()
            done.append("asked once")

    def asked_twice() -> None:
        with defer_signals():
            interrupt()
            done.append("asked twice")
            interrupt()
            done.append("never")

    for asked in (asked_once, asked_twice):
        with pytest.raises(KeyboardInterrupt):
            asked()
    assert done == ["asked once", "asked twice"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_holds_back_inside_of_what_does_waits_for_both() -> None:
    done = []

    def asked() -> None:
        with defer_signals():
            with defer_signals():
                interrupt()
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        asked()
    assert done == ["inner", "outer"]


def test_other_threads_have_nothing_to_hold_back() -> None:
    done = []

    def work() -> None:
        with defer_signals():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_a_step_broken_off_before_it_changes_anything_leaves_the_one_before(
    tmp_path: Path,
) -> None:
    task = Line()

    def stop(call: int, found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if call == 31:
            raise KeyboardInterrupt
        return found

    task.disturb = stop
    with pytest.raises(KeyboardInterrupt):
        list(line_loop(tmp_path / "parts", task).run())
    assert CheckpointFolder(tmp_path / "parts").steps() == [30]
    list(resumed(tmp_path / "parts").run())
    list(line_loop(tmp_path / "whole").run())
    a, b = (read_checkpoint(newest_checkpoint(tmp_path / n)).tensors for n in ("whole", "parts"))
    assert [name for name, value in a.items() if not torch.equal(value, b[name])] == []


def test_a_step_broken_off_while_it_changes_the_weights_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = line_loop(tmp_path, save_steps=20)
    step = loop.state.optimiser.step

    def broken() -> None:
        step()
        if loop.state.step == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop.state.optimiser, "step", broken)
    with pytest.raises(KeyboardInterrupt):
        list(loop.run())
    assert CheckpointFolder(tmp_path).steps() == [20]
