"""Training data of the built-in landmarker: labelled crops, point order, mirrored points.

SIZE: side of the network's input. VALIDATION: number of faces in the validation split.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from faceswap.faces.align import upright_matrix

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]

SIZE = 112
VALIDATION = 1500
IBUG = [
    *(127, 234, 93, 132, 58, 172, 136, 150, 152, 379, 365, 397, 288, 361, 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
]
"""FaceMesh's indices of the 68 iBUG points."""
FOREHEAD = [162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389]
"""FaceMesh's indices of the face oval's points on the forehead."""
KEPT = IBUG + FOREHEAD


@dataclass(frozen=True)
class FaceSet:
    """Grey crops (N, 224, 224) and FaceMesh points (N, 478, 3) in their pixels."""

    images: Gray
    points: Floats

    @classmethod
    def load(cls, folder: Path) -> FaceSet:
        """Decode `faces.zip` and `points.npz` of a folder into memory (0.7 GB)."""
        points = np.load(folder / "points.npz")["points"].astype(np.float32)
        images = np.empty((len(points), 224, 224), np.uint8)
        with zipfile.ZipFile(folder / "faces.zip") as archive:
            for row, image in enumerate(images):
                data = np.frombuffer(archive.read(f"{row:05d}.jpg"), np.uint8)
                image[:] = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
        return cls(images, points)

    def split(self) -> tuple[FaceSet, FaceSet]:
        """Training set, and the last 1,500 faces as validation set."""
        first = len(self.points) - VALIDATION
        return (
            FaceSet(self.images[:first], self.points[:first]),
            FaceSet(self.images[first:], self.points[first:]),
        )


def mirror_order(points: Floats) -> NDArray[np.int64]:
    """Index of the mirrored point of each of the 478 points.

    Computed from the labels (N, 478, 3): the permutation under which the mean face is symmetric.
    """
    upright = np.stack([_normalised(p) for p in points[:2000]]).mean(0)
    mirrored = upright * np.array([-1, 1], np.float32)
    cost = np.linalg.norm(upright[:, None] - mirrored[None], axis=-1)
    return np.asarray(linear_sum_assignment(cost)[1], np.int64)


def _normalised(points: Floats) -> Floats:
    matrix = upright_matrix(points[IBUG, :2], 2)
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved - moved.mean(0), np.float32)
