"""Image retrieval: nearest neighbours by cosine similarity of latent codes."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.losses import mse
from faceswap.events import Event
from faceswap.lab.framework.data import PictureSet, Split, load_query, split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import body_for
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import (
    GeometricAugmentation,
    PictureTask,
    ReconstructionLoss,
)
from faceswap.lab.tasks.bottleneck import encoded

BENT = GeometricAugmentation(rotation=20, scale=0.2, shift=0.08, warp=0.2)
"""Augmentation of the inputs for digits, to which the code becomes invariant."""


@dataclass(frozen=True)
class CodeIndex:
    """Search index: codes (N, K) of all pictures, normalised to length 1."""

    codes: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> "CodeIndex":
        """Build an index of codes (N, K)."""
        return cls(functional.normalize(codes, dim=1))

    def nearest(self, queries: Tensor, count: int) -> Tensor:
        """Indices (Q, count) of the nearest codes to queries (Q, K), best first, by cosine."""
        likeness = functional.normalize(queries, dim=1) @ self.codes.T
        return likeness.topk(min(count, len(self.codes)), dim=1).indices


def precision(labels: Tensor, asked: Tensor, found: Tensor) -> float:
    """Precision at k: share of ``found`` (Q, k) with the query's label ``asked`` (Q,)."""
    return float((labels[found] == asked[:, None]).float().mean())


def train_search_encoder(
    settings: TaskSettings, parts: Split, name: str, steps: int
) -> Generator[Event, None, Autoencoder]:
    """Train an autoencoder to reconstruct pictures from rotated, shifted and warped ones.

    Its code becomes invariant to these changes, which helps search and classification with few
    labels. It needs no labels itself.
    """
    config = body_for(parts.training.shape, settings.code or 64, 256)
    grey = parts.training.shape[0] == 1
    bent = BENT if grey else GeometricAugmentation(rotation=10, scale=0.15, shift=0.08, warp=0.1)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, bent
    )
    steps = scaled_steps(steps, parts.training.shape)
    model = yield from train(task, config, settings, TrainingPlan(name, steps))
    assert isinstance(model, Autoencoder)
    return model


def retrieve(settings: TaskSettings) -> TaskFunction:
    """Index pictures by their codes and search them.

    The second input is a query picture, or a folder of them, searched among all pictures; without
    one, test pictures are searched among the training pictures.
    """
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    asked, indexed = parts.test, parts.training
    if len(settings.data) > 1:
        asked, indexed = load_query(settings.data[1], pictures.shape, settings.report), pictures
        yield from notices(asked)
    query = asked.floats().to(settings.device)
    model = yield from train_search_encoder(settings, parts, "retrieve", 4000)
    known = indexed.floats().to(settings.device)
    index, raw = CodeIndex.of(encoded(model, known)), CodeIndex.of(known.flatten(1))
    found = index.nearest(encoded(model, query), 10)
    pixels = raw.nearest(query.flatten(1), 10)
    shown = min(6, len(query))
    rows = [
        (f"query {n + 1} and its ten nearest", torch.cat([query[n : n + 1], known[found[n]]]))
        for n in range(shown)
    ]
    figures: dict[str, object] = {"indexed": len(known), "numbers": model.code}
    each: dict[str, list[Any]] = {}
    if indexed.files:
        each["found"] = [[str(indexed.files[int(i)]) for i in row] for row in found[:50]]
    if len(settings.data) < 2 and parts.test.labels is not None:
        assert parts.training.labels is not None
        mine = precision(parts.training.labels, parts.test.labels, found.cpu())
        plain = precision(parts.training.labels, parts.test.labels, pixels.cpu())
        figures |= {"precision@10": mine, "precision@10 of raw pixels": plain}
        sentence = (
            f"Of the ten pictures nearest by a code of {model.code} numbers, {mine:.1%} have the "
            f"query's class; by all {known[0].numel():,} pixel values it is {plain:.1%}."
        )
    else:
        order = torch.Generator().manual_seed(settings.seed)
        others = known[torch.randint(len(known), (len(query),), generator=order)]
        near, far = float(mse(known[found[:, 0]], query)), float(mse(others, query))
        figures |= {"MSE of the first found": near, "MSE of any other": far}
        sentence = (
            f"{_first(asked, indexed, found, model.code)} Its mean squared difference from the "
            f"query is {near:.4f}, that of a random picture {far:.4f}."
        )
    return (yield from finish(settings, "retrieve", [sheet(rows)], figures, sentence, each))


def _first(asked: PictureSet, indexed: PictureSet, found: Tensor, numbers: int) -> str:
    """Sentence about the best match; found: indices (Q, k)."""
    if len(asked) == 1 and indexed.files:
        nearest = indexed.files[int(found[0, 0])]
        return (
            f"Of {len(indexed):,} pictures, {nearest.parent.name}/{nearest.name} is most like the "
            f"query by a code of {numbers} numbers."
        )
    return (
        f"For each of {len(asked):,} queries the nearest of {len(indexed):,} pictures is found by "
        f"a code of {numbers} numbers."
    )
