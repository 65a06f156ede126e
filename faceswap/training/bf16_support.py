"""What each kind of layer can do in bfloat16 on a device, found out by trying it there.

Nothing else tells for sure: a processor without AVX-512 multiplies in bfloat16, if slowly, but
its library knows no LSTM in it; a graphics card may have all or only some, by its driver.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

_NEAR = 0.1
"""How far a value computed in bfloat16 may be off, as a share of the largest beside it. Rounding
to 8 bits stays far below that; a kernel that is wrong does not."""


def _plainly(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x)
    return made


def _over_time(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x)[0]
    return made


def _of_itself(layer: nn.Module, x: Tensor) -> Tensor:
    made: Tensor = layer(x, x, x, need_weights=False)[0]
    return made


@dataclass(frozen=True)
class LayerKind:
    """A kind of layer. classes: those of torch.nn that are of it. make: a tiny one; shape: of an
    input for it; work: how it is called."""

    classes: tuple[type[nn.Module], ...]
    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    work: Callable[[nn.Module, Tensor], Tensor] = _plainly


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
        _of_itself,
    ),
    "LSTM": LayerKind(
        (nn.LSTM,),
        lambda: nn.LSTM(4, 4, batch_first=True, bidirectional=True),
        (2, 3, 4),
        _over_time,
    ),
    "GRU": LayerKind((nn.GRU,), lambda: nn.GRU(4, 4, batch_first=True), (2, 3, 4), _over_time),
    "RNN": LayerKind((nn.RNN,), lambda: nn.RNN(4, 4, batch_first=True), (2, 3, 4), _over_time),
}
"""Whatever of torch.nn autocast computes in bfloat16, by the name that users are told."""

ALWAYS = frozenset({"convolution", "linear"})
"""What models do besides what their layers show: losses, judges, weights that layers share."""


def layer_kinds(model: nn.Module) -> tuple[str, ...]:
    """The names of the kinds of layers in ``model``, and those in ``ALWAYS``."""
    classes = {type(module) for module in model.modules()}
    return tuple(
        name
        for name, kind in KINDS.items()
        if name in ALWAYS or any(issubclass(found, kind.classes) for found in classes)
    )


def unsupported_layers(model: nn.Module, device: torch.device) -> tuple[str, ...]:
    """The kinds of layers of ``model`` that ``device`` can't compute in bfloat16."""
    return tuple(name for name in layer_kinds(model) if not supports_bf16(name, device))


@cache
@torch.inference_mode(False)
@torch.enable_grad()
def supports_bf16(name: str, device: torch.device) -> bool:
    """Whether ``device`` computes the kind ``name`` in bfloat16: forwards, backwards and without
    gradients, with about the values of float32. Tried once, in a few milliseconds."""
    kind = KINDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, x = kind.make(), torch.randn(kind.shape)
    wanted = _answers(kind, layer, x, half=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # autocast warns where it then does nothing
            found = _answers(kind, layer.to(device), x.to(device), half=True)
    except (RuntimeError, TypeError):  # PyTorch has no one error for what it can't do
        return False
    # Layers over time may give float32, of products in bfloat16.
    if name in ALWAYS and found[0].dtype != torch.bfloat16:
        return False
    return all(_alike(f.float().cpu(), w) for f, w in zip(found, wanted, strict=True))


def _answers(kind: LayerKind, layer: nn.Module, x: Tensor, *, half: bool) -> list[Tensor]:
    """What a layer makes of ``x`` and all gradients, and what it makes without any."""
    x = x.detach().requires_grad_()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        made = kind.work(layer, x)
    slopes = torch.autograd.grad(made.float().square().sum(), [x, *layer.parameters()])
    with torch.inference_mode(), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        again = kind.work(layer, x)
    return [made.detach(), *slopes, again]


def _alike(found: Tensor, wanted: Tensor) -> bool:
    largest = float(wanted.abs().max())
    return bool((found - wanted).abs().max() <= _NEAR * largest)  # not so for NaN
