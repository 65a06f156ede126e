"""Optimisers (AdamW, AdaBelief, Lion), skipping of bad steps, and EMA of the weights.

All accept a ``found_inf`` attribute (one float tensor, 1 = skip this step), as PyTorch's fused
optimisers do, so that a bad step is skipped without synchronising. On devices where PyTorch has no
fused optimiser, ``optimiser_step`` synchronises instead.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from faceswap.device_support import FUSED_STEPS, supports

OptimiserName = Literal["adamw", "adabelief", "lion"]


class Lion(Optimizer):
    """Lion: sign of an interpolated momentum, with decoupled weight decay.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv:2302.06675.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update from the gradients; ``closure`` is not used."""
        factor = _step_factor(self)
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["exp_avg"] = torch.zeros_like(p)
                mean = state["exp_avg"]
                update = torch.lerp(p.grad, mean, beta1).sign_()
                update.add_(p, alpha=group["weight_decay"])
                p.sub_(_masked(update, factor), alpha=group["lr"])
                mean.add_(_masked((p.grad - mean).mul_(1 - beta2), factor))


class AdaBelief(Optimizer):
    """AdaBelief: Adam scaled by the variance of the gradient about its running mean.

    Source: Zhuang et al., "AdaBelief optimizer", NeurIPS 2020, arXiv:2010.07468, algorithm 1
    with decoupled weight decay. eps is added to the variance at each step, and to its root.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-12,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update from the gradients; ``closure`` is not used."""
        factor = _step_factor(self)
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), device=p.device)
                    state["exp_avg"], state["exp_avg_var"] = (
                        torch.zeros_like(p),
                        torch.zeros_like(p),
                    )
                step, mean, var = state["step"], state["exp_avg"], state["exp_avg_var"]
                step.add_(1.0 if factor is None else factor)
                mean.add_(_masked((p.grad - mean).mul_(1 - beta1), factor))
                deviation = (p.grad - mean).square_()
                var.add_(_masked((deviation - var).mul_(1 - beta2).add_(group["eps"]), factor))
                size = (var / (1 - beta2**step)).sqrt_().add_(group["eps"])
                update = (mean / (1 - beta1**step)).div_(size).add_(p, alpha=group["weight_decay"])
                p.sub_(_masked(update, factor), alpha=group["lr"])


def _step_factor(optimiser: Optimizer) -> Tensor | None:
    """1 to apply the step, 0 to skip it; None where ``found_inf`` is not set."""
    found: Tensor | None = getattr(optimiser, "found_inf", None)
    return None if found is None else 1 - found


def _masked(update: Tensor, factor: Tensor | None) -> Tensor:
    # Not a product: a skipped update may be NaN.
    return update if factor is None else torch.where(factor > 0, update, torch.zeros_like(update))


def make_optimiser(
    name: OptimiserName, params: Iterable[nn.Parameter], rate: float, decay: float = 1e-4
) -> Optimizer:
    """Make the optimiser ``name``; Lion gets a third of the rate, as its authors advise."""
    trained = [p for p in params if p.requires_grad]
    match name:
        case "adamw":
            fused = all(supports(FUSED_STEPS, device) for device in {p.device for p in trained})
            return AdamW(trained, rate, betas=(0.9, 0.99), weight_decay=decay, fused=fused)
        case "adabelief":
            return AdaBelief(trained, rate, weight_decay=decay)
        case "lion":
            return Lion(trained, rate / 3, weight_decay=3 * decay)


def optimiser_step(optimiser: Optimizer, bad: Tensor) -> None:
    """One optimiser step, skipped where ``bad`` (one float) is 1."""
    if _counts_on_cpu(optimiser):
        if not float(bad):  # synchronises
            optimiser.step()
        return
    optimiser.found_inf = bad  # type: ignore[attr-defined]
    optimiser.step()


def state_device(optimiser: Optimizer, parameter: nn.Parameter, key: str) -> torch.device:
    """Device of the state ``key`` of ``parameter`` in ``optimiser``."""
    on_cpu = key == "step" and _counts_on_cpu(optimiser)
    return torch.device("cpu") if on_cpu else parameter.device


def _counts_on_cpu(optimiser: Optimizer) -> bool:
    """Whether it counts steps on the CPU and ignores ``found_inf``: unfused AdamW."""
    return isinstance(optimiser, AdamW) and not optimiser.defaults["fused"]


def update_ema_(averaged: nn.Module, module: nn.Module, step: int, decay: float) -> None:
    """Update the EMA weights in place.

    The decay grows from 0.1 to ``decay``: the horizon is about a tenth of the steps so far, so that
    early previews do not show the untrained model.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    pairs = zip(averaged.parameters(), module.parameters(), strict=True)
    mine, theirs = zip(*((a.detach(), b.detach()) for a, b in pairs), strict=True)
    torch._foreach_lerp_(mine, theirs, weight)
    for a, b in zip(averaged.buffers(), module.buffers(), strict=True):
        a.copy_(b)
