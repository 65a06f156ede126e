"""Optimisers and the rate at which they learn.

All accept a ``found_inf`` attribute (one float tensor, 1 = leave this step out), as PyTorch's
fused optimisers do, so that a bad step is skipped without asking the device. Where a device
ignores it in those, ``optimiser_step`` asks.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from faceswap.device_support import FUSED_STEPS, supports

OptimiserName = Literal["adamw", "adabelief", "lion"]


class Lion(Optimizer):
    """Sign of an interpolated momentum, with decoupled weight decay.

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
        go = _go(self)
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
                p.sub_(_kept(update, go), alpha=group["lr"])
                mean.add_(_kept((p.grad - mean).mul_(1 - beta2), go))


class AdaBelief(Optimizer):
    """Adam whose step is scaled by how far the gradient strays from its running mean.

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
        go = _go(self)
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
                step.add_(1.0 if go is None else go)
                mean.add_(_kept((p.grad - mean).mul_(1 - beta1), go))
                surprise = (p.grad - mean).square_()
                var.add_(_kept((surprise - var).mul_(1 - beta2).add_(group["eps"]), go))
                size = (var / (1 - beta2**step)).sqrt_().add_(group["eps"])
                update = (mean / (1 - beta1**step)).div_(size).add_(p, alpha=group["weight_decay"])
                p.sub_(_kept(update, go), alpha=group["lr"])


def _go(optimiser: Optimizer) -> Tensor | None:
    """1 where the step counts and 0 where not; None when nobody asked."""
    found: Tensor | None = getattr(optimiser, "found_inf", None)
    return None if found is None else 1 - found


def _kept(update: Tensor, go: Tensor | None) -> Tensor:
    # Not a product: what is left out may hold NaN.
    return update if go is None else torch.where(go > 0, update, torch.zeros_like(update))


def make_optimiser(
    name: OptimiserName, params: Iterable[nn.Parameter], rate: float, decay: float = 1e-4
) -> Optimizer:
    """The optimiser called ``name``; Lion gets a third of the rate, as its authors advise."""
    wanted = [p for p in params if p.requires_grad]
    match name:
        case "adamw":
            fused = all(supports(FUSED_STEPS, device) for device in {p.device for p in wanted})
            return AdamW(wanted, rate, betas=(0.9, 0.99), weight_decay=decay, fused=fused)
        case "adabelief":
            return AdaBelief(wanted, rate, weight_decay=decay)
        case "lion":
            return Lion(wanted, rate / 3, weight_decay=3 * decay)


def optimiser_step(optimiser: Optimizer, bad: Tensor) -> None:
    """One step from the gradients, left out where ``bad`` (one float) is 1."""
    if _counts_aside(optimiser):
        if not float(bad):  # waits for the device
            optimiser.step()
        return
    optimiser.found_inf = bad  # type: ignore[attr-defined]
    optimiser.step()


def state_device(optimiser: Optimizer, parameter: nn.Parameter, key: str) -> torch.device:
    """Where ``optimiser`` keeps what it knows of ``parameter`` under ``key``."""
    aside = key == "step" and _counts_aside(optimiser)
    return torch.device("cpu") if aside else parameter.device


def _counts_aside(optimiser: Optimizer) -> bool:
    """Whether it is one that counts steps on the processor and knows no ``found_inf``."""
    return isinstance(optimiser, AdamW) and not optimiser.defaults["fused"]


def update_ema_(averaged: nn.Module, module: nn.Module, step: int, decay: float) -> None:
    """Move the averaged weights towards the present ones, in place.

    The horizon is a tenth of the steps so far until it reaches 1 / (1 − decay), so that early
    pictures are not those of the untrained net.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    pairs = zip(averaged.parameters(), module.parameters(), strict=True)
    mine, theirs = zip(*((a.detach(), b.detach()) for a, b in pairs), strict=True)
    torch._foreach_lerp_(mine, theirs, weight)
    for a, b in zip(averaged.buffers(), module.buffers(), strict=True):
        a.copy_(b)
