"""Classification with few labels by encoders pre-trained without labels."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.losses import mse
from faceswap.autoencoder.stacked import Classifier, LayerAutoencoder, unfreeze_layers
from faceswap.events import Event
from faceswap.io.charts import line_chart
from faceswap.lab.framework.data import PictureSet, Split, split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import ClassifierConfig, build, fitting
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    train,
)
from faceswap.lab.framework.training_task import (
    ClassificationLoss,
    GeometricAugmentation,
    LayerwiseLoss,
    PictureTask,
    ReconstructionLoss,
)
from faceswap.lab.tasks.bottleneck import jitter_for
from faceswap.lab.tasks.search import train_search_encoder

STARTS = ("stacked", "scratch")
"""Initial weights of the classifier of ``stacked``: pre-trained or random."""


def few_labelled(pictures: PictureSet, count: int, seed: int) -> PictureSet:
    """Random subset of ``count`` pictures, balanced over the classes as far as possible."""
    labels = pictures.known_labels("classify")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    rank = torch.empty(len(labels), dtype=torch.long)
    for number in torch.unique(labels):
        mine = order[labels[order] == number]
        rank[mine] = torch.arange(len(mine))
    return pictures.subset(torch.argsort(rank * len(labels) + order.argsort())[:count])


@torch.no_grad()
def accuracy(model: nn.Module, pictures: PictureSet, settings: TaskSettings) -> float:
    """Share of correctly classified pictures."""
    labels = pictures.known_labels("classify")
    x = pictures.floats().to(settings.device)
    told = torch.cat([model(part).argmax(1).cpu() for part in torch.split(x, 256)])
    return float((told == labels).float().mean())


@dataclass(frozen=True)
class Start:
    """The encoder that a classifier begins with: as it was pre-trained, or from scratch."""

    body: Autoencoder
    pretrained: bool

    @property
    def rate(self) -> float:
        """Learning rate: a lower one, which does not destroy pre-trained weights."""
        return 3e-4 if self.pretrained else 1e-3


def train_classifier(
    settings: TaskSettings,
    labelled: PictureSet,
    validation: PictureSet,
    start: Start,
    plan: TrainingPlan,
    jitter: GeometricAugmentation | None = None,
) -> Generator[Event, None, nn.Module]:
    """Train a classifier on ``labelled``, at the learning rate of its start."""
    body = start.body
    config = ClassifierConfig(body=_config_of(body), classes=len(labelled.classes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = build(config)
    assert isinstance(model, Classifier)
    if start.pretrained:
        model.body.load_state_dict(body.state_dict())
    task = PictureTask(labelled, validation, ClassificationLoss(), settings.device, jitter=jitter)
    plan = replace(plan, rate=start.rate)
    return (yield from train(task, config, settings, plan, model=model))


def _config_of(body: Autoencoder) -> Any:
    return getattr(body, "config")  # noqa: B009  (every body that can be classified by has one)


def classify(settings: TaskSettings) -> TaskFunction:
    """Compare a classifier on a pre-trained encoder with the same net trained from scratch."""
    pictures = settings.pictures()
    yield from notices(pictures)
    pictures.known_labels("classify")
    parts = split_data(pictures, settings.seed)
    body = yield from train_search_encoder(settings, parts, "encoder", 4000)
    total = len(parts.training)
    counts = sorted({min(100, total), min(1000, total), total})
    lines: dict[str, list[tuple[float, float]]] = {"pre-trained": [], "from scratch": []}
    told: list[dict[str, Any]] = []
    for count in counts:
        labelled = few_labelled(parts.training, count, settings.seed)
        steps = 500 if count <= 100 else 1000
        row: dict[str, Any] = {"labels": count}
        for kind in lines:
            name = f"{kind.replace(' ', '-')}-{count}"
            start, plan = Start(body, kind == "pre-trained"), TrainingPlan(name, steps)
            model = yield from train_classifier(settings, labelled, parts.validation, start, plan)
            row[kind] = accuracy(model, parts.test, settings)
            lines[kind].append((float(count), row[kind]))
        if count == counts[0]:
            # For comparison: the gain of augmentation alone.
            for kind in lines:
                plan = TrainingPlan(f"{kind.replace(' ', '-')}-bent", steps)
                start, jitter = Start(body, kind == "pre-trained"), jitter_for(labelled)
                model = yield from train_classifier(
                    settings, labelled, parts.validation, start, plan, jitter
                )
                row[f"{kind}, pictures bent"] = accuracy(model, parts.test, settings)
        told.append(row)
    plot = line_chart("Accuracy on test pictures", lines, "labels", "accuracy", log_x=True)
    first, last = told[0], told[-1]
    sentence = (
        f"With {counts[0]} labels the pre-trained encoder classifies {first['pre-trained']:.1%} of "
        f"test pictures correctly, the same net from scratch {first['from scratch']:.1%} (with "
        f"augmented pictures, {first['pre-trained, pictures bent']:.1%} and "
        f"{first['from scratch, pictures bent']:.1%}); with all {total:,} it is "
        f"{last['pre-trained']:.1%} and {last['from scratch']:.1%}."
    )
    return (yield from finish(settings, "classify", [plot], {"accuracy": told}, sentence))


def _trained_by_layers(
    settings: TaskSettings,
    parts: Split,
    whole: DenseAutoencoder,
    jitter: GeometricAugmentation | None,
) -> Generator[Event, None, DenseAutoencoder]:
    for number in range(whole.depth):
        task = PictureTask(
            parts.training, parts.validation, LayerwiseLoss(), settings.device, jitter=jitter
        )
        plan, layer = TrainingPlan(f"layer-{number + 1}", 1500), LayerAutoencoder(whole, number)
        stage = yield from train(task, whole.config, settings, plan, model=layer)
        assert isinstance(stage, LayerAutoencoder)
        whole = stage.whole
    return whole


def stacked(settings: TaskSettings) -> TaskFunction:
    """Stacked autoencoder: layer-wise pre-training, fine-tuning, then a classifier."""
    pictures = settings.pictures()
    yield from notices(pictures)
    pictures.known_labels("stacked")
    parts = split_data(pictures, settings.seed)
    channels, height, width = pictures.shape
    config = DenseConfig(
        channels=channels,
        size=width,
        height=height,
        widths=(256, 128, fitting(settings.code or 32, pictures.shape)),
        hidden="leaky",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        whole = DenseAutoencoder(config)
    whole.init_output_bias(float(parts.training.floats().mean()))
    x = parts.test.floats().to(settings.device)
    jitter = jitter_for(pictures)
    figures: dict[str, Any] = {}
    whole = yield from _trained_by_layers(settings, parts, whole, jitter)
    with torch.no_grad():
        made = whole(x)
    figures["test MSE, layers one by one"] = float(mse(made, x))
    rows = [("pictures", x[:12]), ("layer by layer", made[:12])]
    unfreeze_layers(whole)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, jitter=jitter
    )
    tuned = yield from train(task, config, settings, TrainingPlan("fine-tuned", 4000), model=whole)
    assert isinstance(tuned, DenseAutoencoder)
    with torch.no_grad():
        made = tuned(x)
    figures["test MSE, fine-tuned"] = float(mse(made, x))
    rows.append(("fine-tuned together", made[:12]))
    labelled = few_labelled(parts.training, 1000, settings.seed)
    figures["labels"] = len(labelled)
    for kind in STARTS:
        start, plan = Start(tuned, kind == "stacked"), TrainingPlan(f"{kind}-1000", 1500)
        model = yield from train_classifier(settings, labelled, parts.validation, start, plan)
        figures[f"accuracy, {kind}"] = accuracy(model, parts.test, settings)
    told, scratch = (figures[f"accuracy, {kind}"] for kind in STARTS)
    sentence = (
        f"Trained layer by layer the error is {figures['test MSE, layers one by one']:.4f}, after "
        f"fine-tuning {figures['test MSE, fine-tuned']:.4f}; with {len(labelled):,} labels the "
        f"stacked encoder classifies {told:.1%} correctly, the same net from scratch {scratch:.1%}."
    )
    return (yield from finish(settings, "stacked", [sheet(rows)], figures, sentence))
