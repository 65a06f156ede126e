"""Patch discriminator for late adversarial fine-tuning (GAN loss).

Pixel losses are smallest for the average of all plausible pores and hairs, which is smooth; a
discriminator of texture asks for one plausible sample.
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
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.distributed import ProcessGroup
from faceswap.training.optimisers import make_optimiser, optimiser_step, state_device


@dataclass(frozen=True)
class AdversarialConfig:
    """weight: of the generator loss, 0 for none. start: share of the run after which it starts; the
    weight then rises linearly over a further share ``ramp``. learning_rate: the
    discriminator's. seed: of its initial weights."""

    weight: float
    start: float = 0.75
    ramp: float = 0.05
    learning_rate: float = 2e-4
    seed: int = 0

    def strength(self, progress: float) -> float:
        """Weight of the generator loss at ``progress``, 0 to 1."""
        return self.weight * min(1.0, max(0.0, progress - self.start) / self.ramp)


class AdversarialTrainer:
    """The discriminator and its optimiser; a training.state.AuxiliaryModel."""

    def __init__(
        self,
        config: AdversarialConfig,
        device: torch.device,
        group: ProcessGroup = ProcessGroup(),  # noqa: B008  (it is frozen)
    ) -> None:
        self.config = config
        self.discriminator = to_device(seeded_discriminator(config.seed), device).train()
        self._shared = group.wrap_model(self.discriminator)
        self._named = dict(self.discriminator.named_parameters())
        self._optimiser = make_optimiser("adamw", self._named.values(), config.learning_rate)

    def losses(
        self, made: Tensor, real: Tensor, is_real: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Generator and discriminator loss of pictures (N, 3, R, R).

        is_real (N,): 0 for those of ``real`` to leave out. The first loss has gradients for
        ``made`` only, the second for the discriminator only, so that one backward pass of their
        sum trains both.
        """
        self.discriminator.requires_grad_(False)
        generator = generator_loss(self.discriminator(made))
        self.discriminator.requires_grad_(True)
        of_real, of_made = self._shared(torch.cat([real, made.detach()])).chunk(2)
        return generator, discriminator_loss(of_real, of_made, is_real)

    def zero_grad(self) -> None:
        """Clear the gradients of the last step."""
        self._optimiser.zero_grad(set_to_none=True)

    def step(self, bad: Tensor) -> None:
        """Step the discriminator, if it has gradients; skipped where ``bad`` is above 0."""
        gradients = [p.grad for p in self._named.values() if p.grad is not None]
        if not gradients:
            return
        norm = nn.utils.clip_grad_norm_(self._named.values(), 1.0)
        optimiser_step(self._optimiser, torch.maximum(bad, (~torch.isfinite(norm)).float()))

    def tensors(self) -> dict[str, Tensor]:
        """Weights and optimiser state, for a checkpoint."""
        named = {f"judge/{name}": value for name, value in self.discriminator.state_dict().items()}
        for name, parameter in self._named.items():
            for key, value in self._optimiser.state.get(parameter, {}).items():
                named[f"optimiser/{name}/{key}"] = value
        return named

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state from ``tensors()``."""
        self._optimiser.state.clear()
        for path, value in tensors.items():
            part, _, name = path.partition("/")
            if part == "judge":
                self.discriminator.state_dict()[name].copy_(value)
                continue
            name, _, key = name.rpartition("/")
            parameter = self._named[name]
            like = parameter if value.shape == parameter.shape else value
            self._optimiser.state[parameter][key] = torch.empty_like(
                like, dtype=value.dtype, device=state_device(self._optimiser, parameter, key)
            ).copy_(value)


class AdversarialTask(SwapTask):
    """Swap task with an adversarial loss late in the run."""

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
        """Batch of SwapTask; stores the progress of the run for the loss."""
        self._progress = progress
        return super().batch(count, generator, progress)

    def losses(self, model: nn.Module, batch: SwapBatch) -> dict[str, Tensor]:
        """Losses of SwapTask and, late in the run, ``adversarial`` and ``judge``."""
        strength = self._adversary.config.strength(self._progress)
        if strength == 0:
            return super().losses(model, batch)
        recorded = _Recorder(model)
        found = super().losses(recorded, batch)
        made = torch.cat([picture for picture, _ in recorded.decoded.values()]).float()
        face = functional.interpolate(batch.maps[:, :1], made.shape[-2:], mode="bilinear")
        alone = made * face + batch.targets * (1 - face)
        generator, discriminator = self._adversary.losses(alone, batch.targets, batch.is_real)
        # Both add gradients but no value: the loss stays comparable over the whole run, and the
        # discriminator's loss says nothing of the model's quality.
        added = strength * generator + discriminator
        found["loss"] = found["loss"] + added - added.detach()
        return found | {"adversarial": generator.detach(), "judge": discriminator.detach()}


class _Recorder(nn.Module):
    """Wrapper that keeps the model's last output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.decoded: dict[str, Decoded] = {}

    def forward(self, faces: Mapping[str, Tensor], exchanged: Tensor | None) -> dict[str, Decoded]:
        self.decoded = self.model(faces, exchanged)
        return self.decoded
