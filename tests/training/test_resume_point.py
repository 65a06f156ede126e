from pathlib import Path

import pytest
from line_task import line_loop

from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.training.resume_point import ResumePoint, find_resume_point


def test_a_run_that_was_never_trained_stands_at_its_start(tmp_path: Path) -> None:
    start = find_resume_point(tmp_path / "none")
    assert (start.step, start.seconds, start.problems) == (0, 0.0, ())
    assert start.take() is None


def test_a_run_stands_at_its_newest_checkpoint_which_is_taken_once(tmp_path: Path) -> None:
    loop = line_loop(tmp_path, save_steps=20)
    list(loop.run())
    start = find_resume_point(tmp_path)
    assert (start.step, start.seconds) == (60, loop.state.seconds)
    checkpoint = start.take()
    assert checkpoint is not None
    assert checkpoint.path == CheckpointFolder(tmp_path).path(60)
    assert start.checkpoint is None
    with pytest.raises(ValueError, match="serves one session"):
        start.take()


def test_a_damaged_checkpoint_is_put_aside_by_the_main_process_alone(tmp_path: Path) -> None:
    list(line_loop(tmp_path, save_steps=20).run())
    newest = CheckpointFolder(tmp_path).path(60)
    newest.write_bytes(b"damaged")
    for leads in (False, True):
        start = find_resume_point(tmp_path, leads=leads)
        assert start.step == 40
        assert start.problems[-1] == "Training resumes from step 40."
        assert newest.exists() != leads
    for path in CheckpointFolder(tmp_path).files():
        path.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="can be read"):
        find_resume_point(tmp_path)


def test_it_says_what_it_was_told() -> None:
    assert ResumePoint(None, ["broken"]).problems == ("broken",)
