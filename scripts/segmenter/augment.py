"""Training batches of the built-in segmenter: crops as footage and networks show them.

Every batch is drawn from a generator seeded with (seed, step), so runs are reproducible.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from faceswap.faces.align import FRAMINGS
from faceswap.faces.labels import Label
from faceswap.faces.segment_net import SEGMENT_SIZE
from faceswap.types import UInt8Image
from segmenter.data import ANYTHING, CANVAS, CANVAS_FRAMING, Canvases, Labels, bits

_FACE, _HEAD = FRAMINGS["face"], FRAMINGS["head"]
_IN_FRONT = bits(Label.IN_FRONT)
_LEAST_GLASSES, _LEAST_HAIR = 120, 500
_GLASSES_PUT_ON, _HAIR_PUT_ON = 0.3, 0.25
_BEFORE_PHOTOGRAPHS = 0.35
"""Probability of a cut-out before a photograph, which shows nothing in front of its own."""


@dataclass(frozen=True)
class CutOut:
    """Something in front, cut out of a rendered picture: RGB (h, w, 3) and its alpha (h, w)."""

    image: UInt8Image
    alpha: NDArray[np.float32]


def cut_outs(canvases: Canvases, fewest: int = 300) -> list[CutOut]:
    """Hands, cups, microphones and telephones of at least ``fewest`` pixels."""
    found = []
    for image, labels in zip(canvases.images, canvases.labels, strict=True):
        mask = (labels == _IN_FRONT).astype(np.uint8)
        if mask.sum() < fewest:
            continue
        x, y, width, height = cv2.boundingRect(mask)
        place = (slice(y, y + height), slice(x, x + width))
        alpha = cv2.erode(mask[place], np.ones((2, 2), np.uint8)).astype(np.float32)
        found.append(CutOut(image[place], alpha))
    return found


@dataclass(frozen=True)
class Worn:
    """Rendered canvases whose glasses, or whose hair before the face, may be put on others.

    All canvases are aligned, so what one wears sits right on another.
    """

    canvases: Canvases
    glasses: NDArray[np.intp]
    hair: NDArray[np.intp]

    @classmethod
    def of(cls, canvases: Canvases) -> Worn:
        """Those of ``canvases`` with enough of either."""
        pixels = CANVAS / CANVAS_FRAMING.side
        grid = (np.arange(CANVAS) - (CANVAS - 1) / 2) / pixels
        x, y = grid[None, :] + CANVAS_FRAMING.x, grid[:, None] + CANVAS_FRAMING.y
        face = (x / 0.75) ** 2 + ((y + 0.05) / 0.95) ** 2 < 1
        glasses = (canvases.labels == bits(Label.GLASSES)).sum((1, 2)) > _LEAST_GLASSES
        hair = ((canvases.labels == bits(Label.HAIR)) & face).sum((1, 2)) > _LEAST_HAIR
        return cls(canvases, np.flatnonzero(glasses), np.flatnonzero(hair))

    def put_on(
        self, image: UInt8Image, labels: Labels, rng: np.random.Generator
    ) -> tuple[UInt8Image, Labels]:
        """A canvas with the glasses or the hair of another, at random."""
        for kind, label, chance in (
            (self.hair, Label.HAIR, _HAIR_PUT_ON),
            (self.glasses, Label.GLASSES, _GLASSES_PUT_ON),
        ):
            if not len(kind) or rng.random() > chance:
                continue
            number = int(kind[rng.integers(len(kind))])
            mask = self.canvases.labels[number] == bits(label)
            alpha = np.asarray(cv2.blur(mask.astype(np.float32), (2, 2)), np.float32)[..., None]
            tint = np.exp(rng.normal(0, 0.3) + rng.normal(0, 0.05, 3)).astype(np.float32)
            own = self.canvases.images[number].astype(np.float32) * tint
            image = np.clip(image + alpha * (own - image), 0, 255).astype(np.uint8)
            labels = labels.copy()
            labels[mask] = bits(label)
        return image, labels


def view_matrix(rng: np.random.Generator) -> NDArray[np.float64]:
    """Matrix (2, 3), crop → canvas, of a random framing between face and head, turned a little."""
    wide = float(rng.uniform(0, 1)) ** 1.5
    side = (_FACE.side + wide * (_HEAD.side - _FACE.side)) * np.exp(rng.normal(0, 0.05))
    pixels = CANVAS / CANVAS_FRAMING.side
    centre = np.array([0.0, _FACE.y + wide * (_HEAD.y - _FACE.y)]) + rng.normal(0, 0.06, 2)
    angle = np.radians(rng.normal(0, 7))
    scale = side * pixels / SEGMENT_SIZE
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    if rng.random() < 0.5:
        linear[:, 0] *= -1
    middle = (CANVAS - 1) / 2 + (centre - (CANVAS_FRAMING.x, CANVAS_FRAMING.y)) * pixels
    half = np.full(2, (SEGMENT_SIZE - 1) / 2)
    return np.hstack([linear, (middle - linear @ half)[:, None]])


def view(
    image: UInt8Image, labels: Labels, matrix: NDArray[np.float64]
) -> tuple[UInt8Image, Labels]:
    """The crop (128, 128) of a canvas by ``matrix``, crop → canvas."""
    size = (SEGMENT_SIZE, SEGMENT_SIZE)
    inverse = cv2.WARP_INVERSE_MAP
    part = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR | inverse, borderMode=cv2.BORDER_REPLICATE
    )
    sets = cv2.warpAffine(
        labels, matrix, size, flags=cv2.INTER_NEAREST | inverse, borderValue=int(ANYTHING)
    )
    return np.asarray(part, np.uint8), np.asarray(sets, np.uint16)


def put_in_front(
    image: UInt8Image, labels: Labels, thing: CutOut, rng: np.random.Generator
) -> tuple[UInt8Image, Labels]:
    """Paste ``thing`` over a crop, turned, scaled and tinted at random, with a soft shadow."""
    height, width = thing.alpha.shape
    scale = rng.uniform(0.35, 0.8) * SEGMENT_SIZE / max(height, width)
    turn = cv2.getRotationMatrix2D(
        ((width - 1) / 2, (height - 1) / 2), float(rng.uniform(-180, 180)), float(scale)
    )
    at = rng.uniform((8, 30), (SEGMENT_SIZE - 8, SEGMENT_SIZE))
    turn[:, 2] += at - ((width - 1) / 2, (height - 1) / 2)
    size = (SEGMENT_SIZE, SEGMENT_SIZE)
    alpha = np.asarray(cv2.warpAffine(thing.alpha, turn, size), np.float32)
    own = np.asarray(cv2.warpAffine(thing.image, turn, size), np.float32)
    tint = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.06, 3))
    offset = rng.uniform(-5, 5, 2)
    shift = np.array([[1, 0, offset[0]], [0, 1, offset[1]]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(alpha, shift, size), (0, 0), rng.uniform(1, 4))
    darker = 1 - rng.uniform(0, 0.6) * np.asarray(shadow, np.float32)
    mixed = image * darker[..., None]
    mixed = mixed + alpha[..., None] * (own * tint - mixed)
    sets = labels.copy()
    sets[alpha > 0.5] = _IN_FRONT
    sets[(alpha > 0.05) & (alpha <= 0.5)] |= _IN_FRONT
    return np.clip(mixed, 0, 255).astype(np.uint8), sets


def camera(image: UInt8Image, rng: np.random.Generator) -> NDArray[np.float32]:
    """Light, colour, blur, noise and compression at random; RGB (128, 128, 3) in [0, 1]."""
    value = image.astype(np.float32) / 255
    if rng.random() < 0.5:
        angle, along = rng.uniform(0, 2 * np.pi), np.linspace(-1, 1, SEGMENT_SIZE)
        ramp = np.cos(angle) * along[None, :] + np.sin(angle) * along[:, None]
        value *= np.exp(rng.normal(0, 0.35) * ramp)[..., None].astype(np.float32)
    value = np.clip(value, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
    tint = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.09, 3))
    value = np.clip(value * tint, 0, 1).astype(np.float32)
    grey = value.mean(-1, keepdims=True)
    value = grey + (value - grey) * np.float32(rng.uniform(0.4, 1.4))
    if rng.random() < 0.1:
        value = np.repeat(grey, 3, -1)
    kind = rng.random()
    if kind < 0.35:
        value = np.asarray(cv2.GaussianBlur(value, (0, 0), rng.uniform(0.4, 1.8)), np.float32)
    elif kind < 0.5:
        side = int(rng.integers(36, 100))
        small = cv2.resize(value, (side, side), interpolation=cv2.INTER_AREA)
        size = (SEGMENT_SIZE, SEGMENT_SIZE)
        value = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.float32)
    if rng.random() < 0.35:
        value = value + rng.normal(0, rng.uniform(0.005, 0.04), value.shape).astype(np.float32)
    value = np.clip(value, 0, 1)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
        _, packed = cv2.imencode(".jpg", (value * 255).astype(np.uint8), quality)
        value = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.float32) / 255
    return np.asarray(value, np.float32)


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batches of crops (B, 3, 128, 128) in [0, 1] and label sets (B, 128, 128), int32.

    sources: canvases, each with its share of a batch and whether they are photographs.
    """

    def __init__(
        self,
        sources: list[tuple[Canvases, float, bool]],
        things: list[CutOut],
        worn: Worn,
        batch: int,
        steps: int,
        seed: int,
    ) -> None:
        self._sources, self._things, self._worn = sources, things, worn
        self._batch, self._steps, self._seed = batch, steps, seed

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self._seed, step))
        shares = np.array([share for _, share, _ in self._sources])
        chosen = rng.choice(len(self._sources), self._batch, p=shares / shares.sum())
        drawn = [self._one(int(source), rng) for source in chosen]
        pictures, labels = (np.stack(column) for column in zip(*drawn, strict=True))
        crops = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        return crops.contiguous(), torch.from_numpy(labels.astype(np.int32))

    def _one(self, source: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], Labels]:
        canvases, _, photographs = self._sources[source]
        number = int(rng.integers(len(canvases)))
        image, labels = canvases.images[number], canvases.labels[number]
        if photographs:
            image, labels = self._worn.put_on(image, labels, rng)
        image, labels = view(image, labels, view_matrix(rng))
        if self._things and rng.random() < (_BEFORE_PHOTOGRAPHS if photographs else 0.15):
            thing = self._things[int(rng.integers(len(self._things)))]
            image, labels = put_in_front(image, labels, thing, rng)
        return camera(image, rng), labels
