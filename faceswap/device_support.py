"""Operators that a device lacks, and the fallbacks for them.

CPU and CUDA have all of them. What Apple's MPS lacks differs between versions of PyTorch (checked
in the sources of 2.6 and 2.13), so each operator is probed on a few numbers. MPS never has
float64: don't move float64 tensors to a device.
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

_ON_CPU = "runs on the CPU"


@dataclass(frozen=True)
class Capability:
    """An operator that a device may lack. name: shown to users; probe: its result on the
    device must equal that on the CPU; fallback: what is done instead, a predicate of ``name``."""

    name: str
    probe: Callable[[torch.device], Tensor]
    fallback: str = _ON_CPU


def _skipped_step(device: torch.device) -> Tensor:
    """A weight (1,) after a fused AdamW step that ``found_inf`` must skip."""
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
    "skipping non-finite steps in the optimizer", _skipped_step, "needs a check at every step"
)
EDGES = Capability(
    "border padding in grid sampling",
    partial(_sampled, mode="bilinear"),
    "is replaced by clamping coordinates",
)
BICUBIC = Capability("bicubic sampling", partial(_sampled, mode="bicubic"))
MEDIANS = Capability("nanmedian", _median)
COUNTS = Capability("Poisson noise", lambda device: torch.poisson(torch.zeros(2, device=device)))
AREAS = Capability(
    "adaptive average pooling",
    lambda device: functional.adaptive_avg_pool2d(_steps(5, 5, device), 3),
)
SPECTRA = Capability("Fourier transforms", _spectrum)

TRAINING = (FUSED_STEPS, EDGES, MEDIANS, SPECTRA)
LAB = (FUSED_STEPS, EDGES, BICUBIC, COUNTS)
RESTORATION = (AREAS,)
ALL = tuple(dict.fromkeys((*TRAINING, *LAB, *RESTORATION)))


@cache
@torch.inference_mode(False)
def supports(ability: Capability, device: torch.device) -> bool:
    """Whether ``device`` has ``ability``; probed once, then cached."""
    if device.type != "mps":
        return True
    expected = ability.probe(torch.device("cpu"))
    try:
        found = ability.probe(device).cpu()
    except (RuntimeError, TypeError, AssertionError):  # PyTorch raises any of these
        return False
    return torch.allclose(found, expected, atol=1e-4)


def fallback_notice(
    device: torch.device, asked: tuple[Capability, ...]
) -> Generator[Notice, None, None]:
    """One notice that lists the fallbacks that ``device`` needs of ``asked``; none if none."""
    fallbacks = [f"{a.name} {a.fallback}" for a in asked if not supports(a, device)]
    if fallbacks:
        yield Notice(message=f"The device {device.type} lacks some operators: {_join(fallbacks)}.")


def with_cpu_fallback(ability: Capability, work: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Run ``work(*tensors)``, on the CPU where the tensors' device lacks ``ability``."""
    device = tensors[0].device
    if supports(ability, device):
        return work(*tensors)
    return work(*(tensor.cpu() for tensor in tensors)).to(device)


def cpu_generator(generator: torch.Generator) -> torch.Generator:
    """``generator`` if it is on the CPU, else a CPU generator seeded from it."""
    if generator.device.type == "cpu":
        return generator
    seed = torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device)
    return torch.Generator().manual_seed(int(seed))


def memory_format(device: torch.device) -> torch.memory_format:
    """Memory format of images and convolution kernels on ``device``.

    channels_last is fastest for convolutions; on MPS it made several operators return wrong
    results without an error (PyTorch issues 107214, 175189, 180984).
    """
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def to_device(model: Model, device: torch.device) -> Model:
    """Move ``model`` to ``device``, in contiguous format where channels_last is not safe."""
    if memory_format(device) == torch.contiguous_format:
        return model.to(device, memory_format=torch.contiguous_format)  # type: ignore[call-overload, no-any-return]
    return model.to(device)


def _join(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
