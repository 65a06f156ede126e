"""Colour and shading transfer from A's face to the swapped face.

Pictures are float32 RGB (S, S, 3) in [0, 1], masks float32 (S, S) in [0, 1]. Both faces are
aligned, so a pixel differs either in light and complexion, which are transferred, or in a feature
(beard, brows, open mouth), which is ignored. Features cover less than half of a face, so the median
difference is robust to them; matching means and deviations (Reinhard et al. 2001, the common
method) tints the whole face of a bearded man.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import FloatImage, Weights

_SIZE = 64  # pixels; statistics and shading are smooth, so a small picture gives the same
_FEATURE = 0.12  # a difference this far from the smooth field is a feature, not light


@dataclass(frozen=True)
class ColorShift:
    """Offset added to each CIE Lab channel: float32 (3,)."""

    offset: NDArray[np.float32]


def measure_color_transfer(face: FloatImage, reference: FloatImage, mask: Weights) -> ColorShift:
    """Colour shift from ``face`` to ``reference``: median Lab difference under ``mask``.

    Zero if the mask is empty.
    """
    inside = _small(mask) > 0.5
    if not inside.any():
        return ColorShift(np.zeros(3, np.float32))
    difference = _lab(_small(reference)) - _lab(_small(face))
    return ColorShift(np.median(difference[inside], axis=0).astype(np.float32))


def apply_color_transfer(face: FloatImage, shift: ColorShift, strength: float = 1.0) -> FloatImage:
    """Add ``strength`` (0 to 1) of ``shift`` to ``face``, clipped to [0, 1]."""
    moved = _lab(face) + np.float32(strength) * shift.offset
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def shading_difference(
    face: FloatImage, reference: FloatImage, mask: Weights, scale: float
) -> NDArray[np.float32]:
    """Smooth shading difference, reference − face, under the mask: (S, S, 3).

    A Gaussian blur of ``scale`` times the picture's side, normalised by the blurred mask so that
    nothing leaks in from outside. Outliers are down-weighted, so that B's beard is not lit like A's
    chin. Added to the face, it transfers A's shadows and matches the mask's edge to the frame.
    """
    difference, weight = _small(reference) - _small(face), _small(mask)
    sigma = scale * _SIZE
    field = np.zeros_like(difference)
    if weight.max() > 0:
        field += np.median(difference[weight > 0.5 * weight.max()], axis=0)
    for _ in range(2):
        outlier = np.abs(difference - field).mean(2) / _FEATURE
        weights = weight * np.exp(-(outlier**2)).astype(np.float32)
        total = cv2.GaussianBlur(weights, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        spread = cv2.GaussianBlur(
            difference * weights[..., None], (0, 0), sigma, borderType=cv2.BORDER_CONSTANT
        )
        field = np.asarray(spread, np.float32) / np.maximum(total, 1e-2)[..., None]
    return np.asarray(
        cv2.resize(field, face.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32
    )


def _small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA))


def _lab(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float32)
