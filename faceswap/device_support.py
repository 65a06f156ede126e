"""What a device can't do of what the parts here ask of it, and what is done instead.

A processor and CUDA can do all of it. Apple's MPS can't, and what it lacks changes from one
version of PyTorch to the next (looked up in those for 2.6 and 2.13), so it is tried, with a few
numbers. Missing everywhere on MPS: float64, which nothing that goes to a device may be.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.events import Notice

Model = TypeVar("Model", bound=nn.Module)

_ON_THE_PROCESSOR = "is done on the processor"


@dataclass(frozen=True)
class Capability:
    """Something asked of a device. name: as users are told; trial: gives on every device what it
    gives on a processor; instead: what is done where it does not, after the name."""

    name: str
    trial: Callable[[torch.device], Tensor]
    instead: str = _ON_THE_PROCESSOR


def _left_out(device: torch.device) -> Tensor:
    """A weight (1,) after a step of the fused optimiser that was to be left out."""
    weight = nn.Parameter(torch.ones(1, device=device))
    weight.grad = torch.ones_like(weight)
    optimiser = torch.optim.AdamW([weight], fused=True)
    optimiser.found_inf = torch.ones((), device=device)  # type: ignore[attr-defined]
    optimiser.step()
    return weight.detach()


def _sampled(device: torch.device, mode: str) -> Tensor:
    grid = torch.tensor([[[[-2.0, 0.1], [0.3, 1.5]]]], device=device)
    return functional.grid_sample(
        _steps(4, 4, device), grid, mode=mode, padding_mode="border", align_corners=False
    )


def _steps(height: int, width: int, device: torch.device) -> Tensor:
    return torch.arange(1.0, 1 + height * width, device=device).view(1, 1, height, width)


def _median(device: torch.device) -> Tensor:
    some = torch.tensor([[3.0, torch.nan, 1.0, 2.0]], device=device)
    found: Tensor = torch.nanmedian(some, 1).values
    return found


def _spectrum(device: torch.device) -> Tensor:
    found: Tensor = torch.fft.fft2(_steps(4, 4, device))
    return found.abs()


FUSED_STEPS = Capability(
    "leaving bad steps out by itself", _left_out, "is done by asking it at every step"
)
EDGES = Capability(
    "repeating a picture's edges",
    partial(_sampled, mode="bilinear"),
    "is done by keeping to the picture",
)
BICUBIC = Capability("bicubic sampling", partial(_sampled, mode="bicubic"))
MEDIANS = Capability("a median of some of the values", _median)
COUNTS = Capability("counting photons", lambda device: torch.poisson(torch.zeros(2, device=device)))
AREAS = Capability(
    "averaging over uneven areas",
    lambda device: functional.adaptive_avg_pool2d(_steps(5, 5, device), 3),
)
SPECTRA = Capability("Fourier transforms", _spectrum)

TRAINING = (FUSED_STEPS, EDGES, MEDIANS, SPECTRA)
LAB = (FUSED_STEPS, EDGES, BICUBIC, COUNTS)
RESTORING = (AREAS,)
EVERYTHING = tuple(dict.fromkeys((*TRAINING, *LAB, *RESTORING)))


@cache
@torch.inference_mode(False)
def supports(ability: Capability, device: torch.device) -> bool:
    """Whether ``device`` has ``ability``; tried once."""
    if device.type != "mps":
        return True
    wanted = ability.trial(torch.device("cpu"))
    try:
        found = ability.trial(device).cpu()
    except (RuntimeError, TypeError, AssertionError):  # PyTorch has no one error for it
        return False
    return torch.allclose(found, wanted, atol=1e-4)


def fallback_notice(
    device: torch.device, asked: tuple[Capability, ...]
) -> Generator[Notice, None, None]:
    """One notice of all that is ``asked`` of ``device`` and done otherwise, if any is."""
    otherwise = [f"{a.name} {a.instead}" for a in asked if not supports(a, device)]
    if otherwise:
        yield Notice(message=f"The device {device.type} can't do everything: {_listed(otherwise)}.")


def with_cpu_fallback(ability: Capability, work: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """``work(*tensors)``, on the processor where the tensors' device lacks ``ability``."""
    device = tensors[0].device
    if supports(ability, device):
        return work(*tensors)
    return work(*(tensor.cpu() for tensor in tensors)).to(device)


def cpu_generator(generator: torch.Generator) -> torch.Generator:
    """``generator``, or where it is elsewhere one on the processor that takes its chance on."""
    if generator.device.type == "cpu":
        return generator
    seed = torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device)
    return torch.Generator().manual_seed(int(seed))


def memory_format(device: torch.device) -> torch.memory_format:
    """How pictures and kernels lie that go to ``device``.

    With the channels last convolutions are fastest; on MPS, several operators were wrong with it,
    and said nothing (PyTorch's issues 107214, 175189, 180984).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def to_device(model: Model, device: torch.device) -> Model:
    """``model`` on ``device``, its kernels laid out as they may be there."""
    if memory_format(device) == torch.contiguous_format:
        return model.to(device, memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]
    return model.to(device)


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
