"""What a swap model takes: found without making it, on PyTorch's meta device."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from faceswap.errors import OptionsError
from faceswap.swap.model import PRESETS, Preset, SwapConfig, SwapModel, config_of

TEXTS: dict[Preset, str] = {
    "quick": "learns in minutes, on a processor too",
    "classic": "the original of 2017",
    "df": "keeps B's face shape; wants a graphics card",
    "liae": "lets A's light and shape through; wants a graphics card",
}


def facts(
    batch: int, resolution: int | None = None, variant: str | None = None
) -> list[dict[str, Any]]:
    """For each preset: name, resolution, parameters (millions), memory (MiB), cost (GFLOP).

    batch: faces a side in a training step. Training holds four copies of the weights besides
    the model (average, gradient and two of the optimiser) and every layer's output in bfloat16.
    resolution, variant: instead of the presets' own; a preset that can't be made so is left out.
    Raises OptionsError when none can.
    """
    rows: list[dict[str, Any]] = []
    refused: OptionsError | None = None
    for name in PRESETS:
        try:
            rows.append(facts_of(name, config_of(name, resolution, variant), batch))
        except OptionsError as error:
            refused = error
    if refused is not None and not rows:
        raise refused
    return rows


def facts_of(name: Preset, config: SwapConfig, batch: int) -> dict[str, Any]:
    """As ``facts``, for one model of any configuration."""
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
        "train_memory": (weights * 4 * 5 + 2 * batch * outputs * 2 * 2) / 2**20,
        "swap_memory": (swapping * 4 + outputs * 2) / 2**20,
        "cost": counter.get_total_flops() / 1e9,
        "text": TEXTS[name],
    }
