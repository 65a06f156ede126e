"""Shared by both stages of the landmarker's training: losses, EMA, optimiser, checkpoints."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


def wing(distance: Tensor, width: float = 8.0, bend: float = 1.5) -> Tensor:
    """Wing loss (Feng et al. 2018) of a distance in pixels: steep near zero, linear far away."""
    near = width * torch.log1p(distance / bend)
    return torch.where(distance < width, near, distance - width + width * math.log1p(width / bend))


def distance(predicted: Tensor, labels: Tensor) -> Tensor:
    """Euclidean distance (N, K) with a finite gradient at zero."""
    return ((predicted - labels).square().sum(-1) + 1e-4).sqrt()


class Average:
    """Exponential moving average of weights and normalisation statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Update the average with the model's weights."""
        self.count += 1
        rate = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, rate)
            else:
                self.state[name].copy_(value)


class Run:
    """State of a training stage: model, optimiser, EMA and step, with checkpoints."""

    def __init__(
        self, model: nn.Module, path: Path, steps: int, rate: float, warm: int, decay: float
    ) -> None:
        """path: of the checkpoint; warm: warm-up steps; decay: of the EMA."""
        self.model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.path, self.steps, self.step, self.seconds = path, steps, 0, 0.0
        self._rate, self._warm = rate, warm
        gains = [p for p in model.parameters() if p.ndim < 2]
        weights = [p for p in model.parameters() if p.ndim >= 2]
        groups: list[dict[str, Any]] = [
            {"params": weights},
            {"params": gains, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, weight_decay=0.02, fused=True)
        self.average = Average(model, decay)

    def rate(self) -> float:
        """Learning rate of this step: linear warm-up, then half a cosine to zero."""
        warm = min(1.0, (self.step + 1) / self._warm)
        return float(self._rate * warm * (0.5 + 0.5 * math.cos(math.pi * self.step / self.steps)))

    def learn(self, parts: dict[str, Tensor]) -> None:
        """Take an optimiser step on the sum of the loss terms."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.zero_grad()
        sum(parts.values(), torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 20.0)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1

    def save(self) -> None:
        """Write the checkpoint atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state,
            "count": self.average.count,
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def load(self) -> None:
        """Resume from the checkpoint, if there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.state, self.average.count = state["average"], state["count"]
        self.step, self.seconds = state["step"], state["seconds"]


class Report:
    """Prints the mean loss terms every ``every`` steps."""

    def __init__(self, every: int) -> None:
        self._every, self._sums, self._count = every, dict[str, float](), 0

    def add(self, step: int, seconds: float, parts: dict[str, Tensor]) -> None:
        """Add the loss terms of a step; print a line when it is due."""
        self._count += 1
        for name, value in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        if step % self._every == 0:
            means = {name: value / self._count for name, value in self._sums.items()}
            shown = " ".join(f"{name} {value:.3f}" for name, value in means.items())
            print(f"{step} {seconds:.0f}s {shown}", flush=True)
            self._sums, self._count = {}, 0
