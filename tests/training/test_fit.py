"""What drives a run of training: where it begins, what it returns, what it leaves to its caller."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import finished
from line_task import Line
from torch import nn

from faceswap import run
from faceswap.errors import CheckpointError, ProjectError
from faceswap.events import Event, Notice, Saved
from faceswap.training.checkpoint import CheckpointFolder, newest_checkpoint, read_checkpoint
from faceswap.training.fit import FitResult, Session, fit
from faceswap.training.job_mark import mark_job_start
from faceswap.training.resume_point import find_resume_point
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_lock import lock_run
from faceswap.training.searches import Searches
from faceswap.training.state import LoopConfig

CONFIG = LoopConfig(
    steps=60, batch_size=8, learning_rate=0.05, precision="fp32", measure="likeness"
)


def line(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(3, 4, bias=False)


def identity(folder: Path, **changes: Any) -> RunIdentity:
    return RunIdentity(folder, "line", {"sides": 4}, **changes)


def fitted(folder: Path, session: Session | None = None, **changes: Any) -> FitResult:
    config = replace(CONFIG, **changes)
    return run(fit(Line(), line(), config, identity(folder), session=session or Session()))


def messages(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def test_the_result_tells_all_of_the_run(tmp_path: Path) -> None:
    result = fitted(tmp_path)
    assert (result.step, result.skipped) == (60, 0)
    assert result.checkpoint == newest_checkpoint(tmp_path)
    saved = read_checkpoint(result.checkpoint)
    assert (saved.kind, saved.config) == ("line", {"sides": 4})
    assert saved.metadata["seconds"] == result.seconds > 0
    assert result.samples_per_second == pytest.approx(60 * 8 / result.seconds)
    assert result.metrics["likeness"] == 1 - result.metrics["error"] > 0.5
    assert result.trend == "too early to tell"
    weights = result.model.state_dict()
    assert all(torch.equal(weights[n], v) for n, v in saved.tensors_under("ema").items())


def test_a_run_is_gone_on_with_unasked_and_its_speed_is_that_of_the_session(
    tmp_path: Path,
) -> None:
    first, second = fitted(tmp_path, steps=20), fitted(tmp_path)
    assert (first.step, second.step) == (20, 60)
    assert second.seconds > first.seconds
    spent = second.seconds - first.seconds
    assert second.samples_per_second == pytest.approx(40 * 8 / spent)
    for result in (first, second):
        assert result.checkpoint.name == f"step-{result.step:09d}.safetensors"


def test_what_was_lost_of_a_run_is_told(tmp_path: Path) -> None:
    fitted(tmp_path, save_steps=20)
    newest_checkpoint(tmp_path).write_bytes(b"damaged")
    events, result = finished(fit(Line(), line(), CONFIG, identity(tmp_path)))
    assert result.step == 60
    assert "step-000000060" in messages(events)[0]
    assert messages(events)[1] == "Training resumes from step 40."


def test_the_callers_look_at_the_run_is_not_taken_again_and_not_kept(tmp_path: Path) -> None:
    fitted(tmp_path, steps=20)
    start = find_resume_point(tmp_path)
    assert (start.step, start.problems) == (20, ())
    result = fitted(tmp_path, Session(start), steps=30)
    assert result.step == 30
    assert start.checkpoint is None  # it maps a file that saves delete
    assert start.step == 20
    with pytest.raises(ValueError, match="serves one session"):  # it would begin from nothing
        fitted(tmp_path, Session(start), steps=40)
    assert newest_checkpoint(tmp_path) == result.checkpoint


def test_a_run_is_locked_while_it_is_trained(tmp_path: Path) -> None:
    refused: list[str] = []

    def again(event: Event) -> None:
        if isinstance(event, Saved):
            with pytest.raises(ProjectError, match="is being trained already") as error:
                fitted(tmp_path)
            refused.append(str(error.value))

    run(fit(Line(), line(), replace(CONFIG, save_steps=30), identity(tmp_path)), again)
    assert len(refused) == 2
    with lock_run(tmp_path):  # whoever found out where the run stands has locked it
        assert fitted(tmp_path, Session(find_resume_point(tmp_path)), steps=70).step == 70


def test_another_model_than_the_runs_is_refused(tmp_path: Path) -> None:
    fitted(tmp_path)
    before = newest_checkpoint(tmp_path).read_bytes()
    with pytest.raises(CheckpointError, match="another architecture"):
        run(fit(Line(), nn.Linear(5, 5), CONFIG, identity(tmp_path)))
    assert newest_checkpoint(tmp_path).read_bytes() == before


def test_what_searches_find_is_stored_and_gone_on_with(tmp_path: Path) -> None:
    events, _ = finished(
        fit(
            Line(),
            line(),
            replace(CONFIG, learning_rate=1e-6),
            identity(tmp_path),
            session=Session(searches=Searches(batch=True, rate=True)),
        )
    )
    assert [text.split(" is ")[0] for text in messages(events)] == [
        "The batch size",
        "The learning rate",
    ]
    found = read_checkpoint(newest_checkpoint(tmp_path)).metadata["notes"]["found"]
    assert found.keys() == {"batch", "rate"}
    # What was found is not searched for again; what no longer holds is left out by the caller.
    task = Line()
    session = Session(searches=Searches(batch=True, rate=True, found={"batch": 4, "rate": 0.01}))
    config = replace(CONFIG, steps=80, warmup=1)
    events, result = finished(fit(task, line(), config, identity(tmp_path), session=session))
    assert messages(events) == []
    assert {*task.sizes} == {4}
    assert result.step == 80
    saved = read_checkpoint(newest_checkpoint(tmp_path)).metadata["notes"]
    assert saved["found"] == {"batch": 4, "rate": 0.01}


def test_what_a_run_is_begun_with_is_stored_and_the_last_word_holds(tmp_path: Path) -> None:
    for steps, told in ((20, {"warp": 1}), (40, {"warp": 2})):
        given = identity(tmp_path, options=told, losses={"l1": 1})
        run(fit(Line(), line(), replace(CONFIG, steps=steps), given))
    notes = read_checkpoint(newest_checkpoint(tmp_path)).metadata["notes"]
    assert (notes["begun"], notes["losses"]) == ({"warp": 2}, {"l1": 1})


def test_a_finished_part_of_a_larger_job_is_not_trained_again(tmp_path: Path) -> None:
    begun_at = mark_job_start(tmp_path, 0, 0.0)
    fitted(tmp_path, Session(begun_at=begun_at), steps=None, minutes=0.002)
    again = fitted(tmp_path, Session(begun_at=begun_at), steps=None, minutes=0.002)
    newest = CheckpointFolder(tmp_path).steps()[-1]
    assert (again.step, again.samples_per_second) == (newest, 0)
    assert fitted(tmp_path, steps=None, minutes=0.002).step > newest


def test_a_closed_run_is_saved(tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Saved):
            raise KeyboardInterrupt

    config = replace(CONFIG, save_steps=10)
    with pytest.raises(KeyboardInterrupt):
        run(fit(Line(), line(), config, identity(tmp_path)), stop)
    assert newest_checkpoint(tmp_path).name == "step-000000010.safetensors"
    assert fitted(tmp_path).step == 60


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from faceswap import run
from faceswap.events import Saved
from faceswap.training.fit import fit
from line_task import Line
from test_fit import CONFIG, identity, line
from dataclasses import replace

def kill(event):
    if isinstance(event, Saved) and "30" in event.path.name:
        os.kill(os.getpid(), signal.SIGKILL)

run(fit(Line(), line(), replace(CONFIG, save_steps=10), identity(Path(sys.argv[1]))), kill)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_run_ends_as_one_that_was_not(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests.parents[1]), str(tests.parent / "support"), str(tests)])
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tmp_path / "killed"), str(tests)],
        env=os.environ | {"PYTHONPATH": paths},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert newest_checkpoint(tmp_path / "killed").name == "step-000000030.safetensors"
    assert fitted(tmp_path / "killed", save_steps=10).step == 60
    fitted(tmp_path / "whole", save_steps=10)
    a, b = (
        read_checkpoint(newest_checkpoint(tmp_path / name)).tensors for name in ("killed", "whole")
    )
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
