"""Expression attributes of faces from their crops' landmarks, in place of labels."""

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
    """Side in pixels and face record of each crop, in the order of ``files``; an empty list
    unless all are crops of faceswap."""
    found = []
    for path in files:
        try:
            with Image.open(path) as picture:
                found.append((picture.width, FaceRecord.from_json(picture.info[CHUNK])))
        except (OSError, UnidentifiedImageError, SyntaxError, KeyError, ValueError, TypeError):
            return []
    return found


def expression_attributes(points: NDArray[np.float32], pose: tuple[float, float, float]) -> Curve:
    """Expression attributes (5,) of landmarks (68, 2) and a pose in degrees; see ATTRIBUTES.

    Open mouth: lip distance. Smile: mouth width minus the distance of its corners below the nose.
    Both are in units of the distance between the outer eye corners. Open eyes: eye aspect ratio
    (Soukupová and Čech, "Real-time eye blink detection using facial landmarks", 2016). Turned,
    looking up: yaw and pitch in degrees.
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
    """Remove the effect of yaw and pitch from the first three of attributes (N, 5), by regression.

    In a face that looks up the mouth is nearer to the nose, which would count as a smile, and an
    attribute vector from such faces would turn the head.
    """
    head = values[:, _OF_HEAD] / 30  # degrees to about 1, for a well-conditioned fit
    terms = np.column_stack([np.ones(len(values)), head, head**2])
    predicted: Curve = terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    residual: Curve = values - predicted
    residual[:, _OF_HEAD] = values[:, _OF_HEAD]
    return residual


class ExpressionMeasurer:
    """Measures expression attributes of small, edited pictures of known faces by the landmarker.

    faces: side and record of the crop that each picture came from. size: side of the pictures.
    """

    def __init__(self, faces: Sequence[tuple[int, FaceRecord]], size: int) -> None:
        self._landmarker = BuiltinLandmarker("cpu")
        # Pixel centres are at integer coordinates.
        self._guesses = [(face.points + 0.5) * (size / side) - 0.5 for side, face in faces]

    def measure(self, x: Tensor, place: int) -> Tensor:
        """Attribute number ``place`` of the faces in pictures (N, C, S, S): (N,)."""
        values = []
        for frame, guess in zip(rgb(x), self._guesses, strict=True):
            seen = self._landmarker.locate(frame, [guess.astype(np.float32)])[0]
            values.append(
                expression_attributes(seen.points, head_pose(seen.points, seen.depth))[place]
            )
        return torch.tensor(values)
