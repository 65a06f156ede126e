"""Bringing the colours of a swapped face to those of the face it replaces.

Pictures are float32 RGB (S, S, 3) in [0, 1], masks float32 (S, S) in [0, 1]. Statistics are
taken under the mask only: a peer that multiplies by the mask and then averages over the whole
crop drags the black outside into its means.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Weights = NDArray[np.float32]

MAX_GAIN = 1.6  # a flat face must not be stretched into noise


@dataclass(frozen=True)
class ColorShift:
    """A gain and an offset for each Lab channel, float32 (3,) each: lab · gain + offset."""

    gain: NDArray[np.float32]
    offset: NDArray[np.float32]

    def mixed(self, other: "ColorShift", share: float) -> "ColorShift":
        """This shift with ``share`` of ``other`` in it, for smoothing over time."""
        return ColorShift(
            np.float32(1 - share) * self.gain + np.float32(share) * other.gain,
            np.float32(1 - share) * self.offset + np.float32(share) * other.offset,
        )


def color_shift(face: Picture, reference: Picture, mask: Weights) -> ColorShift:
    """The shift that gives ``face`` the mean and spread of ``reference`` under ``mask``.

    Both pictures show a face at the same place. Where the mask is empty the shift does
    nothing. Source: Reinhard et al., "Color transfer between images", IEEE CG&A 2001, in
    CIE Lab and with the gain bounded.
    """
    total = float(mask.sum())
    if total < 1:
        return ColorShift(np.ones(3, np.float32), np.zeros(3, np.float32))
    mean_face, spread_face = _statistics(_lab(face), mask, total)
    mean_reference, spread_reference = _statistics(_lab(reference), mask, total)
    gain = np.clip(spread_reference / np.maximum(spread_face, 1e-3), 1 / MAX_GAIN, MAX_GAIN)
    return ColorShift(
        gain.astype(np.float32), (mean_reference - gain * mean_face).astype(np.float32)
    )


def apply_shift(face: Picture, shift: ColorShift, strength: float = 1.0) -> Picture:
    """``face`` with ``strength`` (0 to 1) of ``shift``, clipped to [0, 1]."""
    lab = _lab(face)
    gain = 1 + strength * (shift.gain - 1)
    moved = np.asarray(lab * gain + strength * shift.offset, np.float32)
    return np.clip(cv2.cvtColor(moved, cv2.COLOR_LAB2RGB), 0, 1)


def light_field(
    face: Picture, reference: Picture, mask: Weights, scale: float
) -> NDArray[np.float32]:
    """The smooth difference of light, reference − face, under the mask: (S, S, 3).

    Blurred with a Gaussian of ``scale`` times the picture's side, normalised by the blurred
    mask so that nothing leaks in from outside. Added to the face it carries A's shadows over
    and makes the edge of the mask meet the frame.
    """
    sigma = scale * face.shape[0]
    # The field is smooth: at an eighth of the size it is the same and costs a sixtieth.
    size = max(16, face.shape[0] // 8)
    difference = cv2.resize((reference - face) * mask[..., None], (size, size))
    weight = cv2.resize(mask, (size, size))
    small = sigma * size / face.shape[0]
    difference = cv2.GaussianBlur(difference, (0, 0), small, borderType=cv2.BORDER_CONSTANT)
    weight = cv2.GaussianBlur(weight, (0, 0), small, borderType=cv2.BORDER_CONSTANT)
    field = difference / np.maximum(weight, 1e-2)[..., None]
    return np.asarray(
        cv2.resize(field, face.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.float32
    )


def _lab(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float32)


def _statistics(
    lab: Picture, mask: Weights, total: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = mask[..., None]
    mean = (lab * weights).sum((0, 1)) / total
    spread = np.sqrt((((lab - mean) ** 2) * weights).sum((0, 1)) / total)
    return mean.astype(np.float32), spread.astype(np.float32)
