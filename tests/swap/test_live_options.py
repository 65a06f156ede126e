"""Options that are changed while a run trains: as they are applied, or refused as a whole."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faceswap.errors import OptionsError
from faceswap.swap.training.live_options import LiveOptions
from faceswap.swap.training.options import TrainOptions
from faceswap.training.distributed import ProcessGroup
from faceswap.training.state import LoopConfig


def live(**given: Any) -> tuple[LiveOptions, Any]:
    """The live options of a run in two processes without a mask output, and its task."""
    classic: Any = SimpleNamespace(preset="classic", learns_masks=False)
    task: Any = SimpleNamespace(objective="as it was")
    faces: Any = {"a": SimpleNamespace(training=range(9))}
    options = TrainOptions(project=Path("p"), **given)
    return LiveOptions(options, task, classic, faces, ProcessGroup(0, 2)), task


def test_what_cannot_be_is_refused_and_changes_nothing() -> None:
    change, task = live()
    for values, words in (
        ({"losses": "mask=1"}, "The preset classic has no mask output"),
        ({"batch": 3}, "a batch size that 2 processes can divide"),
        ({"batch": "auto"}, "give numbers"),
    ):
        with pytest.raises(OptionsError, match=words):
            change(values, LoopConfig())
        assert task.objective == "as it was"
    # A refused change is not part of the next one.
    assert change({"rate": 0.1}, LoopConfig()).options["loss_weights"] == ""


def test_a_change_is_of_the_task_the_loop_and_the_record() -> None:
    change, task = live()
    made = change({"losses": "mse=1"}, LoopConfig(learning_rate=0.3, batch_size=6))
    assert (made.config.learning_rate, made.config.batch_size) == (0.3, 6)
    assert task.objective.mse == 1
    assert made.losses["objective"]["mse"] == 1
    assert made.losses["faces"] == {"a": 9}
    assert made.options["loss_weights"] == "mse=1"
    assert made.description == "--loss-weights mse=1"
    # The next one adds to it.
    again = change({"learning_rate": 0.1, "batch": 4}, made.config)
    assert (again.config.learning_rate, again.config.batch_size) == (0.1, 4)
    assert (again.options["loss_weights"], again.losses) == ("mse=1", made.losses)


def test_only_a_new_end_replaces_the_old_one() -> None:
    change, _ = live(endless=True)
    running = LoopConfig(minutes=5, endless=True)
    kept = change({"batch": 2}, running).config
    assert (kept.minutes, kept.steps, kept.endless) == (5, None, True)
    ended = change({"steps": 70}, running).config
    assert (ended.minutes, ended.steps, ended.endless) == (None, 70, False)
