"""What the lab's models learn, as tasks of the training loop."""

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
"""Pictures (N, C, H, W) → what the model sees of them, possibly with a mask as last channel."""

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class LabBatch:
    """inputs and targets (n, C, H, W), labels int64 (n,), dice (n, K) of N(0, 1); progress of
    the run from 0 to 1."""

    inputs: Tensor
    targets: Tensor
    labels: Tensor
    noise: Tensor
    progress: float

    def micro_batch(self, index: int, count: int) -> "LabBatch":
        """The ``index``-th of ``count`` equal portions."""
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
    """What is learnt of a batch."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Named scalars, the one minimised under ``"loss"``."""

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """What ``model`` makes of the batch, to be shown: (n, C, H, W)."""


def no_corruption(x: Tensor, generator: Generator) -> Tensor:
    """Nothing is spoilt."""
    return x


@dataclass(frozen=True)
class Jitter:
    """Small changes that make a few pictures many: degrees, shares of the size, of the side;
    warp: strength of a smooth distortion; flip: probability of a mirror image. sharp: by bicubic
    interpolation, which takes longer than bilinear one and blurs less."""

    rotation: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    warp: float = 0.0
    flip: float = 0.0
    sharp: bool = False

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        """Pictures (N, C, S, S), each changed by chance."""
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


DIGITS = Jitter(rotation=10, scale=0.1, shift=0.04, warp=0.08)
"""What a digit survives and stays the same digit."""


def random_relighting(x: Tensor, generator: Generator, *, negative: bool = False) -> Tensor:
    """Pictures (N, C, H, W) in another light: gain, offset and colour by chance, and half of
    them as negatives where asked for."""
    n, c = x.shape[:2]

    def drawn(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    if negative:
        x = torch.where(drawn(n, 1, 1, 1) < 0.5, 1 - x, x)
    gain = torch.exp((drawn(n, 1, 1, 1) - 0.5) * 1.6 + (drawn(n, c, 1, 1) - 0.5) * 0.8)
    offset = (drawn(n, 1, 1, 1) - 0.5) * 0.2
    return (x * gain + offset).clamp(0, 1)


class PictureTask:
    """Draws pictures, spoils them, and asks an aim for the losses; a training.loop.Task.

    jitter changes pictures and targets alike, and spoil what the model sees.
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
        """``count`` pictures, drawn, changed and spoilt."""
        places = torch.randint(len(self._set), (count,), generator=generator, device=self._device)
        x, labels = _taken(self._set.pictures[places], self._set.maps[places])
        if self._jitter is not None:
            x = self._jitter(x, generator)
        return self._batch(x, labels, generator, progress)

    def _batch(self, x: Tensor, labels: Tensor, generator: Generator, progress: float) -> LabBatch:
        shape = (len(x), self._dice)
        dice = torch.randn(shape, generator=generator, device=generator.device)
        return LabBatch(self._spoil(x, generator), x, labels, dice, progress)

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Those of the aim."""
        return self._aim.losses(model, batch)

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The same losses on held-out pictures, spoilt by the same chance each time."""
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
            x, labels = _taken(self._held_out.pictures[places], self._held_out.maps[places])
            batches.append(self._batch(x, labels, generator, 1.0))
        return batches

    @torch.no_grad()
    def preview(self, model: nn.Module, path: Path) -> None:
        """What the model sees, makes and should make, of eight held-out pictures."""
        batch = self._held(8)[0]
        made = self._aim.output(model, batch)
        channels = made.shape[1]
        rows = [("seen", visible_channels(batch.inputs, channels)), ("made", made)]
        rows.append(("wanted", batch.targets))
        write_png(path, sheet(rows))


def visible_channels(inputs: Tensor, channels: int) -> Tensor:
    """What of a model's input is a picture."""
    return inputs[:, :channels] if inputs.shape[1] > channels else inputs


def _taken(pictures: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    return pictures.float() / 255, maps.view(-1).long()


@dataclass(frozen=True)
class ReconstructionLoss:
    """Make the targets of the inputs. loss: of the squared differences or the absolute ones.

    penalty, where there is one, is added: it takes the model, the batch and the code.
    """

    loss: Literal["mse", "mae"] = "mse"
    penalty: Callable[[Autoencoder, LabBatch, Tensor], Tensor] | None = None

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """Under "mse" the mean squared difference, whatever is minimised."""
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
        """The model's answer."""
        made: Tensor = model(batch.inputs)
        return made


@dataclass(frozen=True)
class ElboLoss:
    """−ELBO of a variational autoencoder, KL weighed with β after a warm-up.

    words: labels to texts (n, T) for conditional models.
    """

    beta: float = 1.0
    warmup: float = 0.2
    free_bits: float = 0.0
    words: Callable[[LabBatch], Tensor] | None = None

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """All in nats; "-ELBO" is the true one, with β = 1."""
        assert isinstance(model, VariationalAutoencoder)
        dice = batch.noise.view(len(batch.noise), -1, model.latents).transpose(0, 1)
        text = None if self.words is None else self.words(batch)
        raw, q = model(batch.inputs, dice, text)
        beta = warmed_up_beta(self.beta, batch.progress, self.warmup)
        likelihood: Likelihood = "bernoulli" if model.squash == "sigmoid" else "gaussian"
        loss, told, kl = negative_elbo(
            raw,
            q,
            batch.targets,
            likelihood,
            beta,
            self.free_bits,
        )
        # The optimiser clips gradients at a norm of 1, so the loss is taken per value.
        pixels = batch.targets[0].numel()
        return {"loss": loss / pixels, "-ELBO": told + kl, "reconstruction": told, "KL": kl}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """What the mean of each picture's distribution decodes to."""
        assert isinstance(model, VariationalAutoencoder)
        text = None if self.words is None else self.words(batch)
        return model.decode(model.posterior(batch.inputs, text).mean, text)


class ClassificationLoss:
    """Cross-entropy of a classifier."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """ "accuracy" besides, as a share."""
        logits = model(batch.inputs)
        right = (logits.argmax(1) == batch.labels).float().mean()
        return {"loss": functional.cross_entropy(logits, batch.labels), "accuracy": right}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """Pictures that were told right; the others are darkened."""
        right = model(batch.inputs).argmax(1) == batch.labels
        return batch.targets * torch.where(right, 1.0, 0.3).view(-1, 1, 1, 1)


class LayerwiseLoss:
    """Greedy pre-training of one layer; see ``stacked.LayerAutoencoder``."""

    def losses(self, model: nn.Module, batch: LabBatch) -> Losses:
        """The mean squared difference of what the layer remembers from its input."""
        assert isinstance(model, LayerAutoencoder)
        again, wanted = model(batch.inputs)
        return {"loss": (again - wanted).square().mean()}

    def output(self, model: nn.Module, batch: LabBatch) -> Tensor:
        """What the whole makes, with layers above still untrained left out."""
        assert isinstance(model, LayerAutoencoder)
        whole, h = model.whole, batch.inputs.flatten(1)
        for number in range(model.number + 1):
            h = whole.encode_layer(number, h)
        for number in reversed(range(model.number + 1)):
            h = whole.decode_layer(number, h)
            if number:
                h = whole.hidden(h)
        return torch.sigmoid(h).view_as(batch.targets)
