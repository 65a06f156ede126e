"""Size, memory and compute of a swap model, measured on fake and meta tensors."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from faceswap.devices import Precision, autocast
from faceswap.errors import OptionsError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import PRESETS, SwapConfig, config_of
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.memory_estimate import estimate_memory

_CPU = torch.device("cpu")
_DIRECT = 32
"""Faces per side up to which a step is simulated; more take long and are extrapolated."""


@dataclass(frozen=True)
class StepMemory:
    """Memory of a training step in bytes. states: weights, EMA and two moments of the optimiser.
    saved: activations kept for the backward pass. peak: everything at once, with ``states`` and
    gradients, but without workspaces of libraries."""

    states: int
    saved: int
    peak: int


def step_memory(config: SwapConfig, batch: int, precision: Precision = "bf16") -> StepMemory:
    """Estimate the memory of a training step of ``batch`` faces per side, on any device.

    Above ``_DIRECT`` faces it is extrapolated linearly from that many and half of them.
    """
    if batch <= _DIRECT:
        return _simulate_step(config, batch, precision)
    half, whole = (_simulate_step(config, n, precision) for n in (_DIRECT // 2, _DIRECT))
    more = (batch - _DIRECT) / (_DIRECT - _DIRECT // 2)
    saved = round(more * (whole.saved - half.saved))
    # With few faces the peak may be due to the weights; with many it grows with the activations.
    peak = max(saved, round(more * (whole.peak - half.peak)))
    return StepMemory(whole.states, whole.saved + saved, whole.peak + peak)


@cache
def _simulate_step(config: SwapConfig, batch: int, precision: Precision) -> StepMemory:
    with FakeTensorMode():
        model = SwapModel(config)
        task = SwapTask({}, model.input_size, ObjectiveConfig(), _CPU)

        def forward() -> Tensor:
            with autocast(_CPU, precision):
                return task.losses(model, _empty_batch(model, batch))["loss"]

        found = estimate_memory(forward, list(model.parameters()))
    states = 4 * sum(p.numel() * p.element_size() for p in model.parameters())
    return StepMemory(states, found.saved, states + found.peak)


def _empty_batch(model: SwapModel, count: int) -> SwapBatch:
    """A batch of empty tensors in the right shapes."""
    seen, side = model.input_size, model.resolution
    inputs = torch.empty(2 * count, 3, seen, seen).contiguous(memory_format=torch.channels_last)
    return SwapBatch(
        dict(zip("ab", inputs.chunk(2), strict=True)),
        torch.empty(2 * count, 3, side, side),
        torch.empty(2 * count, 3, side // 2, side // 2),
        torch.empty(2 * count),
        torch.empty(count, dtype=torch.bool),
    )


def preset_stats(
    batch: int, resolution: int | None = None, variant: str | None = None
) -> list[dict[str, Any]]:
    """Statistics of each preset: name, resolution, parameters (millions), memory (MiB), GFLOP.

    batch: faces per side in a training step, for its memory in bfloat16 (see ``step_memory``).
    resolution, variant: override the presets' own; presets that do not allow them are left out.
    Raises OptionsError when none does.
    """
    rows: list[dict[str, Any]] = []
    refused: OptionsError | None = None
    for name in PRESETS:
        try:
            rows.append(model_stats(name, config_of(name, resolution, variant), batch))
        except OptionsError as error:
            refused = error
    if refused is not None and not rows:
        raise refused
    return rows


def model_stats(name: str, config: SwapConfig, batch: int) -> dict[str, Any]:
    """Statistics of one model, as in ``preset_stats``."""
    with torch.device("meta"):
        model = SwapModel(config)
        face = torch.empty(1, 3, config.resolution, config.resolution)
    weights = sum(p.numel() for p in model.parameters())
    outputs = 0

    def count(_: nn.Module, __: Any, out: Tensor) -> None:
        nonlocal outputs
        outputs += out.numel()

    hooks = [
        m.register_forward_hook(count)
        for m in model.modules()
        if isinstance(m, nn.Conv2d | nn.Linear | nn.PixelShuffle)
    ]
    with FlopCounterMode(display=False) as counter:
        model.network.translate(face, "b")
    for hook in hooks:
        hook.remove()
    swapping = sum(p.numel() for n, p in model.named_parameters() if "decoders.a" not in n)
    return {
        "name": name,
        "resolution": config.resolution,
        "parameters": weights / 1e6,
        "train_memory": step_memory(config, batch).peak / 2**20,
        "swap_memory": (swapping * 4 + outputs * 2) / 2**20,
        "cost": counter.get_total_flops() / 1e9,
        "text": PRESETS[name].text(),
    }
