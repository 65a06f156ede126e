from pathlib import Path

import pytest
import torch
from drawn_faces import draw_project

from faceswap.events import Event
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.adversarial import (
    AdversarialConfig,
    AdversarialTask,
    AdversarialTrainer,
)
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapTask
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.loop import TrainingLoop
from faceswap.training.run_identity import RunIdentity
from faceswap.training.state import LoopConfig

CPU = torch.device("cpu")
CONFIG = AdversarialConfig(0.1, start=0.25, ramp=0.5)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaceSet]:
    project = draw_project(tmp_path_factory.mktemp("project"), 20)
    return {s: load_faces(project.crops_folder(s), s, FaceLoadConfig(64)) for s in ("a", "b")}


def model() -> SwapModel:
    torch.manual_seed(0)
    return SwapModel(SwapConfig(preset="quick", resolution=64))


def make_loop(
    sides: dict[str, FaceSet], folder: Path, config: AdversarialConfig | None, steps: int = 8
) -> TrainingLoop:
    net = model()
    adversary = None if config is None else AdversarialTrainer(config, CPU)
    if adversary is None:
        task = SwapTask(sides, net.input_size, ObjectiveConfig(), CPU)
    else:
        task = AdversarialTask(sides, net.input_size, ObjectiveConfig(), CPU, adversary)
    settings = LoopConfig(steps=steps, batch_size=2, precision="fp32", report_steps=1)
    return TrainingLoop(
        task,
        net,
        settings,
        RunIdentity(folder, "swap", net.config.model_dump()),
        auxiliary=adversary,
    )


def test_its_weight_begins_late_and_grows() -> None:
    config = AdversarialConfig(0.1, start=0.5, ramp=0.2)
    assert [config.strength(p) for p in (0.0, 0.5)] == [0.0, 0.0]
    assert [config.strength(p) for p in (0.6, 0.7, 1.0)] == pytest.approx([0.05, 0.1, 0.1])


def test_one_pass_teaches_both_and_each_its_own() -> None:
    adversary = AdversarialTrainer(CONFIG, CPU)
    made = torch.rand(2, 3, 32, 32, requires_grad=True)
    real = torch.rand(2, 3, 32, 32)
    deceiving, telling = adversary.losses(made, real)
    (slope,) = torch.autograd.grad(deceiving, made, retain_graph=True)
    torch.autograd.backward(deceiving)
    assert all(p.grad is None for p in adversary.discriminator.parameters())
    assert torch.equal(made.grad, slope)  # type: ignore[arg-type]
    torch.autograd.backward(telling)
    assert torch.equal(made.grad, slope)  # type: ignore[arg-type]
    assert all(p.grad is not None for p in adversary.discriminator.parameters())
    # The way the made pictures are moved is the one in which the judge is deceived.
    with torch.no_grad():
        after, _ = adversary.losses(made - 100 * slope, real)
    assert after < deceiving


def test_a_bad_step_or_none_leaves_the_judge_alone() -> None:
    adversary = AdversarialTrainer(CONFIG, CPU)
    before = {name: value.clone() for name, value in adversary.tensors().items()}
    adversary.zero_grad()
    adversary.step(torch.zeros(()))
    assert adversary.tensors().keys() == before.keys()
    for poison, bad in ((float("nan"), 0.0), (1.0, 1.0)):
        _, telling = adversary.losses(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
        torch.autograd.backward(telling * poison)
        adversary.step(torch.tensor(bad))
        adversary.zero_grad()
    assert all(torch.equal(adversary.tensors()[name], value) for name, value in before.items())
    _, telling = adversary.losses(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    torch.autograd.backward(telling)
    adversary.step(torch.zeros(()))
    assert any(not torch.equal(adversary.tensors()[name], value) for name, value in before.items())


def test_until_it_begins_the_run_is_the_one_without(
    sides: dict[str, FaceSet], tmp_path: Path
) -> None:
    late = AdversarialConfig(0.1, start=1.0)
    without, with_it = (
        make_loop(sides, tmp_path / "1", None),
        make_loop(sides, tmp_path / "2", late),
    )
    for loop in (without, with_it):
        list(loop.run())
    one, two = without.state.tensors(), with_it.state.tensors()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not any(name.startswith("companion/") for name in one)
    assert any(name.startswith("companion/judge/") for name in two)


def test_resume_is_exact_with_it_before_and_after_it_began(
    sides: dict[str, FaceSet], tmp_path: Path
) -> None:
    whole = make_loop(sides, tmp_path / "whole", CONFIG)
    events: list[Event] = list(whole.run())
    values = [e.values for e in events if hasattr(e, "values")]
    # Progress 0 to 7/8: with a quarter gone it is at zero, from the next step on it takes part.
    assert [("judge" in v, "adversarial" in v) for v in values if "loss" in v] == (
        [(False, False)] * 3 + [(True, True)] * 5
    )
    plain = make_loop(sides, tmp_path / "plain", None)
    list(plain.run())
    for stop in (1, 5):
        folder = tmp_path / f"parts{stop}"
        first = make_loop(sides, folder, CONFIG)
        run = first.run()
        for _ in run:
            if first.state.step == stop:
                break
        run.close()
        assert first.state.step == stop
        second = make_loop(sides, folder, CONFIG)
        second.resume(read_checkpoint(newest_checkpoint(folder)))
        list(second.run())
        a, b = whole.state.tensors(), second.state.tensors()
        assert a.keys() == b.keys()
        assert any(name.startswith("companion/optimiser/") for name in a)
        assert [name for name in a if not torch.equal(a[name], b[name])] == []
    other = plain.state.tensors()
    assert any(not torch.equal(whole.state.tensors()[n], v) for n, v in other.items())


def test_it_may_be_taken_up_or_left_out_later(sides: dict[str, FaceSet], tmp_path: Path) -> None:
    list(make_loop(sides, tmp_path, None, steps=2).run())
    for config, steps in ((CONFIG, 4), (None, 6)):
        loop = make_loop(sides, tmp_path, config, steps)
        loop.resume(read_checkpoint(newest_checkpoint(tmp_path)))
        list(loop.run())
        saved = read_checkpoint(newest_checkpoint(tmp_path))
        assert saved.metadata["step"] == steps
        assert bool(saved.tensors_under("companion")) == (config is not None)


def test_parts_of_a_batch_teach_what_the_whole_does(sides: dict[str, FaceSet]) -> None:
    found = []
    for parts in (1, 2):
        net, adversary = (
            model(),
            AdversarialTrainer(AdversarialConfig(1.0, start=0.0, ramp=0.1), CPU),
        )
        task = AdversarialTask(sides, net.input_size, ObjectiveConfig(), CPU, adversary)
        batch = task.batch(4, torch.Generator().manual_seed(0), 0.5)
        for number in range(parts):
            losses = task.losses(net, batch.micro_batch(number, parts))
            torch.autograd.backward(losses["loss"] / parts)
        found.append([p.grad for p in adversary.discriminator.parameters() if p.grad is not None])
    for one, two in zip(*found, strict=True):
        assert torch.allclose(one, two, atol=1e-6)
