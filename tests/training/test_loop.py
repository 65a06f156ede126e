import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from line_task import Line, line_loop, resumed
from torch import Tensor, nn
from toy_task import CPU

from faceswap import bf16_support
from faceswap.errors import CheckpointError, OutputError, TrainingError
from faceswap.events import Event, Metrics, Notice, Preview, Progress, Saved
from faceswap.training import checkpoint as checkpoint_module
from faceswap.training import model_evaluation
from faceswap.training.checkpoint import CheckpointFolder, newest_checkpoint, read_checkpoint
from faceswap.training.distributed import Placement, ProcessGroup
from faceswap.training.loop import TrainingLoop
from faceswap.training.optimisers import OptimiserName
from faceswap.training.run_identity import RunIdentity
from faceswap.training.state import LoopConfig


def of_kind(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_it_learns_and_says_so(tmp_path: Path) -> None:
    loop = line_loop(tmp_path, steps=300)
    events = list(loop.run())
    assert loop.state.step == 300
    assert loop.task.evaluate(loop.state.model)["error"] < 0.01
    metrics = of_kind(events, Metrics)
    assert metrics[-2].values["loss"] < metrics[0].values["loss"] / 50
    assert {"pictures/s", "data share", "rate", "gradient norm", "skipped"} <= metrics[
        0
    ].values.keys()
    assert metrics[-1].values.keys() == {"error", "likeness"}
    assert of_kind(events, Progress)[-1].done == of_kind(events, Progress)[-1].total == 300
    assert of_kind(events, Preview)[-1].path.read_bytes() == b"picture"
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(20, 301, 20))
    assert list((tmp_path / "tensorboard").iterdir())
    assert newest_checkpoint(tmp_path).name == "step-000000300.safetensors"


@pytest.mark.parametrize("optimiser", ["adamw", "adabelief", "lion"])
def test_resume_is_exact_to_the_last_bit(tmp_path: Path, optimiser: OptimiserName) -> None:
    whole = line_loop(tmp_path / "whole", optimiser=optimiser)
    list(whole.run())
    first = line_loop(tmp_path / "parts", optimiser=optimiser)
    run = first.run()
    for _ in run:
        if first.state.step >= 27:
            break
    run.close()
    assert 27 <= first.state.step < 60
    second = resumed(tmp_path / "parts", optimiser=optimiser)
    list(second.run())
    assert second.state.step == 60
    a, b = whole.state.tensors(), second.state.tensors()
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


def test_metrics_after_the_last_save_are_dropped_on_resume(tmp_path: Path) -> None:
    list(line_loop(tmp_path, steps=20).run())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "seconds": 9, "loss": 1}\n{"step": 60, "lo')
    list(resumed(tmp_path, steps=40).run())
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == [20, 40]


def test_closing_saves_and_an_untouched_run_is_not_saved_again(tmp_path: Path) -> None:
    loop = line_loop(tmp_path, steps=None)
    run = loop.run()
    next(run)
    run.close()
    saved = newest_checkpoint(tmp_path)
    assert read_checkpoint(saved).metadata["step"] == loop.state.step > 0
    before = saved.stat().st_mtime_ns
    again = resumed(tmp_path, steps=loop.state.step)
    list(again.run())
    assert saved.stat().st_mtime_ns == before


def test_a_run_by_the_clock_ends_in_time_with_the_rate_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(100, 0.001)  # each look at it takes a millisecond
    monkeypatch.setattr("faceswap.training.loop.time.monotonic", lambda: next(clock))
    loop = line_loop(tmp_path, steps=None, minutes=0.3 / 60)
    events = list(loop.run())
    assert loop.state.step > 10
    assert 0.29 <= loop.state.seconds <= 0.31
    assert loop.state.optimiser.param_groups[0]["lr"] < 0.05 * 0.1
    for event in of_kind(events, Progress):
        assert event.eta is not None
        assert event.eta <= 0.3


def test_saves_by_step_and_keeps_the_last(tmp_path: Path) -> None:
    events = list(line_loop(tmp_path, save_steps=10, keep_checkpoints=2).run())
    assert [e.path.name for e in of_kind(events, Saved)] == [
        f"step-{step:09d}.safetensors" for step in range(10, 61, 10)
    ]
    assert len(CheckpointFolder(tmp_path).files()) == 2


def poisoned(at: range, factor: float) -> Callable[[int, dict[str, Tensor]], dict[str, Tensor]]:
    return lambda call, found: {"loss": found["loss"] * (factor if call in at else 1.0)}


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e9])
def test_a_bad_step_is_skipped_and_counted(tmp_path: Path, factor: float) -> None:
    task = Line()
    task.disturb = poisoned(range(80, 82), factor)
    loop = line_loop(tmp_path, task, steps=200)
    list(loop.run())
    assert loop.state.skipped == 2
    assert task.evaluate(loop.state.model)["error"] < 0.02
    assert all(bool(torch.isfinite(t).all()) for t in loop.state.tensors().values())


def test_a_run_that_stays_bad_goes_back_with_half_the_rate(tmp_path: Path) -> None:
    task = Line()
    task.disturb = poisoned(range(81, 101), float("nan"))
    loop = line_loop(tmp_path, task, steps=200, save_steps=40)
    events = list(loop.run())
    (notice,) = of_kind(events, Notice)
    assert notice.message == (
        "Training diverged at step 100: rolled back to step 80, with 0.5 of the learning rate."
    )
    assert loop.state.rate_scale == 0.5
    assert loop.state.step == 200
    assert task.evaluate(loop.state.model)["error"] < 0.02


def test_a_run_that_never_was_good_ends_with_advice(tmp_path: Path) -> None:
    task = Line()
    task.disturb = poisoned(range(1000), float("nan"))
    with pytest.raises(TrainingError, match="diverged at step 20; start a new run with a lower"):
        list(line_loop(tmp_path, task).run())
    assert not CheckpointFolder(tmp_path).files()


@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        (8, [8, 4, *[2] * 12]),
        (7, [7, 3, *[1, 2, 2, 2] * 3]),
        (6, [6, 3, *[1, 2, 1, 2] * 3]),
        (5, [5, 2, 3, *[1, 1, 1, 2] * 3]),
    ],
)
def test_out_of_memory_parts_the_batch_and_keeps_the_result(
    batch: int, sizes: list[int], tmp_path: Path
) -> None:
    whole = line_loop(tmp_path / "whole", steps=3, batch_size=batch)
    whole_events = list(whole.run())
    task = Line()

    def small_memory(call: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
        if task.sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return found

    task.disturb = small_memory
    loop = line_loop(tmp_path / "parts", task, steps=3, batch_size=batch)
    events = list(loop.run())
    assert task.sizes == sizes
    assert [n.message.split(" micro-batches")[0][-1] for n in of_kind(events, Notice)] == ["2", "4"]
    assert loop.state.step == 3
    for name, value in whole.state.model.state_dict().items():
        assert torch.allclose(loop.state.model.state_dict()[name], value, atol=1e-6)
    losses = [of_kind(found, Metrics)[0].values["loss"] for found in (whole_events, events)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_memory_too_small_for_one_is_an_error(tmp_path: Path) -> None:
    task = Line()

    def no_memory(call: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    task.disturb = no_memory
    with pytest.raises(TrainingError, match="Not even one face"):
        list(line_loop(tmp_path, task).run())


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    task = Line()

    def broken(call: int, found: dict[str, Tensor]) -> dict[str, Tensor]:
        raise RuntimeError("shapes do not fit")

    task.disturb = broken
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        list(line_loop(tmp_path, task).run())


def test_a_full_disk_is_told_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = line_loop(tmp_path, save_steps=10)
    run = loop.run()
    events: list[Event] = []
    for event in run:
        events.append(event)
        if isinstance(event, Saved):
            break

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_module, "save_file", full)
        notice = next(event for event in run if isinstance(event, Notice))
    assert "No space left" in notice.message
    assert "Training goes on; the last save is step-000000010.safetensors." in notice.message
    assert newest_checkpoint(tmp_path).name == "step-000000010.safetensors"
    list(run)
    assert newest_checkpoint(tmp_path).name == "step-000000060.safetensors"


def test_a_last_save_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_module, "save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        list(line_loop(tmp_path).run())


def test_a_preview_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "previews").write_text("a file where the folder should be")
    events = list(line_loop(tmp_path).run())
    assert "Cannot write the preview" in of_kind(events, Notice)[0].message


def test_previews_of_a_week_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_evaluation, "MAX_PREVIEWS", 10)
    list(line_loop(tmp_path, steps=200, preview_seconds=1e-6).run())
    names = sorted(p.name for p in (tmp_path / "previews").iterdir())
    assert 5 <= len(names) <= 10
    assert names[0] == "step-000000001.png"
    assert names[-1] == "step-000000200.png"


def test_another_optimiser_or_architecture_is_refused(tmp_path: Path) -> None:
    list(line_loop(tmp_path).run())
    with pytest.raises(CheckpointError, match="trained with AdamW, not Lion"):
        resumed(tmp_path, optimiser="lion")
    other = TrainingLoop(
        Line(), nn.Linear(5, 5), LoopConfig(precision="fp32"), RunIdentity(tmp_path, "line", {})
    )
    with pytest.raises(CheckpointError, match="another architecture"):
        other.resume(read_checkpoint(newest_checkpoint(tmp_path)))


def test_every_step_steps_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = line_loop(tmp_path)
    calls = 0
    step = loop.state.optimiser.step

    def counted(*_: Any) -> None:
        nonlocal calls
        calls += 1
        step()

    monkeypatch.setattr(loop.state.optimiser, "step", counted)
    list(loop.run())
    assert calls == 60


def test_saves_by_the_clock(tmp_path: Path) -> None:
    often = of_kind(list(line_loop(tmp_path / "1", save_seconds=0.0).run()), Saved)
    assert len(often) == 60
    seldom = of_kind(list(line_loop(tmp_path / "2", save_seconds=1e6).run()), Saved)
    assert seldom == []
    assert newest_checkpoint(tmp_path / "2").name == "step-000000060.safetensors"


class Twins(ProcessGroup):
    """Two processes as the first one sees them, without the second."""

    asked: ClassVar[list[float]] = []

    def wrap_model(self, model: nn.Module) -> nn.Module:
        return model

    def broadcast(self, value: float) -> float:
        self.asked.append(value)
        return value

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        return values


def test_a_run_that_learns_by_heart_is_told_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Line()

    def evaluate(_: nn.Module) -> dict[str, float]:
        return {"likeness": 1.0 - 0.001 * abs(loop.state.step - 100)}  # best at 100

    monkeypatch.setattr(task, "evaluate", evaluate)
    now = itertools.count()
    loop = line_loop(tmp_path, task, steps=400, measure="likeness", preview_seconds=15.0)
    loop.clock = lambda: float(next(now))
    events = list(loop.run())
    told = [event for event in of_kind(events, Notice) if "overfitting" in event.message]
    assert len(told) == 1
    assert told[0].trouble
    states = [event.state for event in of_kind(events, Metrics) if event.state]
    assert states[-1].startswith("overfitting since step ")


def test_several_processes_agree_on_the_clock_but_not_at_every_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    asked = []
    for changes in ({"steps": 60}, {"minutes": 10.0}):
        Twins.asked.clear()
        config = LoopConfig(batch_size=8, precision="fp32", report_steps=20, **changes)
        model = nn.Linear(3, 4, bias=False)
        loop = TrainingLoop(
            Line(),
            model,
            config,
            RunIdentity(tmp_path / str(changes), "line", {}),
            Placement(CPU, Twins(0, 2)),
        )
        run = loop.run()
        for _ in run:
            if loop.state.step >= 60:
                break
        run.close()
        asked.append(len(Twins.asked))
    assert asked[0] == 0
    assert asked[1] == loop.state.step // 20 + (1 if loop.state.step % 20 else 0)


class _Over(nn.Module):
    """A linear model that looks as if it had an LSTM in it."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.over_time = nn.Linear(3, 4, bias=False), nn.LSTM(1, 1)
        self.over_time.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.plain(x)
        return made


class _Lines(Line):
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {}


def test_a_run_begun_in_bfloat16_goes_on_where_its_layers_are_not_possible_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bf16_support, "supports_bf16", lambda name, device: True)
    monkeypatch.setattr("faceswap.devices.fastest_precision", lambda device: "bf16")

    def run(steps: int) -> tuple[TrainingLoop, list[Event]]:
        config = LoopConfig(steps=steps, batch_size=8)
        loop = TrainingLoop(_Lines(), _Over(), config, RunIdentity(tmp_path, "line", {}))
        checkpoint, _ = CheckpointFolder(tmp_path).load_for_resume()
        if checkpoint is not None:
            loop.resume(checkpoint)
        return loop, list(loop.run())

    first, events = run(5)
    assert (first.state.precision, of_kind(events, Notice)) == ("bf16", [])
    monkeypatch.setattr(bf16_support, "supports_bf16", lambda name, device: name != "LSTM")
    for steps in (10, 15):  # said once each time that it is started
        second, events = run(steps)
        assert second.state.precision == "fp32"
        assert [n.message for n in of_kind(events, Notice)] == [
            "LSTM layers can't be computed in bfloat16 on this machine's cpu; all of this model "
            "is computed in float32."
        ]
    saved = read_checkpoint(newest_checkpoint(tmp_path))
    assert saved.metadata["precision"] == "fp32"


class _Apart(Twins):
    """The other process can't do what this one can."""

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        return values / 2


def test_bfloat16_is_taken_only_where_all_processes_take_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceswap.devices.fastest_precision", lambda device: "bf16")
    found = []
    for kind in (Twins, _Apart):
        model = nn.Linear(3, 4)
        loop = TrainingLoop(
            Line(),
            model,
            LoopConfig(batch_size=8),
            RunIdentity(tmp_path, "line", {}),
            Placement(CPU, kind(0, 2)),
        )
        found.append((loop.state.precision, [n.message for n in loop.stepper.notices]))
    told = "Not all processes can compute in bfloat16, so all compute in float32."
    assert found == [("bf16", []), ("fp32", [told])]
