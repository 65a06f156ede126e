"""Compute the mean face and the weights of its points from the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import fit_similarity
from landmarker.data import KEPT, Floats


def mean_face_of(labels: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean points (81, 3) in face space and weights (68,), from labels (N, 478, 3).

    Generalised Procrustes analysis with similarities in the picture plane, fitted to the points
    that no expression moves: eye corners and nose. (Fitted to all points, the chin, far from the
    centre, would dominate the scale and seem stable.) A point's weight is the inverse of its
    variance about the mean, limited, and less for mouth, jaw and brows. The mean is symmetrised.
    """
    faces = np.asarray(labels[:, KEPT], np.float64)
    mean = faces[0].copy()
    rigid = np.zeros(68)
    rigid[[36, 39, 42, 45, *range(27, 36)]] = 1
    weights = rigid
    for _ in range(6):
        aligned = np.stack([_aligned(face, mean, rigid) for face in faces])
        mean = _symmetric(aligned.mean(0))
        unit = np.linalg.norm(mean[45, :2] - mean[36, :2])
        origin = mean[:68].mean(0)
        mean, aligned = (mean - origin) / unit, (aligned - origin) / unit
        variance = ((aligned[:, :68, :2] - mean[:68, :2]) ** 2).sum(-1).mean(0)
        weights = 1 / variance
        weights = (weights + weights[MIRROR[:68]]) / 2
        # Limited, as the rigid points' variance about their own fit is too small; reduced for
        # mouth, jaw and brows, whose points an expression moves together.
        weights = np.minimum(weights, 6 * np.median(weights))
        weights[:27] *= 0.3
        weights[48:68] *= 0.3
        weights /= weights.mean()
    return mean, weights


def _aligned(
    face: NDArray[np.float64], mean: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    matrix = fit_similarity(face[:68, :2], mean[:68, :2], weights)
    flat = face[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.hypot(*matrix[:, 0]))
    depth = (face[:, 2] - face[:68, 2].mean()) * scale
    return np.column_stack([flat, depth])


MIRROR = np.array(
    [
        *(*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65),
        *range(80, 67, -1),
    ]
)
"""Index of the mirrored point of each of the 81 points."""


def _symmetric(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    mirrored = mean[MIRROR] * [-1, 1, 1]
    matrix = fit_similarity(mirrored[:, :2], mean[:, :2])
    mirrored[:, :2] = mirrored[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    upright = (mean + mirrored) / 2
    eyes = upright[45, :2] - upright[36, :2]
    cos, sin = eyes / np.linalg.norm(eyes)
    upright[:, :2] = upright[:, :2] @ np.array([[cos, sin], [-sin, cos]]).T
    return np.asarray(upright, np.float64)


def write_mean_face(labels: Floats, path: Path) -> None:
    """Compute and write `mean_face.json` from the training labels (N, 478, 3)."""
    points, weights = mean_face_of(labels)
    stored = {
        "about": "Mean face: x right, y down, depth away from the camera; unit = distance of the "
        "outer eye corners, origin = mean of the first 68 points (iBUG order, then 13 of the "
        "forehead). weights = inverse variance of the 68 points over the training faces, mean 1.",
        "points": points.round(5).tolist(),
        "weights": weights.round(4).tolist(),
    }
    path.write_text(json.dumps(stored, indent=0) + "\n", encoding="utf-8")
