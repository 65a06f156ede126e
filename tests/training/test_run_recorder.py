import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from line_task import Line
from torch import nn
from toy_task import CPU

from faceswap.events import Event, Metrics, Notice, Preview, Progress
from faceswap.training.distributed import ProcessGroup
from faceswap.training.run_recorder import RunRecorder
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper
from faceswap.training.threads import DeviceThread


class Recorded:
    """A recorder in ``folder`` of a run at step 7, with a clock that the test moves."""

    def __init__(self, folder: Path, group: ProcessGroup) -> None:
        self.now, self.task, self.folder = 100.0, Line(), folder
        config = LoopConfig(precision="fp32", preview_seconds=60, measure="likeness")
        self.state = TrainingState(nn.Linear(3, 4, bias=False), config, "fp32", CPU)
        self.state.step = 7
        stepper = TrainStepper(self.task, self.state, config)
        stepper.group = group
        thread = DeviceThread("train", CPU, lambda: Progress(stage="train", done=7))
        self.recorder = RunRecorder(self.task, stepper, folder, thread, lambda: self.now)

    def rows(self) -> list[dict[str, float]]:
        self.recorder.close()
        text = (self.folder / "metrics.jsonl").read_text()
        return [json.loads(row) for row in text.splitlines()]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Recorded]:
    torch.manual_seed(0)
    recorded = Recorded(tmp_path, ProcessGroup())
    yield recorded
    recorded.recorder.close()


def told(events: Iterator[Event]) -> list[Event]:
    """The events, without signs of life."""
    return [event for event in events if not isinstance(event, Progress)]


def test_losses_and_measures_are_told_and_written(made: Recorded) -> None:
    (losses,) = told(made.recorder.record_losses({"loss": 0.5}))
    assert losses == Metrics(step=7, values={"loss": 0.5})
    (measures,) = told(made.recorder.measure())
    assert isinstance(measures, Metrics)
    assert measures.state == "too early to tell"
    assert made.recorder.score == measures.values["likeness"]
    assert [{*row} - {"step", "seconds"} for row in made.rows()] == [
        {"loss"},
        {"error", "likeness"},
    ]


def test_a_model_is_measured_once_a_step_and_anew_after_a_roll_back(made: Recorded) -> None:
    assert len(told(made.recorder.measure())) == 1
    assert told(made.recorder.measure()) == []
    made.recorder.reset()
    assert made.recorder.score is None
    assert len(told(made.recorder.measure())) == 1


def test_a_preview_comes_when_it_is_due(made: Recorded) -> None:
    assert told(made.recorder.preview_if_due()) == []
    made.now += 61
    assert [type(event) for event in told(made.recorder.preview_if_due())] == [Metrics, Preview]
    assert told(made.recorder.preview_if_due()) == []


def test_memory_that_runs_out_is_told(made: Recorded) -> None:
    def full(model: nn.Module) -> dict[str, float]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    made.task.evaluate = full  # type: ignore[method-assign]
    (notice,) = told(made.recorder.measure())
    assert isinstance(notice, Notice)
    assert notice.trouble
    assert made.recorder.score is None


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    other = Recorded(tmp_path, ProcessGroup(1, 2))
    other.now += 61
    assert told(other.recorder.preview_if_due()) == []
    assert told(other.recorder.record_losses({"loss": 1.0}))  # told to nobody but its own caller
    other.recorder.close()
    assert list(tmp_path.iterdir()) == []
