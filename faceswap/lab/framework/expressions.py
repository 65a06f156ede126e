"""What faces do, read off the landmarks that each crop carries: attributes without labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from faceswap.faces.align import eye_distance, head_pose
from faceswap.faces.crops import CHUNK, FaceRecord
from faceswap.faces.landmarks import BuiltinLandmarker
from faceswap.lab.framework.figure import rgb
from faceswap.types import Curve

ATTRIBUTES = ("open mouth", "smile", "open eyes", "turned to the right", "looking up")
"""What ``expression_attributes`` measures, in its order."""
_OF_HEAD = slice(3, 5)


def read_face_records(files: Sequence[Path]) -> list[tuple[int, FaceRecord]]:
    """Side in pixels and record of each crop, in the order of ``files``; none of them unless all
    are crops of faceswap."""
    found = []
    for path in files:
        try:
            with Image.open(path) as picture:
                found.append((picture.width, FaceRecord.from_json(picture.info[CHUNK])))
        except (OSError, UnidentifiedImageError, SyntaxError, KeyError, ValueError, TypeError):
            return []
    return found


def expression_attributes(points: NDArray[np.float32], pose: tuple[float, float, float]) -> Curve:
    """What a face with points (68, 2) and this pose in degrees does: (5,), see ATTRIBUTES.

    The mouth's opening, and for a smile its width and how near its corners are to the nose, in
    distances of the outer corners of the eyes; the eyes' opening over their width (Soukupová and
    Čech, "Real-time eye blink detection using facial landmarks", 2016); yaw and pitch in degrees.
    """
    p = points.astype(np.float64)
    unit = max(eye_distance(p), 1e-6)
    across = (p[45] - p[36]) / unit
    down = np.array([-across[1], across[0]])

    def far(i: int, j: int) -> float:
        return float(np.linalg.norm(p[i] - p[j]))

    drop = float(((p[48] + p[54]) / 2 - p[33]) @ down)
    eyes = [
        (far(i + 1, i + 5) + far(i + 2, i + 4)) / (2 * max(far(i, i + 3), 1e-6)) for i in (36, 42)
    ]
    return np.array(
        [far(62, 66) / unit, (far(48, 54) - drop) / unit, sum(eyes) / 2, pose[0], pose[1]]
    )


def without_pose(values: Curve) -> Curve:
    """Values (N, 5) of ``expression_attributes``, the first three without the head's pose in them.

    A face that looks up has its mouth nearer to its nose, and is not smiling for that; and a
    vector made of such faces would turn the head.
    """
    head = values[:, _OF_HEAD] / 30
    terms = np.column_stack([np.ones(len(values)), head, head**2])
    told: Curve = terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    left: Curve = values - told
    left[:, _OF_HEAD] = values[:, _OF_HEAD]
    return left


class ExpressionMeasurer:
    """Measures small pictures of known faces by the landmarker, again after they were edited.

    faces: side and record of the crop that each picture came from.
    """

    def __init__(self, faces: Sequence[tuple[int, FaceRecord]], size: int) -> None:
        self._landmarker = BuiltinLandmarker("cpu")
        # Pixel centres lie at whole numbers.
        self._guesses = [(face.points + 0.5) * (size / side) - 0.5 for side, face in faces]

    def measure(self, x: Tensor, place: int) -> Tensor:
        """How much of the attribute at ``place`` the faces in (N, C, S, S) have: (N,)."""
        values = []
        for frame, guess in zip(rgb(x), self._guesses, strict=True):
            seen = self._landmarker.locate(frame, [guess.astype(np.float32)])[0]
            values.append(
                expression_attributes(seen.points, head_pose(seen.points, seen.depth))[place]
            )
        return torch.tensor(values)
