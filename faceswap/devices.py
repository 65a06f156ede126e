"""The device that options ask for, with its fallbacks, and the precision of a model on it.

What a device can't do is found out in ``device_support.py``, and for layers in bfloat16 in
``bf16_support.py``.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import nn

from faceswap.bf16_support import supports_bf16, unsupported_layers
from faceswap.device_support import Capability, fallback_notice
from faceswap.errors import OptionsError
from faceswap.events import Notice

Precision = Literal["bf16", "fp32"]

_ROUNDS = 8
_HOPELESS = 2.0  # times as long as float32, beyond what other load on the machine explains


def pick_device(name: str, *, apple: bool = True) -> torch.device:
    """The device called auto, cpu, cuda or mps; auto is the fastest available.

    apple: whether auto may be mps. Raises OptionsError when the device is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        fastest = (n for n, present in there.items() if present and (apple or n != "mps"))
        return torch.device(next(fastest, "cpu"))
    if not there.get(name, True):
        raise OptionsError(f"There is no device {name} here; use --device auto.")
    return torch.device(name)


def resolve_device(
    name: str, needed: tuple[Capability, ...]
) -> Generator[Notice, None, torch.device]:
    """``pick_device``, with a notice of the fallbacks that it needs for what it lacks."""
    device = pick_device(name)
    yield from fallback_notice(device, needed)
    return device


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Autocast context for ``precision``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def model_autocast(model: nn.Module, device: torch.device) -> torch.autocast:
    """Autocast context for ``model``, in the precision of ``choose_precision``."""
    return autocast(device, choose_precision(model, device).precision)


@dataclass(frozen=True)
class PrecisionChoice:
    """Precision for a model. reason: why not bfloat16, where layers do not support it."""

    precision: Precision
    reason: str = ""


def choose_precision(
    model: nn.Module, device: torch.device, asked: Precision | None = None
) -> PrecisionChoice:
    """Precision for ``model`` on ``device``: ``asked``, or the fastest that all layers support.

    Raises OptionsError when bfloat16 is asked for and some layers don't support it.
    """
    if asked is None and not _bf16_by_default(device):
        return PrecisionChoice("fp32")
    found = usable_precision(model, device, asked or "bf16")
    if found.reason and asked is not None:
        raise OptionsError(f"{_unsupported_reason(model, device)}; use --precision auto or fp32.")
    return (
        PrecisionChoice(fastest_precision(device)) if asked is None and not found.reason else found
    )


def usable_precision(model: nn.Module, device: torch.device, wanted: Precision) -> PrecisionChoice:
    """``wanted``, or float32 where ``device`` does not support it for some layers of ``model``."""
    if wanted == "fp32" or not unsupported_layers(model, device):
        return PrecisionChoice(wanted)
    reason = _unsupported_reason(model, device)
    return PrecisionChoice("fp32", f"{reason}; all of this model is computed in float32.")


def _unsupported_reason(model: nn.Module, device: torch.device) -> str:
    names = " and ".join(unsupported_layers(model, device))
    layers = f"{names[0].upper()}{names[1:]} layers"
    return f"{layers} can't be computed in bfloat16 on this machine's {device.type}"


def _bf16_by_default(device: torch.device) -> bool:
    """Whether bfloat16 may be the default on ``device``; it is untested on others."""
    return device.type in ("cpu", "cuda")


@cache
def fastest_precision(device: torch.device) -> Precision:
    """The faster precision for convolutions: known for GPUs, measured on CPUs (about 50 ms).

    CPUs without bfloat16 matrix units emulate it slowly; only a measurement is reliable.
    ``choose_precision`` checks whether other layers support it.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if not _bf16_by_default(device) or not supports_bf16("convolution", device):
        return "fp32"
    names: tuple[Precision, ...] = ("bf16", "fp32")
    best = dict.fromkeys(names, float("inf"))
    # Alternate, and take the best of several rounds, so that other load slows both alike.
    for number in range(_ROUNDS):
        for name in names:
            best[name] = min(best[name], _seconds(name))
        if number and best["bf16"] > _HOPELESS * best["fp32"]:
            break  # it is emulated, and a round takes half a second
    return "bf16" if best["bf16"] < 0.9 * best["fp32"] else "fp32"


@torch.inference_mode(False)
@torch.enable_grad()
def _seconds(precision: Precision) -> float:
    """Seconds of a training step of one convolution; works inside inference mode too."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.Conv2d(64, 128, 3, padding=1)
    x = torch.zeros(8, 64, 24, 24).contiguous(memory_format=torch.channels_last)
    start = time.perf_counter()
    with autocast(torch.device("cpu"), precision):
        y = layer(x)
    torch.autograd.backward(y.float().mean())
    return time.perf_counter() - start
