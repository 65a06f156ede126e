"""Ways to move the colours of one set of pixels to those of another.

Each ``measure_…`` takes the RGB of skin pixels of the face (N, 3) and of A (M, 3), code values in
[0, 1], N and M at least 1, and returns the values of the transfer as float32; ``apply_…`` moves a
picture (H, W, 3) by such values, unclipped. Averages of values are values: frames can be smoothed.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import FloatImage

Values = NDArray[np.float32]
Pixels = NDArray[np.float32]

_LEVELS = 33  # knots of a curve, and quantiles that it is measured at
_LATTICE = 17  # knots of a colour cube along each side
_ROTATIONS = 12  # of the sliced transport; more change nothing visible
_LEAST_SPREAD = 1e-3  # deviation in RGB below which a direction counts as having no spread


def measure_reinhard(face: Pixels, reference: Pixels) -> Values:
    """Gain and offset (2, 3) that match mean and deviation of each CIE Lab channel.

    Reinhard et al., "Color transfer between images", 2001.
    """
    own, wanted = _lab(face[None])[0], _lab(reference[None])[0]
    gain = wanted.std(0) / np.maximum(own.std(0), 1e-2)
    return np.stack([gain, wanted.mean(0) - gain * own.mean(0)]).astype(np.float32)


def apply_reinhard(picture: FloatImage, values: Values) -> FloatImage:
    """Move the Lab channels of ``picture`` by gain and offset (2, 3)."""
    return np.asarray(cv2.cvtColor(_lab(picture) * values[0] + values[1], cv2.COLOR_LAB2RGB))


def measure_mkl(face: Pixels, reference: Pixels) -> Values:
    """Affine map (3, 4) of RGB, the optimal transport between two normal distributions.

    Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour
    transfer", 2007.
    """
    own, wanted = _covariance(face), _covariance(reference)
    root, back = _roots(own)
    inner, _ = _roots(root @ wanted @ root)
    linear = back @ inner @ back
    offset = reference.mean(0) - linear @ face.mean(0)
    return np.concatenate([linear, offset[:, None]], 1).astype(np.float32)


def apply_mkl(picture: FloatImage, values: Values) -> FloatImage:
    """Apply an affine map (3, 4) to the RGB of ``picture``."""
    return np.asarray(cv2.transform(picture, values), np.float32)


def measure_histogram(face: Pixels, reference: Pixels) -> Values:
    """Curves (3, 33) of the RGB channels, at evenly spaced inputs, that match their histograms."""
    inputs = np.linspace(0, 1, _LEVELS, dtype=np.float32)
    return np.stack(
        [_matched(face[:, c], reference[:, c], inputs) for c in range(3)], dtype=np.float32
    )


def apply_histogram(picture: FloatImage, values: Values) -> FloatImage:
    """Apply the curves (3, 33) to the channels of ``picture``."""
    inputs = np.linspace(0, 1, values.shape[1])
    channels = [np.interp(picture[..., c], inputs, values[c]) for c in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def measure_transport(face: Pixels, reference: Pixels) -> Values:
    """Colour cube (17, 17, 17, 3), where the RGB of each knot goes: sliced optimal transport.

    Histograms are matched along the axes of one rotation after the other. Pitié, Kokaram and
    Dahyot, "Automated colour grading using colour distribution transfer", 2007; Rabin et al.,
    "Wasserstein barycenter and its application to texture mixing", 2011.
    """
    axis = np.linspace(0, 1, _LATTICE, dtype=np.float32)
    knots = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    moved = face
    for rotation in _rotations():
        own, wanted, others = moved @ rotation, reference @ rotation, knots @ rotation
        columns = range(3)
        others = np.stack([_matched(own[:, c], wanted[:, c], others[:, c]) for c in columns], 1)
        own = np.stack([_matched(own[:, c], wanted[:, c], own[:, c]) for c in columns], 1)
        moved = np.asarray(own @ rotation.T, np.float32)
        knots = np.asarray(others @ rotation.T, np.float32)
    return np.asarray(knots.reshape(_LATTICE, _LATTICE, _LATTICE, 3), np.float32)


def apply_transport(picture: FloatImage, values: Values) -> FloatImage:
    """Look ``picture`` up in a colour cube (K, K, K, 3), with trilinear interpolation."""
    side = len(values)
    place = np.clip(picture, 0, 1) * np.float32(side - 1)
    low = np.minimum(place.astype(np.intp), side - 2)
    part = place - low
    knots = values.reshape(-1, 3)
    first = (low[..., 0] * side + low[..., 1]) * side + low[..., 2]
    result = np.zeros_like(picture)
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=-1, keepdims=True)
        step = (corner[0] * side + corner[1]) * side + corner[2]
        result += weight * knots[first + step]
    return result


def _lab(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2LAB), np.float32)


def _matched(own: Pixels, wanted: Pixels, at: Pixels) -> Pixels:
    """Values ``at`` (K,) by the rising curve that takes the quantiles of ``own`` to ``wanted``'s.

    Beyond the measured quantiles the curve goes on with a slope of 1.
    """
    shares = np.linspace(0.01, 0.99, _LEVELS)
    start, end = np.quantile(own, shares), np.quantile(wanted, shares)
    start += np.linspace(-1e-4, 1e-4, _LEVELS)  # one colour goes to the middle of the wanted ones
    return np.asarray(at + np.interp(at, start, end - start), np.float32)


def _covariance(pixels: Pixels) -> NDArray[np.float64]:
    away = pixels.astype(np.float64) - pixels.mean(0)
    spread: NDArray[np.float64] = away.T @ away / len(pixels) + _LEAST_SPREAD**2 * np.eye(3)
    return spread


def _roots(matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Square root and inverse square root of a symmetric, positive matrix (3, 3)."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(np.maximum(values, 1e-15))
    forth: NDArray[np.float64] = vectors * root @ vectors.T
    back: NDArray[np.float64] = vectors / root @ vectors.T
    return forth, back


@cache
def _rotations() -> tuple[NDArray[np.float32], ...]:
    rng = np.random.default_rng(0)
    bases = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(_ROTATIONS - 1)]
    return tuple(np.asarray(basis, np.float32) for basis in (np.eye(3), *bases))
