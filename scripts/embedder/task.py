"""The embedder's training task: two views of a person are alike, of two people they are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from embedder.data import Canvases
from embedder.views import draw_views
from faceswap.faces.embedding_net import CROP_SIZE
from faceswap.training.step import micro_batch_start

TEMPERATURE = 0.12
_RENDERED = 0.2  # share of rendered people in a batch, at most
_HELD_OUT = (512, 4)
_NAMES = ("photographs found", "rendered found")


@dataclass
class Views:
    """Two views (N, 2, 1, 64, 64) of each of N people."""

    crops: Tensor

    def micro_batch(self, index: int, count: int) -> Views:
        """Part ``index`` of ``count``; people in other parts are then no counter-examples."""
        start, end = (micro_batch_start(i, count, len(self.crops)) for i in (index, index + 1))
        return Views(self.crops[start:end])


class SamePersonTask:
    """Tell people apart by contrast within a batch (NT-Xent, Chen et al., SimCLR, ICML 2020).

    Of a photograph two views are drawn, of a rendered person two pictures. Held out are the last
    ``_HELD_OUT`` people of each.
    """

    def __init__(self, photographs: Canvases, rendered: Canvases | None = None) -> None:
        self._sets = (photographs,) if rendered is None else (photographs, rendered)
        self._rows = [
            [np.flatnonzero(found.people == person) for person in range(found.people.max() + 1)]
            for found in self._sets
        ]

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Views:
        """Two views of ``count`` people."""
        second = 0
        if len(self._sets) > 1:
            second = min(round(count * _RENDERED), len(self._rows[1]) - _HELD_OUT[1])
        counts = (count - second, second)
        parts = [
            self._views(number, self._drawn(number, many, generator), generator)
            for number, many in zip(range(len(self._sets)), counts, strict=False)
        ]
        return Views(torch.cat(parts))

    def _drawn(self, number: int, count: int, generator: torch.Generator) -> Tensor:
        known = len(self._rows[number]) - _HELD_OUT[number]
        return torch.randperm(known, generator=generator)[:count]

    def _views(self, number: int, people: Tensor, generator: torch.Generator) -> Tensor:
        """Views (N, 2, 1, 64, 64) of people of one set."""
        found, rows = self._sets[number], self._rows[number]
        both = []
        for person in people.tolist():
            choice = torch.randint(len(rows[person]), (2,), generator=generator)
            both += rows[person][choice.numpy()].tolist()
        turned = torch.full((len(both),), number == 0)
        views = draw_views(
            torch.from_numpy(found.images[both]),
            torch.from_numpy(found.depths[both]).float(),
            torch.from_numpy(found.points[both]),
            turned,
            generator,
        )
        return views.reshape(-1, 2, *views.shape[1:])

    def losses(self, model: nn.Module, batch: Views) -> dict[str, Tensor]:
        """Cross-entropy of finding the other view of each among all of the batch."""
        vectors = model(batch.crops.flatten(0, 1)).float()
        logits = vectors @ vectors.T / TEMPERATURE
        logits = logits.masked_fill(torch.eye(len(logits), dtype=torch.bool), -1e4)
        return {"loss": F.cross_entropy(logits, torch.arange(len(logits)) ^ 1)}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Share of held-out people whose other view is the nearest of all held-out ones."""
        generator = torch.Generator().manual_seed(5)
        found = {}
        for number in range(len(self._sets)):
            many = len(self._rows[number])
            held_out = torch.arange(many - _HELD_OUT[number], many)
            views = self._views(number, held_out, generator)
            vectors = model(views.flatten(0, 1)).float().reshape(len(views), 2, -1)
            nearest = (vectors[:, 0] @ vectors[:, 1].T).argmax(1)
            found[_NAMES[number]] = float((nearest == torch.arange(len(views))).float().mean())
        return found

    def preview(self, model: nn.Module, path: Path) -> None:
        """A sheet of view pairs as the network sees them."""
        generator = torch.Generator().manual_seed(6)
        parts = [self._views(n, self._drawn(n, 24, generator), generator) for n in range(len(self._sets))]
        crops = (torch.cat(parts)[:, :, 0].clamp(0, 1) * 255).byte().numpy()
        rows = [np.hstack(part.reshape(-1, *part.shape[2:])) for part in np.split(crops, 6)]
        cv2.imwrite(str(path), np.vstack(rows))
