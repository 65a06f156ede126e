"""Which kinds of layers a device can compute in bfloat16, found by trial.

Only a trial is reliable: a CPU without AVX-512 can do products in bfloat16, if slowly, but oneDNN
has no LSTM for it; on a GPU, support depends on the driver.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

_TOLERANCE = 0.1
"""Largest error in bfloat16, as a share of the tensor's largest value. Rounding to 8 bits is far
below it; a faulty kernel is above."""


def _call(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x)
    return made


def _call_recurrent(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x)[0]
    return made


def _call_attention(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x, x, x, need_weights=False)[0]
    return made


@dataclass(frozen=True)
class LayerKind:
    """A kind of layer to test.

    classes: of torch.nn. make: makes a tiny one. shape: of its input. work: how to call it.
    """

    classes: tuple[type[nn.Module], ...]
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    work: Callable[[nn.Module, Tensor], Tensor] = _call


KINDS: dict[str, LayerKind] = {
    "convolution": LayerKind(
        (nn.Conv1d, nn.Conv2d, nn.Conv3d), lambda: nn.Conv2d(4, 4, 3, padding=1), (2, 4, 6, 6)
    ),
    "transposed convolution": LayerKind(
        (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
        lambda: nn.ConvTranspose2d(4, 4, 3, 2, 1),
        (2, 4, 5, 5),
    ),
    "linear": LayerKind((nn.Linear, nn.Bilinear), lambda: nn.Linear(4, 4), (3, 4)),
    "attention": LayerKind(
        (nn.MultiheadAttention,),
        lambda: nn.MultiheadAttention(4, 2, batch_first=True),
        (2, 3, 4),
        _call_attention,
    ),
    "LSTM": LayerKind(
        (nn.LSTM,),
        lambda: nn.LSTM(4, 4, batch_first=True, bidirectional=True),
        (2, 3, 4),
        _call_recurrent,
    ),
    "GRU": LayerKind((nn.GRU,), lambda: nn.GRU(4, 4, batch_first=True), (2, 3, 4), _call_recurrent),
    "RNN": LayerKind((nn.RNN,), lambda: nn.RNN(4, 4, batch_first=True), (2, 3, 4), _call_recurrent),
}
"""All layers of torch.nn that autocast computes in bfloat16, by the name shown to users."""

ALWAYS = frozenset({"convolution", "linear"})
"""Kinds that are always tested: losses, discriminators and shared weights need them too."""


def layer_kinds(model: nn.Module) -> tuple[str, ...]:
    """Names of the kinds of layers in ``model``, and of those in ``ALWAYS``."""
    classes = {type(module) for module in model.modules()}
    return tuple(
        name
        for name, kind in KINDS.items()
        if name in ALWAYS or any(issubclass(found, kind.classes) for found in classes)
    )


def unsupported_layers(model: nn.Module, device: torch.device) -> tuple[str, ...]:
    """Kinds of layers in ``model`` that ``device`` can't compute in bfloat16."""
    return tuple(name for name in layer_kinds(model) if not supports_bf16(name, device))


@cache
@torch.inference_mode(False)
@torch.enable_grad()
def supports_bf16(name: str, device: torch.device) -> bool:
    """Whether ``device`` computes layers of kind ``name`` in bfloat16, by trial.

    Tests forward, backward and inference against float32 values; cached; takes milliseconds.
    """
    kind = KINDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, x = kind.make(), torch.randn(kind.shape)
    expected = _results(kind, layer, x, half=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # autocast warns where it has no effect
            found = _results(kind, layer.to(device), x.to(device), half=True)
    except (RuntimeError, TypeError):  # PyTorch raises either for unsupported operations
        return False
    # Recurrent layers may return float32 though their products are in bfloat16.
    if name in ALWAYS and found[0].dtype != torch.bfloat16:
        return False
    return all(_is_close(f.float().cpu(), w) for f, w in zip(found, expected, strict=True))


def _results(kind: LayerKind, layer: nn.Module, x: Tensor, *, half: bool) -> list[Tensor]:
    """Output of a layer for ``x``, all gradients, and the output in inference mode."""
    x = x.detach().requires_grad_()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        made = kind.work(layer, x)
    gradients = torch.autograd.grad(made.float().square().sum(), [x, *layer.parameters()])
    with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        inferred = kind.work(layer, x)
    return [made.detach(), *gradients, inferred]


def _is_close(found: Tensor, expected: Tensor) -> bool:
    largest = float(expected.abs().max())
    return bool((found - expected).abs().max() <= _TOLERANCE * largest)  # not so for NaN
