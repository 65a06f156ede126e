"""Generative tasks: VAE likelihood, sampling from random codes, pictures from captions."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.stacked import Classifier
from faceswap.autoencoder.variational import VariationalAutoencoder, negative_elbo
from faceswap.errors import OptionsError
from faceswap.events import Event
from faceswap.lab.framework.data import Split, split_data
from faceswap.lab.framework.figure import grid, sheet
from faceswap.lab.framework.models import ClassifierConfig, VariationalConfig, body_for, fitting
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import ClassificationLoss, ElboLoss, LabBatch, PictureTask
from faceswap.lab.tasks.bottleneck import encoded, jitter_for, train_autoencoder
from faceswap.lab.tasks.captions import Captions

VAE_STEPS = 3000
"""Steps after which a VAE of digits hardly improves."""


def train_vae(
    settings: TaskSettings, parts: Split, latents: int, name: str, steps: int
) -> Generator[Event, None, VariationalAutoencoder]:
    """Train a variational autoencoder."""
    grey = parts.training.shape[0] == 1
    config = vae_config(parts.training.shape, latents)
    jitter = jitter_for(parts.training)
    # The Bernoulli likelihood suits nearly binary digits; for photographs β sets the scale.
    aim = ElboLoss(beta=1.0 if grey else 0.3, warmup=0.1)
    task = PictureTask(
        parts.training, parts.validation, aim, settings.device, jitter=jitter, dice=latents
    )
    steps = scaled_steps(steps, parts.training.shape)
    model = yield from train(task, config, settings, TrainingPlan(name, steps, rate=2e-3))
    assert isinstance(model, VariationalAutoencoder)
    return model


def vae_config(shape: tuple[int, int, int], latents: int, words: int = 0) -> VariationalConfig:
    """VAE configuration for pictures (C, S, S), with a body code no longer than a picture.

    Raises OptionsError as ``models.fitting`` and ``models.body_for`` do.
    """
    body = body_for(shape, min(256, shape[0] * shape[1] * shape[2]))
    return VariationalConfig(body=body, latents=fitting(latents, shape), words=words)


@torch.no_grad()
def elbo(
    model: VariationalAutoencoder, x: Tensor, samples: int = 8, seed: int = 0
) -> tuple[float, float, float]:
    """−ELBO, reconstruction and KL of pictures (N, C, H, W), in nats, means over them."""
    generator = torch.Generator(x.device).manual_seed(seed)
    sums = torch.zeros(3)
    for part in torch.split(x, 200):
        noise = torch.randn(samples, len(part), model.latents, generator=generator, device=x.device)
        raw, q = model(part, noise)
        sums += torch.stack(negative_elbo(raw, q, part)).cpu() * len(part) / len(x)
    return float(sums[0]), float(sums[1]), float(sums[2])


def train_classifier_metric(
    settings: TaskSettings, parts: Split
) -> Generator[Event, None, Classifier]:
    """Train a classifier of the pictures, to score generated ones."""
    body = body_for(parts.training.shape, 64)
    classes = len(parts.training.classes)
    config = ClassifierConfig(body=body, classes=classes)
    task = PictureTask(
        parts.training,
        parts.validation,
        ClassificationLoss(),
        settings.device,
        jitter=jitter_for(parts.training),
    )
    steps = scaled_steps(1000, parts.training.shape)
    model = yield from train(task, config, settings, TrainingPlan("judge", steps, rate=1e-3))
    assert isinstance(model, Classifier)
    return model


@torch.no_grad()
def confidence(model: Classifier, x: Tensor) -> Tensor:
    """Confidence (N,): the softmax probability of the most likely class."""
    return torch.cat([functional.softmax(model(part), 1).amax(1) for part in torch.split(x, 256)])


@dataclass(frozen=True)
class SampleQuality:
    """Quality metric of generated pictures. measure: (N, C, H, W) → (N,); more: whether more is
    better."""

    name: str
    measure: Callable[[Tensor], Tensor]
    more: bool

    def text(self, value: float) -> str:
        """Format a value."""
        return f"{value:.0%}" if self.more else f"{value:.4f}"


def sample_quality(settings: TaskSettings, parts: Split) -> Generator[Event, None, SampleQuality]:
    """Quality metric: a classifier's confidence, or without classes the distance from the nearest
    true picture."""
    if parts.training.labels is not None:
        judging = yield from train_classifier_metric(settings, parts)
        return SampleQuality("confidence", partial(confidence, judging), more=True)
    places = torch.linspace(0, len(parts.training) - 1, min(2000, len(parts.training))).long()
    known = parts.training.subset(places).floats().to(settings.device)
    return SampleQuality("distance", partial(nearest_distance, known), more=False)


def nearest_distance(known: Tensor, x: Tensor) -> Tensor:
    """Least mean squared difference (N,) of each of (N, C, H, W) from any of ``known``."""
    flat = known.flatten(1)
    near = [torch.cdist(part.flatten(1), flat).amin(1) for part in torch.split(x, 256)]
    return torch.cat(near).square() / flat.shape[1]


def relative_distance(known: Tensor, x: Tensor) -> Tensor:
    """``nearest_distance`` over each picture's mean square: about 1 or more for noise."""
    return nearest_distance(known, x) / x.flatten(1).square().mean(1).clamp(min=1e-6)


def vae(settings: TaskSettings) -> TaskFunction:
    """Train a VAE, 20 latent numbers by default, and measure its ELBO in nats."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    latents = settings.code or 20
    model = yield from train_vae(settings, parts, latents, "vae", VAE_STEPS)
    x = parts.test.floats().to(settings.device)
    total, told, kl = elbo(model, x)
    generator = torch.Generator(settings.device).manual_seed(settings.seed)
    z = torch.randn(12, latents, generator=generator, device=settings.device)
    figures = {"latents": latents, "-ELBO": total, "reconstruction": told, "KL": kl}
    with torch.no_grad():
        rows = [
            ("pictures", x[:12]),
            ("reconstruction", model.decode(model.encode(x[:12]))),
            ("from N(0, I)", model.decode(z)),
        ]
    sentence = (
        f"With {latents} latent numbers, test pictures have a negative ELBO of {total:.1f} nats: "
        f"{kl:.1f} for the code (KL) and {told:.1f} for the reconstruction."
    )
    return (yield from finish(settings, "vae", [sheet(rows)], figures, sentence))


def generate(settings: TaskSettings) -> TaskFunction:
    """Decode random codes with a plain autoencoder and with a VAE, and compare the samples."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    latents = settings.code or 20
    yard = yield from sample_quality(settings, parts)
    model = yield from train_vae(settings, parts, latents, "vae", VAE_STEPS)
    plain = yield from train_autoencoder(settings, parts, latents, "plain", 2000)
    flat = yield from train_vae(settings, parts, 2, "manifold", 2000)
    generator = torch.Generator(settings.device).manual_seed(settings.seed)
    z = torch.randn(500, latents, generator=generator, device=settings.device)
    x = parts.test.floats().to(settings.device)
    with torch.no_grad():
        drawn, junk = model.decode(z), plain.decode(z)
        known = encoded(plain, parts.training.floats().to(settings.device))
        fitted = plain.decode(known.mean(0) + z * known.std(0))
        side = torch.linspace(0.03, 0.97, 14, device=settings.device)
        # Quantiles of N(0, 1), for a grid that covers the whole prior.
        ticks = torch.erfinv(2 * side - 1) * 2**0.5
        places = torch.stack(torch.meshgrid(-ticks, ticks, indexing="ij"), -1).view(-1, 2).flip(1)
        title = "Manifold of a VAE with a code of two numbers"
        manifold = grid(flat.decode(places), 14, title=title)
    kinds = {
        "pictures": x,
        "VAE, N(0, I)": drawn,
        "plain, N(0, I)": junk,
        "plain, codes' own mean and spread": fitted,
    }
    rows, figures = [], dict[str, Any]()
    places = torch.linspace(0, len(parts.training) - 1, min(2000, len(parts.training))).long()
    true = parts.training.subset(places).floats().to(settings.device)
    for name, made in kinds.items():
        far = figures[f"distance, {name}"] = float(relative_distance(true, made).mean())
        words = f"distance {far:.0%}"
        if yard.more:
            value = figures[f"{yard.name}, {name}"] = float(yard.measure(made).mean())
            words += f", confidence {value:.0%}"
        rows.append((f"{name}: {words}", made[:12]))
    ours, theirs, own = (
        figures[f"distance, {name}"] for name in ("VAE, N(0, I)", "plain, N(0, I)", "pictures")
    )
    verdict = (
        "only the VAE learns what random codes mean"
        if ours < 0.8 * theirs
        else "the VAE is no better here and needs longer training"
    )
    sentence = (
        f"Random samples of the VAE differ from the nearest true picture by {ours:.0%} of their "
        f"mean square, those of a plain autoencoder by {theirs:.0%}, and test pictures by "
        f"{own:.0%}: {verdict}."
    )
    if yard.more:
        sure = [f"{figures[f'{yard.name}, {name}']:.0%}" for name in kinds]
        sentence += (
            f" A classifier's confidence is {sure[1]}, {sure[2]} and {sure[0]}; it can be high on "
            "noise too."
        )
    return (yield from finish(settings, "generate", [sheet(rows), manifold], figures, sentence))


def caption(settings: TaskSettings) -> TaskFunction:
    """Generate pictures from a caption of class, stroke width and slant by a conditional VAE."""
    pictures = settings.pictures(channels=1)
    yield from notices(pictures)
    labels = pictures.known_labels("text-to-image")
    if len(pictures.classes) > 200:
        raise OptionsError("Captions need pictures of at most 200 classes; give fewer classes.")
    parts = split_data(pictures, settings.seed)
    writer = Captions.fitted(parts.training.floats(), pictures.classes)
    asked = None if settings.text is None else writer.understood(settings.text)
    judging = yield from train_classifier_metric(settings, parts)
    latents = settings.code or 10
    config = vae_config(pictures.shape, latents, len(writer.words))

    def words(batch: LabBatch) -> Tensor:
        return writer.read(batch.targets, batch.labels)

    task = PictureTask(
        parts.training,
        parts.validation,
        ElboLoss(warmup=0.1, words=words),
        settings.device,
        jitter=jitter_for(pictures),
        dice=latents,
    )
    model = yield from train(
        task, config, settings, TrainingPlan("text-to-image", scaled_steps(3000, pictures.shape))
    )
    assert isinstance(model, VariationalAutoencoder)
    generator = torch.Generator(settings.device).manual_seed(settings.seed)
    # Only classes that have pictures were trained.
    known = [int(n) for n in torch.nonzero(torch.bincount(labels))[:, 0]]
    said = [
        (known[number % len(known)], thick, slant)
        for number, (thick, slant) in enumerate(
            [(-1, 0), (1, 0), (0, -1), (0, 1), (1, 1), (-1, -1), (1, -1), (-1, 1)]
        )
    ]
    if asked is not None:
        said.insert(0, asked)
    rows = [
        (writer.text(*what), drawn_as(model, writer.numbers(*what), 10, generator)) for what in said
    ]
    figures = _caption_accuracy(model, judging, writer, known, generator)
    sentence = (
        f"Generated pictures show the caption's class in {figures['right class']:.0%} of cases; "
        f"'thick' has {figures['thick over thin']:.2f} times the ink of 'thin', and 'right' leans "
        f"{figures['right minus left in degrees']:.0f}° more to the right than 'left'. Captions "
        f"are measured from the training pictures, of which there are {len(parts.training):,}."
    )
    return (yield from finish(settings, "text-to-image", [sheet(rows)], figures, sentence))


@torch.no_grad()
def drawn_as(
    model: VariationalAutoencoder, words: list[int], count: int, generator: torch.Generator
) -> Tensor:
    """Generate ``count`` pictures from the word numbers of a caption."""
    device = generator.device
    z = torch.randn(count, model.latents, generator=generator, device=device)
    return model.decode(z, torch.tensor([words] * count, device=device))


def _caption_accuracy(
    model: VariationalAutoencoder,
    judging: nn.Module,
    writer: Captions,
    classes: list[int],
    g: torch.Generator,
) -> dict[str, float]:
    """How well generated pictures match their captions, over all ``classes``."""
    right: list[float] = []
    ink: dict[int, list[Tensor]] = {-1: [], 1: []}
    lean: dict[int, list[Tensor]] = {-1: [], 1: []}
    for number in classes:
        for thick in (-1, 1):
            for slant in (-1, 1):
                made = drawn_as(model, writer.numbers(number, thick, slant), 20, g)
                with torch.no_grad():
                    right.append(float((judging(made).argmax(1) == number).float().mean()))
                ink[thick].append(made.flatten(1).mean(1))
                lean[slant].append(writer.slant(made))
    mean = {key: float(torch.cat(v).mean()) for key, v in ink.items()}
    angle = {key: float(torch.cat(v).mean()) for key, v in lean.items()}
    return {
        "right class": sum(right) / len(right),
        "thick over thin": mean[1] / mean[-1],
        "right minus left in degrees": angle[1] - angle[-1],
    }
