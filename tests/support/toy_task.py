"""A small thing to learn, for tests of how runs are driven."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper, micro_batch_start

CPU = torch.device("cpu")


@dataclass
class Pairs:
    """Inputs (N, 3) and wanted outputs (N, 4)."""

    x: Tensor
    y: Tensor

    def micro_batch(self, index: int, count: int) -> "Pairs":
        start, end = (micro_batch_start(i, count, len(self.x)) for i in (index, index + 1))
        return Pairs(self.x[start:end], self.y[start:end])


class Product:
    """y = W x, exactly. ``limit``: pictures at a time that a made-up memory holds."""

    def __init__(self, limit: int | None = None) -> None:
        self.truth = torch.arange(12.0).reshape(4, 3) / 12
        self.limit = limit
        self.sizes: list[int] = []

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Pairs:
        x = torch.randn(count, 3, generator=generator)
        return Pairs(x, x @ self.truth.T)

    def losses(self, model: nn.Module, batch: Pairs) -> dict[str, Tensor]:
        size = len(batch.x)
        self.sizes.append(size)
        if self.limit is not None and size > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return {"loss": (model(batch.x).float() - batch.y).square().mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {}

    def preview(self, model: nn.Module, path: Path) -> None:
        path.write_bytes(b"picture")


def make_stepper(task: Product, **changes: object) -> TrainStepper:
    """A stepper of ``task`` on a linear model that starts from nothing learnt."""
    torch.manual_seed(0)
    settings: dict[str, object] = {"batch_size": 8, "learning_rate": 1e-3, "precision": "fp32"}
    config = LoopConfig(**(settings | changes))  # type: ignore[arg-type]
    state = TrainingState(nn.Linear(3, 4, bias=False), config, "fp32", CPU)
    return TrainStepper(task, state, config)
