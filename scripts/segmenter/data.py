"""Training data of the built-in segmenter: aligned canvases with what each pixel may be.

A canvas is a face, aligned as crops are but with more margin, so that crops can be drawn turned,
shifted and scaled from it. Labels are sets: bit n of a pixel stands for `Label` n, so that a
photograph's "skin or nose" and an unknown pixel are labels too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceswap.faces.align import Framing, crop_matrix, face_similarity
from faceswap.faces.detect import make_detector
from faceswap.faces.finder import find_faces
from faceswap.faces.labels import Label
from faceswap.faces.landmarks import make_landmarker
from faceswap.synthetic.people import render_person
from faceswap.synthetic.random_people import random_person
from faceswap.synthetic.random_pictures import random_shot
from faceswap.types import Points, UInt8Image

Labels = NDArray[np.uint16]

CANVAS = 208
"""Side of a canvas in pixels."""
CANVAS_FRAMING = Framing(0.0, -0.2, 4.0)
"""A crop of the widest framing, turned and shifted, still lies inside."""
ANYTHING = np.uint16((1 << len(Label)) - 1)
_RENDERED = 224
"""Side of a rendered picture: its face is then about as large as a canvas's."""


def bits(*labels: Label) -> int:
    """The set of ``labels``."""
    return sum(1 << label for label in labels)


@dataclass(frozen=True)
class Canvases:
    """Pictures uint8 (N, 208, 208, 3) and their label sets uint16 (N, 208, 208)."""

    images: NDArray[np.uint8]
    labels: Labels

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: Path) -> None:
        """Write both arrays to ``path``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, images=self.images, labels=self.labels)

    @classmethod
    def load(cls, path: Path) -> Canvases:
        """Read what ``save`` wrote."""
        with np.load(path) as stored:
            return cls(stored["images"], stored["labels"])

    @classmethod
    def joined(cls, parts: list[Canvases]) -> Canvases:
        """All of ``parts`` in a row."""
        return cls(
            np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts])
        )


def canvas(image: UInt8Image, labels: Labels, points: Points) -> tuple[UInt8Image, Labels]:
    """The canvas of a picture with points (68, 2); beyond its edges it may be anything."""
    matrix = crop_matrix(face_similarity(points), CANVAS, CANVAS_FRAMING)
    size = (CANVAS, CANVAS)
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if shrink < 0.7:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / shrink), np.uint8)
    part = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    sets = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=int(ANYTHING))
    return np.asarray(part, np.uint8), np.asarray(sets, np.uint16)


def _wanted(seed: int, number: int) -> bool:
    """Whether to render a picture: all with something in front of the face, a third of the rest."""
    person = random_person(seed, number)
    rng = np.random.default_rng((seed, number, 0, 403))
    shot = random_shot(person, rng)
    return shot.thing != "none" or number % 3 == 0


def _rendered(number: int, seed: int) -> tuple[UInt8Image, Labels]:
    person = render_person(seed, number, _RENDERED)
    sets = (np.uint16(1) << person.labels.astype(np.uint16)).astype(np.uint16)
    return canvas(person.image, sets, person.points[:68])


def rendered(folder: Path, total: int, seed: int, workers: int, part: int = 250) -> Canvases:
    """Canvases of ``total`` rendered pictures, each of another person; kept part by part."""
    numbers = (n for n in count() if _wanted(seed, n))
    parts = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for start in range(0, total, part):
            chosen = list(islice(numbers, part))
            path = folder / f"rendered-{seed}-{start:05d}.npz"
            if not path.exists():
                made = list(pool.map(partial(_rendered, seed=seed), chosen, chunksize=4))
                Canvases(*(np.stack(column) for column in zip(*made, strict=True))).save(path)
                print(f"rendered {start + part} of {total}", flush=True)
            parts.append(Canvases.load(path))
    return Canvases.joined(parts)


_SKIN = bits(Label.SKIN)
_PHOTOGRAPH = {
    0: bits(Label.BACKGROUND, Label.CLOTH),
    1: _SKIN,
    2: bits(Label.HAIR, Label.BROWS, Label.BEARD),
    3: bits(Label.EYES),
    5: bits(Label.LIPS, Label.MOUTH),
}
_NOSE = 4
_ROUGH = 5
"""Pixels across the band around a label's edge that is not trusted; labels are off by 2 to 3."""


def photograph_sets(labels: UInt8Image) -> Labels:
    """Label sets of a labelled photograph (see ../shared/README.md).

    Glasses are not labelled there. The few that are worn count as what is behind them: a set with
    glasses in it teaches a network to see them on every eye.
    """
    table = np.zeros(256, np.uint16)
    for number, allowed in _PHOTOGRAPH.items():
        table[number] = allowed
    labels = np.where(labels == _NOSE, 1, labels).astype(np.uint8)  # no edge between skin and skin
    sets = table[labels]
    kernel = np.ones((_ROUGH, _ROUGH), np.uint8)
    edges = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    sets[edges] = ANYTHING
    return sets


def photographs(folder: Path, pattern: str) -> Iterator[tuple[UInt8Image, Labels]]:
    """Canvases of the labelled photographs whose names match ``pattern``, where one is found."""
    detector, landmarker = make_detector(), make_landmarker()
    for path in sorted(folder.glob(pattern)):
        image = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(path.with_suffix(".png")))
        faces = find_faces(image, landmarker, detector, max_faces=1)
        if faces:
            points = faces[0].points
            yield canvas(image, photograph_sets(labels), points)


def kept(path: Path, make: Callable[[], Iterator[tuple[UInt8Image, Labels]]]) -> Canvases:
    """Canvases from ``path``, or made and kept there."""
    if not path.exists():
        images, labels = zip(*make(), strict=True)
        Canvases(np.stack(images), np.stack(labels)).save(path)
    return Canvases.load(path)
