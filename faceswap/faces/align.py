"""Face geometry: landmarker crops, alignment to the mean face, head pose.

*Face space* is the plane of the mean face: its unit is the distance between the outer corners of
the eyes, its origin the middle of the 68 points, x to the right and y down in the picture. A
*similarity* is a matrix (2, 3) from frame to face space; crops of any size and framing follow
from it (`crop_matrix`).
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.types import Floats, Matrix, Points

__all__ = [
    "FRAMINGS",
    "Framing",
    "MeanFace",
    "crop_matrix",
    "eye_distance",
    "face_similarity",
    "fit_similarity",
    "head_pose",
    "invert",
    "mean_face",
    "transform",
    "upright_matrix",
]


_BOX_MARGIN = 1.25  # side of the landmarker's crop over the longer side of the points' box
_FOREHEAD_SHIFT = 0.07  # the crop moves up by this share of its side to show the forehead


@dataclass(frozen=True)
class MeanFace:
    """The mean face in face space.

    points: (81, 3) x, y and depth (smaller is nearer), iBUG's 68 and then the forehead's 13.
    weights: (68,) weight of each point in the alignment, mean 1: its inverse variance over the
    training faces, so that the mouth, the jaw and the brows hardly move the alignment.
    """

    points: Matrix
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Framing:
    """Square of face space that a crop shows: centre and side, in eye distances."""

    x: float
    y: float
    side: float


FRAMINGS = {
    "face": Framing(0.0, -0.07, 2.15),
    "head": Framing(0.0, -0.25, 3.2),
}
"""face: forehead to chin and ear to ear, with some margin. head: hair and neck as well."""


@functools.cache
def mean_face() -> MeanFace:
    """Load the bundled mean face. Raises AssetError when its file is missing or damaged."""
    path = asset_path("mean_face.json")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        points = np.asarray(stored["points"], np.float64).reshape(81, 3)
        weights = np.asarray(stored["weights"], np.float64).reshape(68)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(
            f"{path} is damaged; install faceswap again, or in a checkout: git checkout assets."
        ) from error
    return MeanFace(points, weights)


def transform(matrix: Floats, points: Floats) -> Points:
    """Apply an affine matrix (2, 3) to points (..., 2); float32."""
    matrix = np.asarray(matrix, np.float64)
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def invert(matrix: Floats) -> Matrix:
    """Inverse of an affine matrix (2, 3). Raises LinAlgError when it is singular."""
    (a, b, x), (c, d, y) = np.asarray(matrix, np.float64).tolist()
    det = a * d - b * c
    if det == 0:
        raise np.linalg.LinAlgError("the matrix has no inverse")
    # Closed form: twenty times as fast as NumPy's inverse, and called several times a frame.
    a, b, c, d = d / det, -b / det, -c / det, a / det
    return np.array([[a, b, -a * x - b * y], [c, d, -c * x - d * y]])


def eye_distance(points: Floats) -> float:
    """Distance in pixels between the outer eye corners of points (68, 2)."""
    return float(np.linalg.norm(points[45].astype(np.float64) - points[36]))


def fit_similarity(
    points: Floats, target: Floats, weights: NDArray[np.float64] | None = None
) -> Matrix:
    """Least-squares similarity transform (2, 3) from points (K, 2) to target (K, 2).

    Weighted, in closed form (Umeyama 1991, without reflection). Coincident points give a pure
    translation.
    """
    source, goal = np.asarray(points, np.float64), np.asarray(target, np.float64)
    share = np.full(len(source), 1 / len(source)) if weights is None else weights / weights.sum()
    middle, centre = share @ source, share @ goal
    source, goal = source - middle, goal - centre
    power = float(share @ (source**2).sum(1))
    along = float(share @ (source * goal).sum(1))
    across = float(share @ (source[:, 0] * goal[:, 1] - source[:, 1] * goal[:, 0]))
    a, b = (along / power, across / power) if power > 1e-12 else (1.0, 0.0)
    linear = np.array([[a, -b], [b, a]])
    return np.hstack([linear, (centre - linear @ middle)[:, None]])


def face_similarity(points: Floats) -> Matrix:
    """Alignment, frame -> face space, of points (68, 2), weighted by `MeanFace.weights`."""
    mean = mean_face()
    return fit_similarity(points[:68], mean.points[:68, :2], mean.weights)


def crop_matrix(similarity: Floats, size: int, framing: Framing = FRAMINGS["face"]) -> Matrix:
    """Frame -> crop matrix (2, 3) for a square crop of `size` pixels.

    similarity: frame -> face space, raw or smoothed.
    """
    scale = size / framing.side
    matrix = np.asarray(similarity, np.float64) * scale
    matrix[:, 2] += (size - 1) / 2 - scale * np.array([framing.x, framing.y])
    return matrix


def upright_matrix(points: Floats, size: int) -> Points:
    """Frame -> crop matrix (2, 3) of the landmark network's upright crop.

    points: (68, 2). The rotation comes from the eye-to-eye and the eyes-to-mouth directions
    together, so that a profile, whose eyes nearly coincide, stays upright. The square is 1.25
    times the longer side of the points' box and reaches up to the forehead.
    """
    # Plain floats: for arrays this small the overhead of NumPy calls dominates.
    sums = np.add.reduceat(points[:68].astype(np.float64), (0, 36, 42, 48), 0).tolist()
    (left_x, left_y), (right_x, right_y) = ((x / 6, y / 6) for x, y in sums[1:3])
    down_x = sums[3][0] / 20 - (left_x + right_x) / 2
    down_y = sums[3][1] / 20 - (left_y + right_y) / 2
    across_x, across_y = right_x - left_x + down_y, right_y - left_y - down_x
    length = math.hypot(across_x, across_y)
    cos, sin = (across_x / length, across_y / length) if length > 1e-6 else (1.0, 0.0)
    turn = np.array([[cos, sin], [-sin, cos]], np.float64)
    turned = points @ turn.T
    low, high = np.minimum.reduce(turned), np.maximum.reduce(turned)
    side = max(float((high - low).max()) * _BOX_MARGIN, 1e-3)
    centre = (low + high) / 2 - (0.0, _FOREHEAD_SHIFT * side)
    scale = size / side
    matrix = np.empty((2, 3), np.float32)
    matrix[:, :2] = turn * scale
    matrix[:, 2] = (size - 1) / 2 - centre * scale
    return matrix


def head_pose(points: Floats, depth: Floats | None = None) -> tuple[float, float, float]:
    """Head pose (yaw, pitch, roll) in degrees from points (68, 2) in the frame.

    yaw: positive when the face looks to the right of the picture. pitch: positive when it looks
    up. roll: positive when the head is turned clockwise in the picture. All are 0 for a face that
    looks straight into the camera. depth: (68,) in pixels, smaller is nearer; without it the pose
    comes from the points alone (scaled orthography). The rotation is the nearest one to the
    weighted least-squares map of the mean face (Kabsch 1976).
    """
    mean = mean_face()
    share = mean.weights / mean.weights.sum()
    model = mean.points[:68] - share @ mean.points[:68]
    seen = np.asarray(points, np.float64)[:68] - share @ np.asarray(points, np.float64)[:68]
    if depth is not None:
        away = np.asarray(depth, np.float64)[:68]
        seen = np.hstack([seen, (away - share @ away)[:, None]])
        covariance = seen.T @ (share[:, None] * model)
    else:
        inverse = np.linalg.pinv(model.T @ (share[:, None] * model))
        rows = seen.T @ (share[:, None] * model) @ inverse
        lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        rows = rows / lengths
        covariance = np.vstack([rows, np.cross(rows[0], rows[1])])
    left, _, right = np.linalg.svd(covariance)
    sign = np.sign(np.linalg.det(left @ right)) or 1.0
    rotation = left @ np.diag([1.0, 1.0, sign]) @ right
    return _angles(rotation)


def _angles(rotation: Matrix) -> tuple[float, float, float]:
    """Euler angles (yaw, pitch, roll) in degrees of a rotation (3, 3) = roll · pitch · yaw."""
    # The third column is the mean face's depth axis; the face looks along its negative.
    pitch = -math.asin(max(-1.0, min(1.0, float(rotation[2, 1]))))
    yaw = math.atan2(float(rotation[2, 0]), float(rotation[2, 2]))
    roll = math.atan2(-float(rotation[0, 1]), float(rotation[1, 1]))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)
