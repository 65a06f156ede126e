"""Device, precision (bfloat16 or float32) and performance settings."""

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
_HOPELESS = 2.0  # times as long as float32, beyond what other load on the machine explains

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of glibc


def pick_device(name: str) -> torch.device:
    """The device called auto, cpu, cuda or mps; auto is the fastest available.

    Raises OptionsError when the device is not available.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next((n for n, present in there.items() if present), "cpu"))
    if not there.get(name, True):
        raise OptionsError(f"There is no device {name} here; use --device auto.")
    return torch.device(name)


def configure_device(device: torch.device) -> None:
    """Set PyTorch's performance options for ``device``.

    On a GPU: TF32 for float32 products, and cuDNN's benchmark mode, as shapes never change. On a
    CPU: keep freed memory, and one thread per physical core.
    """
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    else:
        keep_freed_memory()
        use_physical_cores()


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


def keep_freed_memory() -> None:
    """Make glibc keep freed large blocks, instead of returning them to the system.

    A returned block costs page faults when it is allocated again, hundreds of times in a training
    step: convolutions on two cores were measured 1.2 to 2 times faster with this. Does nothing
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
    """``choice``, or float32 where not all processes chose bfloat16."""
    half = choice.precision == "bf16"
    if group.all_agree(half, device) == half:
        return choice
    return PrecisionChoice(
        "fp32", "Not all processes can compute in bfloat16, so all compute in float32."
    )
