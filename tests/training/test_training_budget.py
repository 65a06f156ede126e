"""A stop changes nothing of how long a run trains, nor of its rate and distortion on the way."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from line_task import Line, line_loop, resumed
from torch import Tensor, nn

from faceswap.errors import CheckpointError
from faceswap.events import Notice, Progress
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.job_mark import (
    JobStart,
    clear_job_mark,
    has_unfinished_job,
    job_output,
    mark_job_start,
    set_job_output,
)
from faceswap.training.loop import TrainingLoop
from faceswap.training.training_budget import (
    KEY,
    BudgetRequest,
    TrainingBudget,
    next_budget,
    stored_budget,
)

SIX = TrainingBudget(first=100, since=60.0, minutes=6, steps=None)


def noted(stretch: TrainingBudget | None) -> dict[str, Any]:
    return {KEY: None if stretch is None else stretch.model_dump(mode="json")}


def test_progress_is_that_of_the_end_that_comes_first() -> None:
    both = TrainingBudget(first=100, since=60.0, minutes=6, steps=200)
    assert SIX.progress(150, 60.0) == 0
    assert SIX.progress(150, 240.0) == 0.5
    assert both.progress(150, 60.0) == 0.5
    assert both.progress(110, 240.0) == 0.5
    assert both.progress(200, 60.0) == 1
    # A run that went back to before its stretch is at its beginning.
    assert both.progress(80, 30.0) == 0


@pytest.mark.parametrize(
    ("last", "wish", "step", "seconds", "wanted", "told"),
    [
        # What was not finished goes on, with the same number or with none.
        (SIX, BudgetRequest(), 150, 180.0, SIX, "Training resumes: 4 of 6 minutes are left."),
        (
            SIX,
            BudgetRequest(minutes=6),
            150,
            180.0,
            SIX,
            "Training resumes: 4 of 6 minutes are left.",
        ),
        # Another number moves its end.
        (
            SIX,
            BudgetRequest(minutes=10),
            150,
            180.0,
            SIX.model_copy(update={"minutes": 10}),
            "Training now ends after 10 minutes, not after 6 minutes, counted from its start.",
        ),
        (
            SIX,
            BudgetRequest(minutes=1),
            150,
            180.0,
            SIX.model_copy(update={"minutes": 1}),
            "Training now ends after 1 minute, not after 6 minutes, counted from its start. "
            "That is reached already, so there is nothing left to train.",
        ),
        (
            SIX,
            BudgetRequest(steps=900),
            150,
            180.0,
            TrainingBudget(first=100, since=60.0, steps=900),
            "Training now ends at step 900, not after 6 minutes, counted from its start.",
        ),
        # One that is over is followed by a new one, or by training without an end.
        (
            SIX,
            BudgetRequest(minutes=6),
            300,
            420.0,
            TrainingBudget(first=300, since=420.0, minutes=6),
            "",
        ),
        (
            SIX,
            BudgetRequest(steps=400),
            300,
            420.0,
            TrainingBudget(first=300, since=420.0, steps=400),
            "",
        ),
        (SIX, BudgetRequest(), 300, 420.0, None, ""),
        # Without an end whatever was asked for.
        (
            SIX,
            BudgetRequest(endless=True),
            150,
            180.0,
            None,
            "Training has no end now; 4 of 6 minutes were left.",
        ),
        (SIX, BudgetRequest(endless=True), 300, 420.0, None, ""),
        (
            None,
            BudgetRequest(minutes=2),
            300,
            420.0,
            TrainingBudget(first=300, since=420.0, minutes=2),
            "",
        ),
        (None, BudgetRequest(), 300, 420.0, None, ""),
    ],
)
def test_what_comes_of_a_wish(
    last: TrainingBudget | None,
    wish: BudgetRequest,
    step: int,
    seconds: float,
    wanted: TrainingBudget | None,
    told: str,
) -> None:
    assert next_budget(noted(last), wish, step, seconds) == (wanted, told)


def test_runs_of_before_are_counted_as_they_were() -> None:
    found, _ = next_budget({}, BudgetRequest(steps=400), 300, 420.0)
    assert found is not None
    assert found.progress(300, 420.0) == 0.75
    assert next_budget({}, BudgetRequest(minutes=1), 300, 420.0)[0] == TrainingBudget(
        first=300, since=420.0, minutes=1
    )
    with pytest.raises(CheckpointError, match="another version"):
        stored_budget({KEY: {"first": -3}})


def test_a_job_under_way_does_not_begin_its_training_anew(tmp_path: Path) -> None:
    wish = BudgetRequest(minutes=6)
    assert next_budget(noted(SIX), wish, 300, 420.0, begun_at=JobStart(100, 60.0)) == (SIX, "")
    # Nor that of a stretch which it went on with.
    assert next_budget(noted(SIX), wish, 300, 420.0, begun_at=JobStart(200, 240.0)) == (SIX, "")
    # Of a job that began later it was no part.
    assert next_budget(noted(SIX), wish, 300, 420.0, begun_at=JobStart(300, 420.0))[0] != SIX
    assert not has_unfinished_job(tmp_path)
    assert mark_job_start(tmp_path, 100, 60.0) == (100, 60.0)
    assert has_unfinished_job(tmp_path)
    assert mark_job_start(tmp_path, 300, 420.0) == (100, 60.0)
    assert mark_job_start(tmp_path, 40, 20.0) == (40, 20.0)  # another run, or one that went back
    assert job_output(tmp_path) is None
    set_job_output(tmp_path, tmp_path / "out.mp4")
    assert job_output(tmp_path) == tmp_path / "out.mp4"
    assert mark_job_start(tmp_path, 50, 30.0) == (40, 20.0)
    clear_job_mark(tmp_path)
    clear_job_mark(tmp_path)
    set_job_output(tmp_path, tmp_path / "out.mp4")
    assert job_output(tmp_path) is None
    assert mark_job_start(tmp_path, 300, 420.0) == (300, 420.0)
    (tmp_path / "underway.json").write_text('{"step": 7}')  # as versions of before wrote it
    assert mark_job_start(tmp_path, 300, 420.0) == (7, 0.0)


class Timed(Line):
    """Each step takes half a minute by a clock that nothing else moves. seen: at which second of
    the run which progress was told."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.loop: TrainingLoop | None = None
        self.seen: dict[float, tuple[float, float]] = {}

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Any:
        assert self.loop is not None
        rate = self.loop.state.optimiser.param_groups[0]["lr"]
        self.seen[self.loop.state.seconds] = (progress, rate)
        return super().batch(count, generator, progress)

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        self.now += 30
        return super().losses(model, batch)


def timed(folder: Path, **changes: Any) -> tuple[Timed, TrainingLoop]:
    task = Timed()
    settings = {"steps": None, "preview_seconds": 1e9, "save_seconds": 1e9} | changes
    loop = (resumed if any(folder.glob("step-*")) else line_loop)(folder, task, **settings)
    loop.clock = lambda: task.now
    task.loop = loop
    return task, loop


def run_until(loop: TrainingLoop, step: int) -> list[str]:
    """Run until Ctrl-C comes in the step after ``step``, or to the end; what was noticed."""
    task, told = loop.task, []
    assert isinstance(task, Timed)

    def stop(call: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
        if loop.state.step == step:
            raise KeyboardInterrupt
        return found

    task.disturb = stop
    try:
        for event in loop.run():
            if isinstance(event, Notice):
                told.append(event.message)
    except KeyboardInterrupt:
        assert loop.state.step == step
    return told


def test_minutes_and_schedule_are_those_of_a_run_that_was_not_stopped(tmp_path: Path) -> None:
    whole, loop = timed(tmp_path / "whole", minutes=60)
    list(loop.run())
    assert loop.state.seconds == 3600
    assert whole.seen[1800][0] == 0.5
    parts: dict[float, tuple[float, float]] = {}
    for number, minutes in enumerate((60, 60, None)):
        task, loop = timed(tmp_path / "parts", minutes=minutes)
        told = run_until(loop, [40, 80, 10**9][number])
        assert bool(told) == (number > 0), told
        parts |= task.seen
    assert loop.state.seconds == 3600
    # The same rate and the same progress, by which distortion and second net go, to the last bit.
    assert parts.keys() == whole.seen.keys()
    assert parts == whole.seen
    rates = [rate for _, (_, rate) in sorted(whole.seen.items())]
    assert rates[-1] == pytest.approx(
        0.05 * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * 119 / 120)))
    )


def test_another_number_moves_the_end_and_a_finished_one_is_begun_again(tmp_path: Path) -> None:
    _, loop = timed(tmp_path, minutes=10)
    run_until(loop, 8)
    task, loop = timed(tmp_path, minutes=20)
    told = run_until(loop, 10**9)
    assert told == [
        "Training now ends after 20 minutes, not after 10 minutes, counted from its start."
    ]
    assert loop.state.seconds == 1200
    assert task.seen[min(task.seen)][0] == min(task.seen) / 1200
    # A second time: twenty minutes more, from the beginning of the schedule.
    task, loop = timed(tmp_path, minutes=20)
    run_until(loop, 10**9)
    assert loop.state.seconds == 2400
    assert task.seen[1200.0][0] == 0
    # And without an end at a steady rate.
    task, loop = timed(tmp_path, endless=True)
    run_until(loop, 85)
    assert {progress for progress, _ in task.seen.values()} == {0.0}
    assert len({rate for _, rate in task.seen.values()}) == 1
    assert read_checkpoint(newest_checkpoint(tmp_path)).metadata["notes"][KEY] is None


def test_the_time_that_is_left_is_told_from_the_begin_of_the_stretch(tmp_path: Path) -> None:
    _, loop = timed(tmp_path, minutes=60)
    run_until(loop, 40)
    _, loop = timed(tmp_path)
    events = [event for event in loop.run() if isinstance(event, Progress)]
    left = [event.eta for event in events if event.eta is not None]
    assert max(left) <= 40 * 60
    assert min(left) == 0
    assert events[-1].done == events[-1].total == 120
