"""What a swap model takes: found without making it, among tensors that have no content."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from faceswap.errors import OptionsError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import PRESETS, Preset, SwapConfig, config_of
from faceswap.swap.training.config import ObjectiveConfig
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.memory_estimate import estimate_memory
from faceswap.training.precision import Precision, autocast

TEXTS: dict[Preset, str] = {
    "quick": "learns in minutes, on a processor too",
    "classic": "the original of 2017",
    "df": "keeps B's face shape; wants a graphics card",
    "liae": "lets A's light and shape through; wants a graphics card",
}


_CPU = torch.device("cpu")
_DIRECT = 32


@dataclass(frozen=True)
class StepMemory:
    """Bytes of a training step. states: weights, their average and the optimiser's two moments.
    kept: what the way forward keeps for the way back. most: all there is at once, ``states`` and
    the gradients included; a library's own buffers come on top."""

    states: int
    saved: int
    peak: int


def step_memory(config: SwapConfig, batch: int, precision: Precision = "bf16") -> StepMemory:
    """What a step of ``batch`` faces a side will take on any device, without taking it.

    Of more than ``_DIRECT`` faces, which would take long, by the line through what so many and half
    of them take.
    """
    if batch <= _DIRECT:
        return _stepped_through(config, batch, precision)
    half, whole = (_stepped_through(config, n, precision) for n in (_DIRECT // 2, _DIRECT))
    more = (batch - _DIRECT) / (_DIRECT - _DIRECT // 2)
    kept = round(more * (whole.saved - half.saved))
    # With few faces the weights may decide what is most; with many, it grows by what is kept.
    most = max(kept, round(more * (whole.peak - half.peak)))
    return StepMemory(whole.states, whole.saved + kept, whole.peak + most)


@cache
def _stepped_through(config: SwapConfig, batch: int, precision: Precision) -> StepMemory:
    with FakeTensorMode():
        model = SwapModel(config)
        task = SwapTask({}, model.input_size, ObjectiveConfig(), _CPU)

        def forward() -> Tensor:
            with autocast(_CPU, precision):
                return task.losses(model, _some_batch(model, batch))["loss"]

        found = estimate_memory(forward, list(model.parameters()))
    states = 4 * sum(p.numel() * p.element_size() for p in model.parameters())
    return StepMemory(states, found.saved, states + found.peak)


def _some_batch(model: SwapModel, count: int) -> SwapBatch:
    """One of the right shapes."""
    seen, side = model.input_size, model.resolution
    inputs = torch.empty(2 * count, 3, seen, seen).contiguous(memory_format=torch.channels_last)
    return SwapBatch(
        dict(zip("ab", inputs.chunk(2), strict=True)),
        torch.empty(2 * count, 3, side, side),
        torch.empty(2 * count, 2, side // 2, side // 2),
        torch.empty(2 * count),
        torch.empty(count, dtype=torch.bool),
    )


def preset_stats(
    batch: int, resolution: int | None = None, variant: str | None = None
) -> list[dict[str, Any]]:
    """For each preset: name, resolution, parameters (millions), memory (MiB), cost (GFLOP).

    batch: faces a side in a training step, for its memory in bfloat16 (see ``step_memory``).
    resolution, variant: instead of the presets' own; a preset that can't be made so is left out.
    Raises OptionsError when none can.
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


def model_stats(name: Preset, config: SwapConfig, batch: int) -> dict[str, Any]:
    """As ``preset_stats``, for one model of any configuration."""
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
        "text": TEXTS[name],
    }
