"""Optimisers (AdamW, AdaBelief, Lion), skipping of bad steps, and EMA of the weights.

Lion and AdaBelief are own code: those of pytorch-optimizer and optimi (0.7 to 1.4 times the time)
cannot skip a step without synchronizing, and count steps in Python, which a CUDA graph would not.

All accept a ``found_inf`` attribute (one float tensor, 1 = skip this step), as PyTorch's fused
optimisers do, so that a bad step is skipped without synchronising. On devices where PyTorch has no
fused optimiser, ``optimiser_step`` synchronises instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

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
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            weights, states = _with_states(self, group, ("exp_avg",))
            means = states["exp_avg"]
            gradients, factor = _gradients(self, weights, means)
            updates = torch._foreach_lerp(gradients, means, beta1)
            torch._foreach_sign_(updates)
            torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
            torch._foreach_lerp_(means, gradients, 1 - beta2)
            _subtract(weights, updates, group["lr"], factor)


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
        for group in self.param_groups:
            (beta1, beta2), eps = group["betas"], group["eps"]
            weights, states = _with_states(self, group, ("exp_avg", "exp_avg_var", "step"))
            means, variances, counts = states.values()
            gradients, factor = _gradients(self, weights, means)
            _add(counts, factor)
            torch._foreach_lerp_(means, gradients, 1 - beta1)
            deviations = torch._foreach_sub(gradients, means)
            torch._foreach_mul_(variances, 1 - (1 - beta2) * factor)
            torch._foreach_addcmul_(variances, deviations, deviations, 1 - beta2)
            _add(variances, eps * factor)
            sizes = torch._foreach_div(variances, _bias_corrections(beta2, counts))
            torch._foreach_sqrt_(sizes)
            torch._foreach_add_(sizes, eps)
            updates = torch._foreach_div(means, _bias_corrections(beta1, counts))
            torch._foreach_div_(updates, sizes)
            torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
            _subtract(weights, updates, group["lr"], factor)


def _with_states(
    optimiser: Optimizer, group: dict[str, Any], names: Sequence[str]
) -> tuple[list[Tensor], dict[str, list[Tensor]]]:
    """Parameters of the group that have gradients, and their states, which start at 0."""
    weights: list[Tensor] = [p for p in group["params"] if p.grad is not None]
    for p in weights:
        if not optimiser.state[p]:
            for name in names:
                scalar = name == "step"
                start = torch.zeros((), device=p.device) if scalar else torch.zeros_like(p)
                optimiser.state[p][name] = start
    return weights, {name: [optimiser.state[p][name] for p in weights] for name in names}


def _gradients(
    optimiser: Optimizer, weights: Sequence[Tensor], means: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor | float]:
    """Gradients, and a factor: 1 to apply the step, 0 to skip it, as ``found_inf`` says.

    Of a skipped step, the gradients are their means, so that these stay as they are. (The product
    with the factor would not do: the gradients may be NaN.)
    """
    gradients = [p.grad for p in weights if p.grad is not None]
    found: Tensor | None = getattr(optimiser, "found_inf", None)
    if found is None:
        return gradients, 1.0
    applied = found == 0
    pairs = zip(gradients, means, strict=True)
    return [torch.where(applied, g, mean) for g, mean in pairs], 1 - found


def _add(tensors: list[Tensor], value: Tensor | float) -> None:
    # One tensor added to a list would be read on the CPU.
    summands = [value] * len(tensors) if isinstance(value, Tensor) else value
    torch._foreach_add_(tensors, summands)


def _bias_corrections(beta: float, counts: list[Tensor]) -> list[Tensor]:
    """1 − beta^count, or of count 1 where every step so far was skipped."""
    powers = torch._foreach_pow(beta, torch._foreach_clamp_min(counts, 1))
    return list(torch._foreach_add(torch._foreach_neg(powers), 1))


def _subtract(
    weights: list[Tensor], updates: tuple[Tensor, ...], rate: float, factor: Tensor | float
) -> None:
    if isinstance(factor, Tensor):
        torch._foreach_mul_(updates, factor)
    torch._foreach_add_(weights, updates, alpha=-rate)


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
    if _counts_on_cpu(optimiser) or _is_free_to_read(bad):
        if not float(bad):  # synchronises
            optimiser.step()
        return
    optimiser.found_inf = bad  # type: ignore[attr-defined]
    optimiser.step()


def _is_free_to_read(value: Tensor) -> bool:
    """Whether reading it does not wait for a device."""
    return value.device.type == "cpu"


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
    # Not by AveragedModel, whose count is a tensor that is read at every step.
    pairs = zip(averaged.parameters(), module.parameters(), strict=True)
    mine, theirs = zip(*((a.detach(), b.detach()) for a, b in pairs), strict=True)
    update: Any = get_ema_multi_avg_fn(min(decay, (1 + step) / (10 + step)))
    update(mine, theirs, step)
    for a, b in zip(averaged.buffers(), module.buffers(), strict=True):
        a.copy_(b)
