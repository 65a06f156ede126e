"""Anomaly detection in pictures and video frames by a VAE of normal pictures."""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder.dense import DenseConfig
from faceswap.autoencoder.variational import (
    VariationalAutoencoder,
    kl_divergence,
    reconstruction_nats,
)
from faceswap.errors import InputError
from faceswap.events import Event, Notice
from faceswap.io.charts import line_chart
from faceswap.lab.framework.data import PictureSet, Split, load_pictures, split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import VariationalConfig, body_for, fitting
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import ElboLoss, GeometricAugmentation, PictureTask
from faceswap.lab.tasks.bottleneck import decoded, encoded, jitter_for

QUANTILE = 0.95
"""Share of normal pictures below the threshold: 5 % false alarms."""


def threshold(normal: NDArray[np.float64], quantile: float = QUANTILE) -> float:
    """Anomaly threshold: the given quantile of the scores of normal samples."""
    return float(np.quantile(normal, quantile))


@torch.no_grad()
def scores(model: VariationalAutoencoder, x: Tensor) -> dict[str, NDArray[np.float64]]:
    """Anomaly scores of pictures (N, C, H, W): squared error, and surprise.

    Surprise is −ELBO at the mean code minus the picture's own cross-entropy: the nats that its
    grey values cost however normal it is.
    """
    error, surprise = [], []
    for part in torch.split(x, 200):
        q = model.posterior(part)
        raw = model.decode_logits(q.mean)
        error.append((torch.sigmoid(raw) - part).square().flatten(1).mean(1))
        nats = reconstruction_nats(raw, part, "bernoulli")
        own = functional.binary_cross_entropy(part, part, reduction="none").flatten(1).sum(1)
        surprise.append(nats - own + kl_divergence(q).sum(1))
    return {
        "squared error": torch.cat(error).cpu().double().numpy(),
        "surprise": torch.cat(surprise).cpu().double().numpy(),
    }


def normal_model(
    settings: TaskSettings, parts: Split, name: str, steps: int, jitter: GeometricAugmentation
) -> Generator[Event, None, VariationalAutoencoder]:
    """Train a VAE on normal pictures: dense, or convolutional above 4,000 values a picture."""
    channels, height, width = parts.training.shape
    body: Any = DenseConfig(
        channels=channels, size=width, height=height, widths=(400, 200), code_active="relu"
    )
    if channels * height * width > 4000:
        body = body_for(parts.training.shape, 256)
    latents = fitting(settings.code or 12, parts.training.shape)
    config = VariationalConfig(body=body, latents=latents)
    task = PictureTask(
        parts.training,
        parts.validation,
        ElboLoss(warmup=0.1),
        settings.device,
        jitter=jitter,
        dice=config.latents,
    )
    steps = scaled_steps(steps, parts.training.shape)
    model = yield from train(task, config, settings, TrainingPlan(name, steps, rate=1e-3))
    assert isinstance(model, VariationalAutoencoder)
    return model


def anomaly(settings: TaskSettings) -> TaskFunction:
    """Detect anomalies: each class in turn against all others; or, with two inputs, in the second
    (pictures or a video) against the first."""
    if len(settings.data) > 1:
        return (yield from _watch(settings))
    pictures = settings.pictures()
    yield from notices(pictures)
    pictures.known_labels("anomaly")
    parts = split_data(pictures, settings.seed)
    x = parts.test.floats().to(settings.device)
    labels = parts.test.known_labels("anomaly").numpy()
    each: dict[str, dict[str, float]] = {}
    rows: list[tuple[str, Tensor]] = []
    every: dict[str, list[float]] = {}
    usual, rare = _usual(parts)
    if not usual:
        raise InputError("There are too few pictures of each class; give more.")
    if rare:
        names = ", ".join(repr(pictures.classes[n]) for n in rare)
        yield Notice(message=f"Classes with too few pictures, not trained on: those of {names}.")
    for number in usual:
        name = pictures.classes[number]
        own = _only(parts, number)
        model = yield from normal_model(
            settings, own, f"anomaly-{number}", 1500, jitter_for(pictures)
        )
        found = scores(model, x)
        for kind, values in found.items():
            every.setdefault(kind, []).append(float(roc_auc_score(labels != number, values)))
        limit = threshold(scores(model, own.validation.floats().to(settings.device))["surprise"])
        alarms = found["surprise"] > limit
        each[name] = {
            "AUROC": every["surprise"][-1],
            "AUROC of squared error": every["squared error"][-1],
            "found": float(alarms[labels != number].mean()),
            "false alarms": float(alarms[labels == number].mean()),
        }
        if number in usual[:3]:
            rows += _heat_rows(model, x, found["surprise"], name)
    mean = {f"mean AUROC by {kind}": float(np.mean(v)) for kind, v in every.items()}
    figures = {"classes": each, **mean}
    caught = float(np.mean([of_class["found"] for of_class in each.values()]))
    sentence = (
        f"Trained on one class at a time, the autoencoder separates other classes with an AUROC "
        f"of {mean['mean AUROC by surprise']:.3f} (mean over {len(usual)} classes; by squared "
        f"error {mean['mean AUROC by squared error']:.3f}); at a threshold that {QUANTILE:.0%} of "
        f"normal pictures pass, {caught:.0%} of the others are detected."
    )
    return (yield from finish(settings, "anomaly", [sheet(rows)], figures, sentence))


def _usual(parts: Split) -> tuple[list[int], list[int]]:
    """Classes with enough pictures to be the normal one, and classes with too few for training,
    threshold or test."""
    known, few = [], []
    for number in range(len(parts.training.classes)):
        learnt, chosen, tested = (len(part) for part in _parts(_only(parts, number)))
        if learnt >= 10 and chosen and 0 < tested < len(parts.test):
            known.append(number)
        elif learnt + chosen + tested:  # class names without any pictures do not count
            few.append(number)
    return known, few


def _parts(split: Split) -> tuple[PictureSet, PictureSet, PictureSet]:
    return split.training, split.validation, split.test


def _only(parts: Split, number: int) -> Split:
    """The split reduced to one class."""
    found = []
    for part in _parts(parts):
        assert part.labels is not None
        found.append(part.subset(torch.nonzero(part.labels == number)[:, 0]))
    return Split(*found)


def _heat_rows(
    model: VariationalAutoencoder, x: Tensor, odd: NDArray[np.float64], name: str
) -> list[tuple[str, Tensor]]:
    places = torch.from_numpy(np.argsort(odd)[np.linspace(0, len(odd) - 1, 10).astype(int)])
    picked = x[places]
    made = decoded(model, encoded(model, picked))
    return [
        (f"normal: {name}; by score, low to high", picked),
        ("reconstruction", made),
        ("difference", heat_map(picked, made)),
    ]


def heat_map(x: Tensor, made: Tensor) -> Tensor:
    """Heat map of differences (N, 3, H, W): 0 black, 1/3 red, 2/3 yellow, 1 white."""
    heat = (x - made).abs().mean(1, keepdim=True) * 3
    return torch.cat([heat, heat - 1, heat - 2], 1).clamp(0, 1)


def _watch(settings: TaskSettings) -> TaskFunction:
    """Detect anomalies in the second input against the first; pictures are numbered from 1."""
    normal = settings.pictures()
    looked = load_pictures(
        settings.data[1], normal.shape[1], normal.shape[0], report=settings.report
    )
    yield from notices(normal, looked)
    parts = split_data(normal, settings.seed)
    mild = GeometricAugmentation(shift=0.02, scale=0.02)
    model = yield from normal_model(settings, parts, "watch", 3000, mild)
    limit = threshold(scores(model, parts.validation.floats().to(settings.device))["squared error"])
    x = looked.floats().to(settings.device)
    odd = scores(model, x)["squared error"]
    alarms = np.flatnonzero(odd > limit)
    worst = np.sort(np.argsort(odd)[-10:])
    places = torch.from_numpy(worst)
    made = decoded(model, encoded(model, x[places]))
    line = {
        "error": [(float(n), float(v)) for n, v in enumerate(odd, 1)],
        "threshold": [(1.0, limit)],
    }
    names: Sequence[str | int] = [str(file) for file in looked.files] or range(1, len(x) + 1)
    blocks = [
        line_chart("Anomaly score of each picture", line, "number", "squared error"),
        sheet(
            [
                ("highest scores", x[places]),
                ("reconstruction", made),
                ("difference", heat_map(x[places], made)),
            ],
            heads=[f"{n + 1:,}" for n in worst],
        ),
    ]
    figures = {"limit": limit, "alarms": len(alarms), "pictures": len(x)}
    each: dict[str, list[Any]] = {
        "alarms": [names[int(n)] for n in alarms],
        "scores": [
            {"picture": name, "error": float(v)}
            for name, v in zip(names, odd.round(6), strict=True)
        ],
    }
    oddest = int(odd.argmax())
    called = f" ({looked.files[oddest].name})" if looked.files else ""
    sentence = (
        f"{len(alarms)} of {len(x)} pictures score above {QUANTILE:.0%} of the normal ones; "
        f"the highest score has number {oddest + 1}{called}."
    )
    return (yield from finish(settings, "anomaly", blocks, figures, sentence, each))
