"""The learning rate over a run: linear warm-up, then half a cosine."""

import math

from torch.optim import Optimizer


def set_learning_rate(optimiser: Optimizer, factor: float) -> None:
    """Set every group's rate to ``factor`` times what it was made with."""
    for group in optimiser.param_groups:
        group.setdefault("full_lr", group["lr"])
        group["lr"] = group["full_lr"] * factor


def scale_learning_rate(optimiser: Optimizer, factor: float) -> None:
    """Make every group's full rate ``factor`` times what it is."""
    for group in optimiser.param_groups:
        group["full_lr"] = group.get("full_lr", group["lr"]) * factor


def learning_rate_factor(
    step: int, warmup: int, progress: float | None, last: float = 0.02
) -> float:
    """Share of the full rate: a linear warm-up over ``warmup`` steps, then half a cosine.

    progress: how far the run is, 0 to 1, where its end is known; without one the rate stays.
    last: the share at the end.
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    if progress is None:
        return warm
    return warm * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
