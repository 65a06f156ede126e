"""Late in a run: a second net learns to tell made faces from real ones, and is to be deceived.

Losses that compare pixels are smallest for a mean of all pores and hairs that there could be; a
judge of texture asks for some that there could be.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.discriminator import (
    discriminator_loss,
    generator_loss,
    seeded_discriminator,
)
from faceswap.autoencoder.networks import Decoded
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import to_device
from faceswap.swap.training.config import ObjectiveConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.distributed import ProcessGroup
from faceswap.training.optimisers import make_optimiser, optimiser_step, state_device


@dataclass(frozen=True)
class AdversarialConfig:
    """weight: of the loss that deceiving it costs, 0 without it. begin: share of the run from
    where on it takes part; its weight grows to the whole within ``grow`` of the run more. rate:
    at which it learns itself."""

    weight: float
    begin: float = 0.75
    grow: float = 0.05
    rate: float = 2e-4
    seed: int = 0

    def strength(self, progress: float) -> float:
        """The weight at ``progress``, 0 to 1."""
        return self.weight * min(1.0, max(0.0, progress - self.begin) / self.grow)


class AdversarialTrainer:
    """The judge and its optimiser; a training.state.Companion."""

    def __init__(
        self,
        config: AdversarialConfig,
        device: torch.device,
        group: ProcessGroup = ProcessGroup(),  # noqa: B008  (it is frozen)
    ) -> None:
        self.config = config
        self.judge = to_device(seeded_discriminator(config.seed), device).train()
        self._shared = group.wrap_model(self.judge)
        self._named = dict(self.judge.named_parameters())
        self._optimiser = make_optimiser("adamw", self._named.values(), config.rate)

    def losses(
        self, made: Tensor, real: Tensor, genuine: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Of pictures (N, 3, R, R): what the maker minimises, and what the judge minimises.

        genuine (N,): 0 for those of ``real`` that the judge is not to learn from. The first has
        gradients for ``made`` alone, the second for the judge alone, so that their sum teaches
        both in one pass.
        """
        self.judge.requires_grad_(False)
        deceiving = generator_loss(self.judge(made))
        self.judge.requires_grad_(True)
        about_real, about_made = self._shared(torch.cat([real, made.detach()])).chunk(2)
        return deceiving, discriminator_loss(about_real, about_made, genuine)

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""
        self._optimiser.zero_grad(set_to_none=True)

    def step(self, bad: Tensor) -> None:
        """One step of the judge's, if it took part in this one."""
        gradients = [p.grad for p in self._named.values() if p.grad is not None]
        if not gradients:
            return
        norm = nn.utils.clip_grad_norm_(self._named.values(), 1.0)
        optimiser_step(self._optimiser, torch.maximum(bad, (~torch.isfinite(norm)).float()))

    def tensors(self) -> dict[str, Tensor]:
        """Weights and the optimiser's state."""
        named = {f"judge/{name}": value for name, value in self.judge.state_dict().items()}
        for name, parameter in self._named.items():
            for key, value in self._optimiser.state.get(parameter, {}).items():
                named[f"optimiser/{name}/{key}"] = value
        return named

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Become what ``tensors()`` gave."""
        self._optimiser.state.clear()
        for path, value in tensors.items():
            part, _, name = path.partition("/")
            if part == "judge":
                self.judge.state_dict()[name].copy_(value)
                continue
            name, _, key = name.rpartition("/")
            parameter = self._named[name]
            like = parameter if value.shape == parameter.shape else value
            self._optimiser.state[parameter][key] = torch.empty_like(
                like, dtype=value.dtype, device=state_device(self._optimiser, parameter, key)
            ).copy_(value)


class AdversarialTask(SwapTask):
    """A swap task whose late losses ask to deceive ``adversary`` as well."""

    def __init__(
        self,
        sets: Mapping[str, FaceSet],
        input_size: int,
        objective: ObjectiveConfig,
        device: torch.device,
        adversary: AdversarialTrainer,
        report: ReportProgress = no_report,
    ) -> None:
        super().__init__(sets, input_size, objective, device, report)
        self._adversary = adversary
        self._progress = 0.0

    def batch(self, count: int, generator: Generator, progress: float) -> SwapBatch:
        """As without; remembers how far the run is."""
        self._progress = progress
        return super().batch(count, generator, progress)

    def losses(self, model: nn.Module, batch: SwapBatch) -> dict[str, Tensor]:
        """As without, and late in the run ``adversarial`` and ``judge`` besides."""
        strength = self._adversary.config.strength(self._progress)
        if strength == 0:
            return super().losses(model, batch)
        watched = _Watched(model)
        found = super().losses(watched, batch)
        made = torch.cat([picture for picture, _ in watched.decoded.values()]).float()
        face = functional.interpolate(batch.maps[:, :1], made.shape[-2:], mode="bilinear")
        alone = made * face + batch.targets * (1 - face)
        deceiving, telling = self._adversary.losses(alone, batch.targets, batch.genuine)
        # Both give gradients here, and nothing besides: the loss stays one that can be compared
        # over the whole run, and what the judge learns by is no part of what the model does.
        taught = strength * deceiving + telling
        found["loss"] = found["loss"] + taught - taught.detach()
        return found | {"adversarial": deceiving.detach(), "judge": telling.detach()}


class _Watched(nn.Module):
    """A model that keeps what it gave."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.decoded: dict[str, Decoded] = {}

    def forward(self, faces: Mapping[str, Tensor], exchanged: Tensor | None) -> dict[str, Decoded]:
        self.decoded = self.model(faces, exchanged)
        return self.decoded
