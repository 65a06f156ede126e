"""A toy run: learn y = W x from noisy pairs, disturbed at will."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from toy_task import Pairs

from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.loop import TrainingLoop
from faceswap.training.run_identity import RunIdentity
from faceswap.training.state import LoopConfig

Disturbance = Callable[[int, dict[str, Tensor]], dict[str, Tensor]]
"""Makes other losses of those of a call, which is counted from 1."""


class Line:
    """The task. disturb: what happens to its losses. sizes: of the batches it was given."""

    def __init__(self) -> None:
        self.truth = torch.arange(12.0).reshape(4, 3) / 12
        self.disturb: Disturbance = lambda _, x: x
        self.calls = 0
        self.sizes: list[int] = []

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Pairs:
        x = torch.randn(count, 3, generator=generator)
        noise = 0.01 * torch.randn(count, 4, generator=generator)
        return Pairs(x, x @ self.truth.T + noise)

    def losses(self, model: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        self.calls += 1
        self.sizes.append(len(batch.x))
        loss = (model(batch.x).float() - batch.y).square().mean()
        return self.disturb(self.calls, {"loss": loss})

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, nn.Linear)
        error = (model.weight - self.truth).abs().mean().item()
        return {"error": error, "likeness": 1 - error}

    def preview(self, model: nn.Module, path: Path) -> None:
        path.write_bytes(b"picture")


def line_loop(
    folder: Path, task: Line | None = None, losses: dict[str, Any] | None = None, **changes: Any
) -> TrainingLoop:
    """A run of 60 steps in ``folder``; changes: to its LoopConfig."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "steps": 60,
        "batch_size": 8,
        "learning_rate": 0.05,
        "precision": "fp32",
    }
    config = LoopConfig(**(settings | changes))
    model = nn.Linear(3, 4, bias=False)
    run = RunIdentity(folder, "line", {}, losses=losses or {})
    return TrainingLoop(task or Line(), model, config, run)


def resumed(folder: Path, task: Line | None = None, **changes: Any) -> TrainingLoop:
    """As ``line_loop``, going on from the newest save in ``folder``."""
    loop = line_loop(folder, task, **changes)
    loop.resume(read_checkpoint(newest_checkpoint(folder)))
    return loop
