"""What a graphics card asks of the training step, found out without one; see stand_in_card.py."""

from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_faces import draw_project
from stand_in_card import CARD, CPU, SMALL, Watch, make_stepper, stand_in
from toy_task import Product
from toy_task import make_stepper as toy_stepper

from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.checkpoint import Checkpoint
from faceswap.training.compilation import compile_model
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_project(tmp_path_factory.mktemp("project"), 16).folder / "faces"


def sides_of(project: Path) -> dict[str, FaceSet]:
    return {side: load_faces(project / side, side, FaceLoadConfig(64)) for side in ("a", "b")}


def watched(stepper: TrainStepper, progress: float) -> Watch:
    watch = Watch()
    with watch:
        stepper.step(progress)
    return watch


def test_a_step_stays_on_the_card_and_is_the_same_each_time(project: Path) -> None:
    """The stand-in has no values: whatever needs one, to wait for it or to give something of a
    size that depends on it, fails. With every change, every loss and a judge."""
    with stand_in():
        stepper = make_stepper(SMALL[0], sides_of(project), warp_end=0.9)
        stepper.step(0.8)  # makes the optimisers' state
        kinds = [watched(stepper, progress) for progress in (0.8, 0.85, 0.95)]
    assert [kind.strays for kind in kinds] == [[], [], []]
    assert len(kinds[0].calls) > 1000
    assert kinds[0].calls == kinds[1].calls  # the distortion fades, and nothing else changes
    assert len(kinds[2].calls) < len(kinds[1].calls)  # it is gone


@pytest.mark.parametrize("config", SMALL[1:], ids=lambda c: c.preset)
def test_so_does_every_other_model(config: SwapConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    with stand_in():
        stepper = make_stepper(config, {})
        monkeypatch.setattr(stepper.task, "batch", lambda *_: some_batch(stepper))
        watch = watched(stepper, 0.3)
    assert watch.strays == []
    assert len(watch.calls) > 300


def some_batch(stepper: TrainStepper) -> SwapBatch:
    """Two faces a side that were drawn already: how is the same for all models."""
    config = stepper.state.model.config
    assert isinstance(config, SwapConfig)
    side, seen = config.resolution, stepper.state.model.input_size
    assert isinstance(seen, int)
    inputs = torch.empty(2, 2, 3, seen, seen, device=CARD)
    return SwapBatch(
        dict(zip("ab", inputs, strict=True)),
        torch.empty(4, 3, side, side, device=CARD),
        torch.empty(4, 3, side // 2, side // 2, device=CARD),
        torch.empty(4, device=CARD),
        torch.empty(2, dtype=torch.bool, device=CARD),
    )


def test_the_stand_in_fails_and_the_watch_sees_what_a_card_would_wait_for() -> None:
    x = torch.rand(4, device=CARD)
    for asks in (lambda: float(x.sum()), lambda: x[x > 0.5], lambda: x.nonzero(), x.tolist):
        with pytest.raises((RuntimeError, NotImplementedError)):
            asks()
    with pytest.raises(RuntimeError, match="device"):
        x + torch.ones(4)
    with Watch() as watch:
        torch.ones(2).to(CARD)
        torch.rand(2, device=CARD)
    assert [s.partition(" ")[2] for s in watch.strays] == [
        "is not on the card",
        "is not on the card",
        "draws from other random numbers",
    ]


def test_no_draw_is_of_one_face_alone(monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """Which some versions of PyTorch answer by asking the card whether the weights are right."""
    faces = sides_of(project)["a"].training
    asked: list[int] = []
    draw = torch.multinomial

    def counted(weights: torch.Tensor, count: int, **others: Any) -> torch.Tensor:
        asked.append(count)
        return draw(weights, count, **others)

    monkeypatch.setattr(torch, "multinomial", counted)
    sizes = [len(faces.sample_indices(count, torch.Generator())) for count in (1, 2, 5)]
    assert sizes == [1, 2, 5]
    assert asked == [2, 2, 5]


def test_a_run_goes_on_on_another_kind_of_device() -> None:
    """A card's generator has a state of 16 bytes: its seed, and how much it has given."""
    stepper = toy_stepper(Product())
    for _ in range(3):
        stepper.step(None)
    saved = stepper.state.snapshot()
    other = saved.tensors | {"state/generator": torch.arange(16, dtype=torch.uint8)}
    moved = Checkpoint(saved.path, saved.kind, saved.config, saved.metadata, other)
    draws = []
    for _ in range(2):
        resumed = toy_stepper(Product())
        resumed.state.restore(moved)
        assert resumed.state.step == 3
        draws.append(torch.rand(4, generator=resumed.state.generator))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], torch.rand(4, generator=torch.Generator().manual_seed(0)))
    stepper.state.restore(saved)  # of its own kind it goes on where it was
    assert torch.equal(stepper.state.generator.get_state(), saved.tensors["state/generator"])


def test_what_is_replayed_is_a_step() -> None:
    taken, replayed = toy_stepper(Product(), warmup=1), toy_stepper(Product(), warmup=1)
    whole = taken.train_step(1.0, 0.0)
    bare = replayed.graph_step(0.0)
    assert torch.equal(whole["loss"], bare["loss"])
    first, second = taken.state.tensors(), replayed.state.tensors()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (taken.state.step, replayed.state.step) == (1, 0)
    assert not replayed.inconsistent


# Python 3.13.0 itself is what it warns of.
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_a_traced_model_takes_the_same_steps_in_one_graph(project: Path) -> None:
    config = SwapConfig(preset="df", resolution=64, encoder=8, decoder=8, mask=8, code=32)
    losses = []
    for traced in (False, True):
        torch.manual_seed(0)
        model = SwapModel(config)
        task = SwapTask(sides_of(project), model.input_size, ObjectiveConfig(), CPU)
        settings = LoopConfig(batch_size=2, precision="fp32")
        stepper = TrainStepper(task, TrainingState(model, settings, "fp32", CPU), settings)
        if traced:
            torch._dynamo.reset()
            torch._dynamo.utils.counters.clear()
            stepper.model = compile_model(model, "aot_eager")
        losses.append([float(stepper.train_step(0.1, 0.3)["loss"]) for _ in range(2)])
    counted = torch._dynamo.utils.counters
    torch._dynamo.reset()
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert counted["stats"]["unique_graphs"] == 1
    assert not counted["graph_break"]
