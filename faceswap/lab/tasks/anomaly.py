"""What does not belong: in pictures, in the frames of a video."""

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
from faceswap.lab.framework.data import PictureSet, Split, load_pictures, split_data
from faceswap.lab.framework.figure import curves, sheet
from faceswap.lab.framework.models import VariationalConfig, body_for, fitting
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import ElboLoss, Jitter, PictureTask
from faceswap.lab.tasks.bottleneck import decoded, encoded, jitter_for

QUANTILE = 0.95
"""Share of normal pictures that shall pass."""


def threshold(normal: NDArray[np.float64], quantile: float = QUANTILE) -> float:
    """The score that this share of normal ones stays below."""
    return float(np.quantile(normal, quantile))


@torch.no_grad()
def scores(model: VariationalAutoencoder, x: Tensor) -> dict[str, NDArray[np.float64]]:
    """How odd each of (N, C, H, W) is: by squared error, and by surprise, which is −ELBO at the
    mean code, less the picture's own entropy: the nats that its ink costs by itself, however
    normal it is."""
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
    settings: TaskSettings, parts: Split, name: str, steps: int, jitter: Jitter
) -> Generator[Event, None, VariationalAutoencoder]:
    """A model of what is normal."""
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
    model = yield from train(task, config, settings, name, steps, rate=1e-3)
    assert isinstance(model, VariationalAutoencoder)
    return model


def anomaly(settings: TaskSettings) -> TaskFunction:
    """Each class in turn is normal and all others are not; or the first input is normal, and
    the second, pictures or a video, is looked at."""
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
        raise InputError("There are too few pictures of each class to learn what is normal.")
    if rare:
        names = ", ".join(repr(pictures.classes[n]) for n in rare)
        yield Notice(message=f"Too few pictures to be taken for normal: those of {names}.")
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
        f"Taught one class at a time, the autoencoder ranks pictures of other classes as odder "
        f"with an AUROC of {mean['mean AUROC by surprise']:.3f} (mean over {len(usual)} "
        f"classes; by squared error {mean['mean AUROC by squared error']:.3f}); with a limit that "
        f"{QUANTILE:.0%} of normal pictures pass, {caught:.0%} of the others are caught."
    )
    return (yield from finish(settings, "anomaly", [sheet(rows)], figures, sentence))


def _usual(parts: Split) -> tuple[list[int], list[int]]:
    """Which classes can be taken for normal, and which have too few pictures to learn from, to
    set the limit by, or to be measured on."""
    known, few = [], []
    for number in range(len(parts.training.classes)):
        learnt, chosen, tested = (len(part) for part in _parts(_only(parts, number)))
        if learnt >= 10 and chosen and 0 < tested < len(parts.test):
            known.append(number)
        elif learnt + chosen + tested:  # names without any pictures are no classes
            few.append(number)
    return known, few


def _parts(split: Split) -> tuple[PictureSet, PictureSet, PictureSet]:
    return split.training, split.validation, split.test


def _only(parts: Split, number: int) -> Split:
    """Those of one class."""
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
        (f"only {name} is normal: usual … odd", picked),
        ("as it can be remembered", made),
        ("where they differ", heat_map(picked, made)),
    ]


def heat_map(x: Tensor, made: Tensor) -> Tensor:
    """Where pictures differ (N, 3, H, W): black, red, yellow, white as the difference grows."""
    heat = (x - made).abs().mean(1, keepdim=True) * 3
    return torch.cat([heat, heat - 1, heat - 2], 1).clamp(0, 1)


def _watch(settings: TaskSettings) -> TaskFunction:
    """What in the second input is unlike the first; numbers of pictures count from 1."""
    normal = settings.pictures()
    looked = load_pictures(
        settings.data[1], normal.shape[1], normal.shape[0], report=settings.report
    )
    yield from notices(normal, looked)
    parts = split_data(normal, settings.seed)
    mild = Jitter(shift=0.02, scale=0.02)
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
        "limit": [(1.0, limit)],
    }
    names: Sequence[str | int] = [str(file) for file in looked.files] or range(1, len(x) + 1)
    blocks = [
        curves("How odd each picture is", line, "number", "squared error"),
        sheet(
            [
                ("the oddest", x[places]),
                ("as remembered", made),
                ("where they differ", heat_map(x[places], made)),
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
        f"{len(alarms)} of {len(x)} pictures are odder than {QUANTILE:.0%} of the normal ones; "
        f"the oddest is number {oddest + 1}{called}."
    )
    return (yield from finish(settings, "anomaly", blocks, figures, sentence, each))
