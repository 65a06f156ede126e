"""Colour and shading transfer from A's face to the swapped face.

Pictures are float32 RGB (S, S, 3), code values in [0, 1]; skin weights are float32 (S, S), how
certainly a pixel is skin. Both faces are aligned, so where both are skin a pixel differs in light
and complexion only.

Light and complexion multiply what they fall on: a gain for each channel of linear light, which
leaves black hair, pupils and the inside of a mouth black. With the power law of a display (BT.1886)
a gain g of light is the gain g^(1/2.4) of code values, so pictures need not be linearised for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.swap.compositing import color_modes
from faceswap.swap.compositing.color_modes import Values
from faceswap.swap.compositing.options import ColorMode
from faceswap.types import FloatImage, Weights

_SIZE = 64  # pixels; statistics and shading are smooth, so a small picture gives the same
_FEATURE = 0.25  # a ratio of e to this away from the smooth field is a feature, not light
_BLACK = 2 / 255  # darker code values count as this in ratios: they are noise
_MOST_GAIN = 4.0  # of code values; there is no least one, as footage may fade to black

_Measure = Callable[[FloatImage, FloatImage], Values]
_Apply = Callable[[FloatImage, Values], FloatImage]


@dataclass(frozen=True)
class ColorTransfer:
    """How a face's colours are moved.

    values: of any shape, what they mean is up to the mode; none if nothing could be measured. gain:
    float32 (3,), logarithm of the gain that A's skin has over the face's, of code values: it tells
    over time whether the light has changed.
    """

    values: Values | None
    gain: NDArray[np.float32]


def measure_color_transfer(
    face: FloatImage, reference: FloatImage, skin: Weights, mode: ColorMode = "gains"
) -> ColorTransfer:
    """Measure how ``mode`` moves the skin of ``face`` to that of ``reference``.

    skin: where both are skin. Features that are missing from it (a beard, make-up) do no harm to
    the gains as long as they cover less than half: they are medians of the pixels' ratios.
    """
    inside = _small(skin) > 0.5
    if not inside.any():
        return ColorTransfer(None, np.zeros(3, np.float32))
    own, wanted = _small(face)[inside], _small(reference)[inside]
    gain = np.median(_log(wanted) - _log(own), axis=0).astype(np.float32)
    if mode == "gains":
        return ColorTransfer(gain, gain)
    if mode == "off":
        return ColorTransfer(None, gain)
    return ColorTransfer(_MODES[mode][0](own, wanted), gain)


def apply_color_transfer(
    face: FloatImage, transfer: ColorTransfer, mode: ColorMode = "gains", strength: float = 1.0
) -> FloatImage:
    """Move the colours of ``face`` by ``strength`` (0 to 1) of ``transfer``, clipped to [0, 1]."""
    if transfer.values is None or mode == "off" or strength == 0:
        return face
    if mode == "gains":
        return np.clip(face * (1 + np.float32(strength) * (_gain(transfer.values) - 1)), 0, 1)
    moved = _MODES[mode][1](face, transfer.values)
    return np.clip(face + np.float32(strength) * (moved - face), 0, 1)


def shading_gain(
    face: FloatImage, reference: FloatImage, skin: Weights, scale: float
) -> FloatImage:
    """Smooth gain of code values, reference over face, measured on the skin: (S, S, 3).

    A Gaussian blur of ``scale`` times the picture's side, normalised by the blurred weights so that
    nothing leaks in from outside. Outliers are down-weighted, so that B's beard is not lit like A's
    chin. Multiplied with the face, it transfers A's light and shadows and matches the face's edge
    to the frame.
    """
    ratio, weight = _log(_small(reference)) - _log(_small(face)), _small(skin)
    sigma = scale * _SIZE
    field = np.zeros_like(ratio)
    if weight.max() > 0:
        field += np.median(ratio[weight > 0.5 * weight.max()], axis=0)
    for _ in range(2):
        outlier = np.abs(ratio - field).mean(2) / _FEATURE
        weights = weight * np.exp(-(outlier**2)).astype(np.float32)
        total, spread = _blurred(weights, sigma), _blurred(ratio * weights[..., None], sigma)
        field = spread / np.maximum(total, np.float32(1e-2))[..., None]
    size = face.shape[1], face.shape[0]
    return np.asarray(cv2.resize(_gain(field), size, interpolation=cv2.INTER_CUBIC), np.float32)


_MODES: dict[str, tuple[_Measure, _Apply]] = {
    "reinhard": (color_modes.measure_reinhard, color_modes.apply_reinhard),
    "mkl": (color_modes.measure_mkl, color_modes.apply_mkl),
    "histogram": (color_modes.measure_histogram, color_modes.apply_histogram),
    "transport": (color_modes.measure_transport, color_modes.apply_transport),
}


def _gain(logarithm: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.minimum(np.exp(logarithm), np.float32(_MOST_GAIN))


def _log(picture: FloatImage) -> NDArray[np.float32]:
    return np.log(np.maximum(picture, np.float32(_BLACK)))


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, np.float32)


def _small(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA))
