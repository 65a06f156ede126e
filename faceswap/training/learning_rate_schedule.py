"""Learning-rate schedule: linear warm-up, then half a cosine (SGDR)."""

import math

from torch.optim import Optimizer


def set_learning_rate(optimiser: Optimizer, factor: float) -> None:
    """Set every parameter group's rate to ``factor`` times its full rate."""
    for group in optimiser.param_groups:
        group.setdefault("full_lr", group["lr"])
        group["lr"] = group["full_lr"] * factor


def scale_learning_rate(optimiser: Optimizer, factor: float) -> None:
    """Multiply every parameter group's full rate by ``factor``."""
    for group in optimiser.param_groups:
        group["full_lr"] = group.get("full_lr", group["lr"]) * factor


def learning_rate_factor(
    step: int, warmup: int, progress: float | None, last: float = 0.02
) -> float:
    """Factor of the full rate: linear warm-up over ``warmup`` steps, times half a cosine.

    progress: of the training budget, 0 to 1; None for no decay. last: the factor at the end.
    """
    warm = min(1.0, (step + 1) / max(1, warmup))
    if progress is None:
        return warm
    return warm * (last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
