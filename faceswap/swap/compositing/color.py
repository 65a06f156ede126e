"""Bringing the colours of a swapped face to those of the face it replaces.

Pictures are float32 RGB (S, S, 3) in [0, 1], masks float32 (S, S) in [0, 1]. Both pictures show
a face at the same place, so what differs at a pixel is either light and complexion, which B's
face has to take from A's, or a feature: a beard, brows, an open mouth, which must not colour
anything. Features cover less than half of a face, so robust statistics of the differences see
past them; means and spreads (Reinhard et al. 2001, what peers match) do not, and tint the whole
face of a bearded man.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import FloatImage, Weights

_SIZE = 64  # statistics and light are smooth: taken from a small picture they are the same
_FEATURE = 0.12  # a difference in light so far from its surroundings is a feature's


@dataclass(frozen=True)
class ColorShift:
    """What is added to each channel of Lab: float32 (3,)."""

    offset: NDArray[np.float32]


def color_shift(face: FloatImage, reference: FloatImage, mask: Weights) -> ColorShift:
    """The shift that gives the skin of ``face`` the tone of ``reference`` under ``mask``.

    The median of the differences, pixel by pixel, in CIE Lab. Where the mask is empty the shift
    does nothing.
    """
    inside = _small(mask) > 0.5
    if not inside.any():
        return ColorShift(np.zeros(3, np.float32))
    difference = _lab(_small(reference)) - _lab(_small(face))
    return ColorShift(np.median(difference[inside], axis=0).astype(np.float32))


def apply_shift(face: FloatImage, shift: ColorShift, strength: float = 1.0) -> FloatImage:
    """``face`` with ``strength`` (0 to 1) of ``shift``, clipped to [0, 1]."""
    moved = _lab(face) + np.float32(strength) * shift.offset
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def shading_difference(
    face: FloatImage, reference: FloatImage, mask: Weights, scale: float
) -> NDArray[np.float32]:
    """The smooth difference of light, reference − face, under the mask: (S, S, 3).

    Blurred with a Gaussian of ``scale`` times the picture's side, normalised by the blurred
    mask so that nothing leaks in from outside, and without what stands out from its
    surroundings, so that B's beard is not lit like A's chin. Added to the face it carries A's
    shadows over and makes the edge of the mask meet the frame.
    """
    difference, weight = _small(reference) - _small(face), _small(mask)
    sigma = scale * _SIZE
    field = np.zeros_like(difference)
    if weight.max() > 0:
        field += np.median(difference[weight > 0.5 * weight.max()], axis=0)
    for _ in range(2):
        strange = np.abs(difference - field).mean(2) / _FEATURE
        trusted = weight * np.exp(-(strange**2)).astype(np.float32)
        total = cv2.GaussianBlur(trusted, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
        spread = cv2.GaussianBlur(
            difference * trusted[..., None], (0, 0), sigma, borderType=cv2.BORDER_CONSTANT
        )
        field = np.asarray(spread, np.float32) / np.maximum(total, 1e-2)[..., None]
    return np.asarray(
        cv2.resize(field, face.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32
    )


def _small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA))


def _lab(picture: FloatImage) -> FloatImage:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float32)
