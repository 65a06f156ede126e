from typing import Any

import pytest
import torch
from torch import nn
from toy_task import Product, make_stepper

from faceswap.events import Notice
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.training import compilation
from faceswap.training.compilation import choose_compilation, compile_model

MODELS = [
    SwapConfig(preset="quick", resolution=64),
    SwapConfig(preset="classic", resolution=64),
    SwapConfig(preset="df", resolution=64, encoder=8, decoder=8, mask=8, code=32, variant="udtc"),
    SwapConfig(preset="liae", resolution=64, encoder=8, decoder=8, mask=8, code=32, variant="ud"),
]


# Python 3.13.0 itself is what it warns of.
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
@pytest.mark.parametrize("config", MODELS, ids=lambda c: c.preset)
def test_every_model_is_one_graph_to_the_compiler(config: SwapConfig) -> None:
    model = SwapModel(config)
    faces = torch.rand(1, 3, model.input_size, model.input_size)
    found = torch._dynamo.explain(model)({"a": faces, "b": faces}, torch.tensor([True]))
    assert found.graph_count == 1
    assert found.graph_break_count == 0
    torch._dynamo.reset()


def eager(model: nn.Module) -> nn.Module:
    return compile_model(model, "eager")


def test_a_compiled_step_learns_the_same_and_shares_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compilation, "compile_model", eager)
    plain, quick = make_stepper(Product()), make_stepper(Product(), compile="on")
    before = quick.state.snapshot()
    list(choose_compilation(quick))
    assert quick.model is not quick.state.model
    after = quick.state.snapshot()
    assert after.metadata == before.metadata
    assert all(torch.equal(after.tensors[k], v) for k, v in before.tensors.items())
    for stepper in (plain, quick):
        for _ in range(5):
            stepper.step(None)
    first, second = plain.state.tensors(), quick.state.tensors()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_a_compiler_that_fails_leaves_the_model_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: nn.Module) -> nn.Module:
        class Broken(nn.Module):
            def forward(self, *_: Any) -> None:
                raise RuntimeError("no compiler\nand a long story")

        return Broken()

    monkeypatch.setattr(compilation, "compile_model", broken)
    stepper = make_stepper(Product(), compile="on")
    notices = [e.message for e in choose_compilation(stepper) if isinstance(e, Notice)]
    assert notices == ["Training goes on without compiling the model, which failed: no compiler"]
    assert stepper.model is stepper.state.model
    stepper.step(None)


def test_on_a_processor_auto_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "compile_model", eager)
    for choice in ("auto", "off"):
        stepper = make_stepper(Product(), compile=choice)
        assert list(choose_compilation(stepper)) == []
        assert stepper.model is stepper.state.model


@pytest.mark.parametrize(("seconds", "taken"), [((1.0, 0.5), True), ((1.0, 0.99), False)])
def test_auto_takes_what_is_measured_to_be_faster(
    seconds: tuple[float, float], taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Card:
        """A generator that says it is a graphics card's."""

        device = torch.device("cuda")

    told = list(seconds)
    monkeypatch.setattr(compilation, "compile_model", eager)
    monkeypatch.setattr(compilation, "_seconds", lambda *_: told.pop(0))
    stepper = make_stepper(Product(), compile="auto")
    generator = stepper.state.generator
    monkeypatch.setattr(stepper.state, "snapshot", lambda: None)
    monkeypatch.setattr(stepper.state, "restore", lambda _: None)
    stepper.state.generator = Card()  # type: ignore[assignment]
    events = list(choose_compilation(stepper))
    stepper.state.generator = generator
    assert (stepper.model is not stepper.state.model) == taken
    assert any(isinstance(e, Notice) for e in events) != taken
