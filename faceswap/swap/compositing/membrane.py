"""A membrane over the face that is stretched to fit along its edge: Poisson blending.

Pérez et al., "Poisson image editing", 2003: of all faces with the same gradients the one that meets
the frame at its edge, which is the face plus a smooth membrane (Farbman et al., "Coordinates for
instant image cloning", 2009). Here of the logarithm of light, so that black stays black, and only
skin at the edge counts: hair in front of it would tint the face.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.swap.compositing.color import gain_of, logarithm, shrunk
from faceswap.swap.compositing.color_modes import Values
from faceswap.types import FloatImage, Weights

_GRIDS = (8, 16, 32, 64)  # from coarse to fine: each starts with the one before
_STEPS = 24  # of relaxation on each grid
_EDGE = 0.5  # weights below it are the edge, where the membrane is held
_FEATURE = 0.25  # largest logarithm of a ratio that the membrane follows
_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def measure_membrane(
    face: FloatImage, reference: FloatImage, mask: Weights, skin: Weights
) -> Values:
    """Logarithm of gain (64, 64, 3) with which ``face`` meets ``reference`` along its edge.

    What differs by more than light may is no skin: hair in front, B's background. Pictures RGB
    (S, S, 3) in [0, 1], of one tone; mask: blend weights (S, S); skin: where both are skin (S, S).
    0 without skin at the edge.
    """
    ratio = logarithm(shrunk(reference)) - logarithm(shrunk(face))
    weights = shrunk(mask)
    edge = (weights > 0.02) & (weights < _EDGE) & (shrunk(skin) > 0.5 * weights)
    edge &= np.abs(ratio).max(2) < _FEATURE
    return stretched(ratio, edge.astype(np.float32), (weights > 0.02).astype(np.float32))


def stretched(values: Values, held: Weights, inside: Weights) -> Values:
    """Membrane (64, 64, 3) that has ``values`` where ``held`` and is harmonic elsewhere.

    Nothing pulls at it where ``inside`` ends. 0 if it is held nowhere.
    """
    membrane = np.zeros((1, 1, 3), np.float32)
    if not held.any():
        return np.zeros_like(values)
    membrane += (values * held[..., None]).sum((0, 1)) / held.sum()
    for size in _GRIDS:
        known = _resized(held, size)
        wanted = _resized(values * held[..., None], size) / np.maximum(known, 1e-3)[..., None]
        fixed, open_to = known > 0, np.asarray(_resized(inside, size) > 0, np.float32)
        membrane = np.asarray(cv2.resize(membrane, (size, size)), np.float32)
        count = np.maximum(_around(open_to), np.float32(1e-3))[..., None]
        for _ in range(_STEPS):
            around = _around(membrane * open_to[..., None]) / count
            membrane = np.where(fixed[..., None], wanted, around).astype(np.float32)
        apart = (open_to == 0) & ~fixed
        membrane[apart] = membrane[~apart].mean(0)
    return membrane


def apply_membrane(face: FloatImage, membrane: Values) -> FloatImage:
    """``face`` (S, S, 3) under the membrane, clipped to [0, 1]."""
    size = face.shape[1], face.shape[0]
    gain = cv2.resize(gain_of(membrane), size, interpolation=cv2.INTER_CUBIC)
    return np.clip(face * np.asarray(gain, np.float32), 0, 1)


def _around(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum of the four neighbours of each pixel."""
    total = cv2.filter2D(picture, -1, _NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(total, np.float32)


def _resized(picture: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.float32)
