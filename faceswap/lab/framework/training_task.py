"""Training tasks and loss functions of the lab's models, for the training loop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.stacked import LayerAutoencoder
from faceswap.autoencoder.variational import (
    Likelihood,
    VariationalAutoencoder,
    negative_elbo,
    warmed_up_beta,
)
from faceswap.device_support import BICUBIC, with_cpu_fallback
from faceswap.lab.framework.data import PictureSet, fingerprint
from faceswap.lab.framework.figure import sheet, write_png
from faceswap.training import augment

Corrupt = Callable[[Tensor, Generator], Tensor]
"""Pictures (N, C, H, W) → corrupted input of the model, possibly with a mask as last channel."""

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class LabBatch:
    """A training batch: inputs and targets (n, C, H, W), labels int64 (n,), noise (n, K) from
    N(0, 1), and the progress of the run from 0 to 1."""

    inputs: Tensor
    targets: Tensor
    labels: Tensor
    noise: Tensor
    progress: float

    def micro_batch(self, index: int, count: int) -> "LabBatch":
        """The ``index``-th of ``count`` equal micro-batches."""
        n = len(self.targets)
        mine = slice(index * n // count, (index + 1) * n // count)
        return LabBatch(
            self.inputs[mine],
            self.targets[mine],
            self.labels[mine],
            self.noise[mine],
            self.progress,
        )


class LossFunction(Protocol):
    """Loss of a model on a batch."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Named scalar losses; ``"loss"`` is minimised, the others are logged."""

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """The model's output on the batch, for previews: (n, C, H, W)."""


def no_corruption(x: Tensor, generator: Generator) -> Tensor:
    """Return the pictures unchanged."""
    return x


@dataclass(frozen=True)
class GeometricAugmentation:
    """Geometric augmentation, each up to ± the given value.

    rotation: degrees. scale: share of the size. shift: share of the side. warp: strength of a
    smooth random warp. flip: probability of a mirror image. sharp: bicubic interpolation, slower
    than bilinear and less blurred.
    """

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    warp: float = 0.0
    flip: float = 0.0
    sharp: bool = False

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Augment pictures (N, C, S, S), each at random."""
        theta = augment.random_affine(
            len(x), self.rotation, self.scale, self.shift, self.flip, generator
        )
        size = x.shape[-1]
        grid = augment.affine_grid(theta, size)
        if self.warp:
            still = augment.affine_grid(torch.eye(2, 3, device=x.device).expand_as(theta), size)
            bent = augment.random_warp(len(x), size, self.warp, generator, (4,))
            grid = grid + bent - still
        if not self.sharp:
            return augment.sample(x, grid)
        return with_cpu_fallback(BICUBIC, _bicubic, x, grid).clamp(0, 1)


def _bicubic(x: Tensor, grid: Tensor) -> Tensor:
    return functional.grid_sample(
        x, grid, mode="bicubic", padding_mode="border", align_corners=False
    )


DIGITS = GeometricAugmentation(rotation=10, scale=0.1, shift=0.04, warp=0.08)
"""Augmentation that keeps a digit's class."""


def random_relighting(x: Tensor, generator: Generator, *, negative: bool = False) -> Tensor:
    """Random gain, offset and colour balance of pictures (N, C, H, W); negative: invert half."""
    n, c = x.shape[:2]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    if negative:
        x = torch.where(uniform(n, 1, 1, 1) < 0.5, 1 - x, x)
    # Brightness by a factor of up to e^0.8 = 2.2 either way, each channel by up to 1.5 more.
    gain = torch.exp((uniform(n, 1, 1, 1) - 0.5) * 1.6 + (uniform(n, c, 1, 1) - 0.5) * 0.8)
    offset = (uniform(n, 1, 1, 1) - 0.5) * 0.2
    return (x * gain + offset).clamp(0, 1)


class PictureTask:
    """Training task on pictures: random batches, augmentation, corruption and a loss function.

    jitter: augments inputs and targets alike. spoil: corrupts the inputs only. aim: the loss.
    dice: random numbers per picture in ``LabBatch.noise``.
    """

    def __init__(
        self,
        training: PictureSet,
        held_out: PictureSet,
        aim: LossFunction,
        device: torch.device,
        spoil: Corrupt = no_corruption,
        jitter: Corrupt | None = None,
        dice: int = 0,
    ) -> None:
        self.fingerprint = fingerprint(
            training.images, *([] if training.labels is None else [training.labels])
        )
        self.mean = float(training.images.float().mean() / 255)
        self._set = training.image_set().to(device)
        self._held_out = held_out.image_set().to(device)
        self._device, self._aim, self._spoil = device, aim, spoil
        self._jitter, self._dice = jitter, dice

    def batch(self, count: int, generator: Generator, progress: float) -> LabBatch:
        """``count`` random pictures, augmented and corrupted."""
        places = torch.randint(len(self._set), (count,), generator=generator, device=self._device)
        x, labels = _converted(self._set.pictures[places], self._set.maps[places])
        if self._jitter is not None:
            x = self._jitter(x, generator)
        return self._batch(x, labels, generator, progress)

    def _batch(self, x: Tensor, labels: Tensor, generator: Generator, progress: float) -> LabBatch:
        shape = (len(x), self._dice)
        noise = torch.randn(shape, generator=generator, device=generator.device)
        return LabBatch(self._spoil(x, generator), x, labels, noise, progress)

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Losses of the loss function."""
        return self._aim.losses(model, batch)

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The losses on held-out pictures, corrupted with the same random numbers each time."""
        totals: dict[str, float] = {}
        for batch in self._held(256):
            for name, value in self._aim.losses(model, batch).items():
                share = len(batch.targets) / len(self._held_out)
                totals[f"held-out {name}"] = totals.get(f"held-out {name}", 0.0) + share * float(
                    value
                )
        return totals

    def _held(self, size: int) -> list[LabBatch]:
        generator = torch.Generator(self._device).manual_seed(1)
        batches = []
        for places in self._held_out.index_batches(size):
            x, labels = _converted(self._held_out.pictures[places], self._held_out.maps[places])
            batches.append(self._batch(x, labels, generator, 1.0))
        return batches

    @torch.no_grad()
    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture of inputs, outputs and targets of eight held-out pictures."""
        batch = self._held(8)[0]
        made = self._aim.output(model, batch)
        channels = made.shape[1]
        rows = [("input", visible_channels(batch.inputs, channels)), ("output", made)]
        rows.append(("target", batch.targets))
        write_png(path, sheet(rows))


def visible_channels(inputs: Tensor, channels: int) -> Tensor:
    """A model's input without its mask channel."""
    return inputs[:, :channels] if inputs.shape[1] > channels else inputs


def _converted(pictures: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    return pictures.float() / 255, maps.view(-1).long()


@dataclass(frozen=True)
class ReconstructionLoss:
    """Reconstruction loss, MSE or mean absolute error, plus an optional penalty.

    penalty: function of the model, the batch and the code, added to the loss.
    """

    loss: Literal["mse", "mae"] = "mse"
    penalty: Callable[[Autoencoder, LabBatch, Tensor], Tensor] | None = None

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """ "mse" is logged whatever is minimised."""
        extra: Losses = {}
        if self.penalty is not None:
            assert isinstance(model, Autoencoder)
            code = model.encode(batch.inputs)
            made = model.decode(code)
            extra["penalty"] = self.penalty(model, batch, code)
        else:
            made = model(batch.inputs)
        d = made.float() - batch.targets
        mse = d.square().mean()
        loss = mse if self.loss == "mse" else d.abs().mean()
        return {"loss": loss + sum(extra.values()), "mse": mse, **extra}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """The model's output."""
        made: Tensor = model(batch.inputs)
        return made


@dataclass(frozen=True)
class ElboLoss:
    """Negative ELBO of a VAE, with KL weight β after a linear warm-up.

    warmup: share of the run. words: function from a batch to its texts (n, T), for conditional
    models.
    """

    beta: float = 1.0
    warmup: float = 0.2
    free_bits: float = 0.0
    words: Callable[[LabBatch], Tensor] | None = None

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """In nats, "loss" in nats per pixel value; "-ELBO" is with β = 1."""
        assert isinstance(model, VariationalAutoencoder)
        noise = batch.noise.view(len(batch.noise), -1, model.latents).transpose(0, 1)
        text = None if self.words is None else self.words(batch)
        raw, q = model(batch.inputs, noise, text)
        beta = warmed_up_beta(self.beta, batch.progress, self.warmup)
        likelihood: Likelihood = "bernoulli" if model.output_activation == "sigmoid" else "gaussian"
        loss, reconstruction, kl = negative_elbo(
            raw,
            q,
            batch.targets,
            likelihood,
            beta,
            self.free_bits,
        )
        # Per pixel value, as the optimiser clips gradients at a norm of 1.
        return {
            "loss": loss / batch.targets[0].numel(),
            "-ELBO": reconstruction + kl,
            "reconstruction": reconstruction,
            "KL": kl,
        }

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """Reconstructions from the posterior means."""
        assert isinstance(model, VariationalAutoencoder)
        text = None if self.words is None else self.words(batch)
        return model.decode(model.posterior(batch.inputs, text).mean, text)


class ClassificationLoss:
    """Cross-entropy of a classifier."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Cross-entropy, and "accuracy" as a share."""
        logits = model(batch.inputs)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return {"loss": functional.cross_entropy(logits, batch.labels), "accuracy": right}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """The targets, with wrongly classified pictures darkened."""
        right = model(batch.inputs).argmax(1) == batch.labels
        return batch.targets * torch.where(right, 1.0, 0.3).view(-1, 1, 1, 1)


class LayerwiseLoss:
    """Loss of greedy layer-wise pre-training; see ``stacked.LayerAutoencoder``."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Mean squared error of the layer's reconstructed input."""
        assert isinstance(model, LayerAutoencoder)
        again, wanted = model(batch.inputs)
        return {"loss": (again - wanted).square().mean()}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """Reconstruction through the layers trained so far."""
        assert isinstance(model, LayerAutoencoder)
        whole, h = model.whole, batch.inputs.flatten(1)
        for number in range(model.number + 1):
            h = whole.encode_layer(number, h)
        for number in reversed(range(model.number + 1)):
            h = whole.decode_layer(number, h)
            if number:
                h = whole.hidden(h)
        return torch.sigmoid(h).view_as(batch.targets)
