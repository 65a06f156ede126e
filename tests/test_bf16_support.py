"""What layers can do in bfloat16 on the machine that the tests run on, old or new."""

import os
from collections.abc import Callable, Iterator

import pytest
import torch
from lab_configs import CONFIGS
from torch import Tensor, nn

from faceswap import bf16_support
from faceswap.autoencoder.discriminator import PatchDiscriminator
from faceswap.bf16_support import (
    ALWAYS,
    KINDS,
    LayerKind,
    layer_kinds,
    supports_bf16,
    unsupported_layers,
)
from faceswap.faces.landmark_net import LandmarkNet
from faceswap.lab.framework.models import build
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import PRESETS, config_of

pytestmark = pytest.mark.avx2
CPU = torch.device("cpu")
WITHOUT_PRODUCTS = {
    *(nn.Identity, nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.Dropout),
    *(nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.Sigmoid, nn.Tanh, nn.GELU),
    *(nn.PixelShuffle, nn.Upsample, nn.MaxPool2d, nn.Flatten, nn.Unflatten),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.Embedding, nn.TransformerEncoderLayer),
}
"""Layers of torch.nn that autocast leaves alone, or that are made of others."""


@pytest.fixture(autouse=True)
def tried_anew() -> Iterator[None]:
    supports_bf16.cache_clear()
    yield
    supports_bf16.cache_clear()


def works(model: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether ``model`` takes a step in bfloat16 here, tried without the library."""
    try:
        with torch.autocast("cpu", torch.bfloat16):
            made = model(torch.rand(shape))
        (made[0] if isinstance(made, tuple) else made).float().sum().backward()
    except RuntimeError:
        return False
    return True


def test_the_older_instructions_are_in_force_where_they_are_asked_for() -> None:
    if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
        assert torch.backends.cpu.get_cpu_capability() == "AVX2"
        assert not torch.ops.mkldnn._is_mkldnn_bf16_supported()
        assert not supports_bf16("LSTM", CPU)
    else:
        # No processor is taken for a lesser one than it is.
        assert supports_bf16("LSTM", CPU) or not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def test_each_kind_is_found_to_be_what_it_is_here() -> None:
    for name, kind in KINDS.items():
        layer = nn.LSTM(40, 30, 2) if name == "LSTM" else kind.make()
        if name != "attention":
            shape = (5, 3, 40) if name == "LSTM" else kind.shape
            assert supports_bf16(name, CPU) == works(layer, shape), name
    assert all(supports_bf16(name, CPU) for name in KINDS if name != "LSTM")


def test_trying_changes_no_chance_and_works_from_inside_inference() -> None:
    before = torch.get_rng_state()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = {name: supports_bf16(name, CPU) for name in KINDS}
    assert torch.equal(torch.get_rng_state(), before)
    supports_bf16.cache_clear()
    assert found == {name: supports_bf16(name, CPU) for name in KINDS}


class Poor(nn.Linear):
    """Does ``change`` to what it gives where that is bfloat16."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__(4, 4)
        self._change = change

    def forward(self, x: Tensor) -> Tensor:
        made = super().forward(x)
        return self._change(made) if made.dtype == torch.bfloat16 else made


def refused(x: Tensor) -> Tensor:
    raise RuntimeError("could not create a primitive descriptor")


def refused_on_the_way_back(x: Tensor) -> Tensor:
    copy = x.clone()
    if copy.requires_grad:
        copy.register_hook(refused)
    return copy


@pytest.mark.parametrize(
    ("change", "can"),
    [
        (lambda x: x, True),
        (refused, False),
        (refused_on_the_way_back, False),
        (lambda x: x + 1, False),
        (lambda x: x * torch.nan, False),
        (lambda x: x.float(), False),  # autocast that does nothing
        (lambda x: refused(x) if torch.is_inference_mode_enabled() else x, False),
    ],
)
def test_what_fails_or_gives_something_else_is_not_relied_on(
    change: Callable[[Tensor], Tensor], can: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        bf16_support.KINDS, "linear", LayerKind((nn.Linear,), lambda: Poor(change), (3, 4))
    )
    assert supports_bf16("linear", CPU) == can
    assert unsupported_layers(nn.Linear(2, 2), CPU) == (() if can else ("linear",))


def test_a_models_kinds_are_those_of_its_layers_and_what_all_do() -> None:
    assert set(layer_kinds(nn.Tanh())) == ALWAYS
    assert set(layer_kinds(build(CONFIGS["lab-lstm"]))) == {*ALWAYS, "LSTM"}
    assert set(layer_kinds(build(CONFIGS["lab-patches"]))) == {*ALWAYS, "attention"}
    assert "transposed convolution" in layer_kinds(build(CONFIGS["lab-conv"]))


def test_no_model_has_layers_that_nobody_tries() -> None:
    models = [build(config) for config in CONFIGS.values()]
    with torch.device("meta"):
        models += [*map(SwapModel, map(config_of, PRESETS)), PatchDiscriminator(), LandmarkNet()]
    own = {type(module) for model in models for module in model.modules()}
    used = {next(c for c in cls.__mro__ if c.__module__.startswith("torch.nn")) for cls in own}
    tried = {c for kind in KINDS.values() for c in kind.classes}
    unknown = {c for c in used - {nn.Module} if not issubclass(c, (*tried, *WITHOUT_PRODUCTS))}
    assert not unknown
