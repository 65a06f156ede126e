"""Which number format to compute in, and the processor's own settings."""

import ctypes
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import nn

from faceswap.errors import OptionsError
from faceswap.training.bf16_support import supports_bf16, unsupported_layers
from faceswap.training.distributed import ProcessGroup
from faceswap.training.threads import use_physical_cores

Precision = Literal["bf16", "fp32"]

_ROUNDS = 8
_HOPELESS = 2.0  # times as long as float32: what no other work on the machine makes up for

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # glibc's names for mallopt


def pick_device(name: str) -> torch.device:
    """The device called auto, cpu, cuda or mps; auto is the fastest that is there.

    Raises OptionsError when the one asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((n for n, present in there.items() if present), "cpu"))
    if not there.get(name, True):
        raise OptionsError(f"There is no device {name} here; use --device auto.")
    return torch.device(name)


def configure_device(device: torch.device) -> None:
    """Let ``device`` compute as fast as it can where nobody sees the difference.

    On a graphics card what stays float32 is multiplied in TF32, and the fastest kernels for the
    shapes at hand are looked for once, as they never change; on a processor freed memory is
    kept, and its threads are as many as its real cores.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    else:
        keep_freed_memory()
        use_physical_cores()


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """A context in which matrix work is done in ``precision``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def model_autocast(model: nn.Module, device: torch.device) -> torch.autocast:
    """A context in which ``model``'s matrix work is done in what ``choose`` says."""
    return autocast(device, choose_precision(model, device).precision)


@dataclass(frozen=True)
class PrecisionChoice:
    """What a model is computed in. reason: why not in bfloat16, where its layers are to blame."""

    precision: Precision
    reason: str = ""


def choose_precision(
    model: nn.Module, device: torch.device, asked: Precision | None = None
) -> PrecisionChoice:
    """What ``model`` is computed in on ``device``: the faster of what all its layers can be
    computed in, unless one is ``asked`` for.

    Raises OptionsError when bfloat16 is asked for and some layers can't be.
    """
    if asked is None and not _by_choice(device):
        return PrecisionChoice("fp32")
    found = usable_precision(model, device, asked or "bf16")
    if found.reason and asked is not None:
        raise OptionsError(f"{_layers_to_blame(model, device)}; use --precision auto or fp32.")
    return (
        PrecisionChoice(fastest_precision(device)) if asked is None and not found.reason else found
    )


def usable_precision(model: nn.Module, device: torch.device, wanted: Precision) -> PrecisionChoice:
    """``wanted``, or float32 where ``device`` can't compute some of ``model``'s layers in it."""
    if wanted == "fp32" or not unsupported_layers(model, device):
        return PrecisionChoice(wanted)
    blame = _layers_to_blame(model, device)
    return PrecisionChoice("fp32", f"{blame}; all of this model is computed in float32.")


def _layers_to_blame(model: nn.Module, device: torch.device) -> str:
    names = " and ".join(unsupported_layers(model, device))
    layers = f"{names[0].upper()}{names[1:]} layers"
    return f"{layers} can't be computed in bfloat16 on this machine's {device.type}"


def _by_choice(device: torch.device) -> bool:
    """Whether bfloat16 may be taken on ``device`` unasked: on others nobody measured it."""
    return device.type in ("cpu", "cuda")


@cache
def fastest_precision(device: torch.device) -> Precision:
    """The faster format here: known for graphics cards, measured on processors (about 50 ms).

    Processors without matrix units for bfloat16 emulate it slowly, and nothing but a measurement
    tells for sure. It is that of convolutions; what other layers can do at all, ``choose`` knows.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if not _by_choice(device) or not supports_bf16("convolution", device):
        return "fp32"
    names: tuple[Precision, ...] = ("bf16", "fp32")
    best = dict.fromkeys(names, float("inf"))
    # Turn about, and the best of several: other work on the machine then slows both alike.
    for number in range(_ROUNDS):
        for name in names:
            best[name] = min(best[name], _seconds(name))
        if number and best["bf16"] > _HOPELESS * best["fp32"]:
            break  # where it is emulated, a round takes half a second
    return "bf16" if best["bf16"] < 0.9 * best["fp32"] else "fp32"


@torch.inference_mode(False)
@torch.enable_grad()
def _seconds(precision: Precision) -> float:
    """Time of a training step of one convolution, also when asked from inside inference."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.Conv2d(64, 128, 3, padding=1)
    x = torch.zeros(8, 64, 24, 24).contiguous(memory_format=torch.channels_last)
    start = time.perf_counter()
    with autocast(torch.device("cpu"), precision):
        y = layer(x)
    torch.autograd.backward(y.float().mean())
    return time.perf_counter() - start


def keep_freed_memory() -> None:
    """Let the C library keep large blocks that tensors free, instead of giving them back.

    Each block given back costs page faults when it is asked for again, which a training step
    does hundreds of times: measured 1.2 to 2 times for convolutions on two cores. Does nothing
    where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, 2**31 - 1)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def agree_on_precision(
    choice: PrecisionChoice, group: ProcessGroup, device: torch.device
) -> PrecisionChoice:
    """``choice``, or float32 where not all of several processes take bfloat16."""
    half = choice.precision == "bf16"
    if group.all_agree(half, device) == half:
        return choice
    return PrecisionChoice(
        "fp32", "Not all processes can compute in bfloat16, so all compute in float32."
    )
