"""Training data of the built-in embedder: photographs and rendered people on aligned canvases.

A canvas is a grey face, aligned as crops are but with more margin, so that crops can be drawn
turned, shifted and scaled from it.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from landmarker.data import IBUG, FaceSet
from landmarker.heads import pictures_of
from numpy.typing import NDArray

from faceswap.faces.align import FRAMINGS, Framing, crop_matrix, face_similarity, transform
from faceswap.faces.embedding import CROP_SIZE

CANVAS = 86
"""Side of a canvas in pixels."""
CANVAS_FRAMING = Framing(0.0, FRAMINGS["face"].y, FRAMINGS["face"].side * CANVAS / CROP_SIZE)
"""A canvas pixel is as large as a pixel of the network's crop."""
DEPTHS = 22
"""Side of a canvas's depth map."""
_SMOOTH = 4.0  # canvas pixels; the mesh's points are about 2 apart


@dataclass(frozen=True)
class Canvases:
    """Canvases uint8 (N, 86, 86), their depth float16 (N, 22, 22) in canvas pixels, smaller is
    nearer, points float32 (N, 68, 2) in canvas pixels, and whose face each shows, int64 (N,)."""

    images: NDArray[np.uint8]
    depths: NDArray[np.float16]
    points: NDArray[np.float32]
    people: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write all arrays to ``path``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(
                file,
                images=self.images,
                depths=self.depths,
                points=self.points,
                people=self.people,
            )

    @classmethod
    def load(cls, path: Path) -> Canvases:
        """Read what ``save`` wrote."""
        with np.load(path) as stored:
            return cls(stored["images"], stored["depths"], stored["points"], stored["people"])


def photographs(folder: Path, path: Path) -> Canvases:
    """Canvases of the photographs in ``folder``, each its own person; kept in ``path``."""
    if not path.exists():
        faces, _ = FaceSet.load(folder).split()
        rows = range(len(faces.images))
        parts = [_canvas(faces.images[n], faces.points[n][IBUG], faces.points[n]) for n in rows]
        images, depths, points = (np.stack(column) for column in zip(*parts, strict=True))
        Canvases(images, depths, points, np.arange(len(images))).save(path)
    return Canvases.load(path)


def rendered(path: Path, people: int, pictures: int, seed: int, workers: int) -> Canvases:
    """Canvases of random rendered people, ``pictures`` of each; kept in ``path``."""
    if not path.exists():
        draw = partial(_rendered_person, pictures=pictures, seed=seed)
        # Spawned, not forked: forking a process with threads is unsafe.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            parts = list(pool.map(draw, range(people)))
        images, points = (np.concatenate(column) for column in zip(*parts, strict=True))
        flat = np.zeros((len(images), DEPTHS, DEPTHS), np.float16)
        Canvases(images, flat, points, np.repeat(np.arange(people), pictures)).save(path)
    return Canvases.load(path)


def _rendered_person(
    number: int, pictures: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    images, points, _ = pictures_of(number, pictures, seed)
    parts = [_aligned(image, shape[:68]) for image, shape in zip(images, points, strict=True)]
    return np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts])


def _aligned(
    image: NDArray[np.uint8], points: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float64]]:
    matrix = crop_matrix(face_similarity(points[:, :2]), CANVAS, CANVAS_FRAMING)
    canvas = cv2.warpAffine(image, matrix, (CANVAS, CANVAS), flags=cv2.INTER_AREA)
    return np.asarray(canvas, np.uint8), transform(matrix, points[:, :2]), matrix


def _canvas(
    image: NDArray[np.uint8], points: NDArray[np.float32], mesh: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float16], NDArray[np.float32]]:
    """Canvas, depth map and points of a picture with its mesh (478, 3)."""
    canvas, placed, matrix = _aligned(image, points)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    grid = (np.arange(DEPTHS) + 0.5) * (CANVAS / DEPTHS) - 0.5
    known = transform(matrix, mesh[:, :2])
    columns = np.exp(-(((grid[:, None] - known[:, 0]) / _SMOOTH) ** 2))
    rows = np.exp(-(((grid[:, None] - known[:, 1]) / _SMOOTH) ** 2))
    weight = np.einsum("yk,xk->yx", rows, columns) + 1e-9
    depth = np.einsum("yk,xk,k->yx", rows, columns, mesh[:, 2] * scale) / weight
    # Beyond the face there is nothing to go by: the depth of its edge.
    depth = np.where(weight > 1e-3, depth, np.quantile(mesh[:, 2], 0.9) * scale)
    return canvas, depth.astype(np.float16), placed
