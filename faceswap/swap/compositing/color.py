"""Colour transfer from A's face to the swapped face.

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

STATISTICS_SIDE = 64
"""Pixels of the pictures that colours and shading are measured on: these are smooth."""

_BLACK = 2 / 255  # darker code values count as this in ratios: they are noise
_MOST_GAIN = 4.0  # of code values; there is no least one, as footage may fade to black

_Measure = Callable[[FloatImage, FloatImage], Values]
_Apply = Callable[[FloatImage, Values], FloatImage]


@dataclass(frozen=True)
class ColorTransfer:
    """How a face's colours are moved.

    values: of any shape, what they mean is up to the mode; none if nothing could be measured. gain:
    float32 (3,), logarithm of the gain that A's skin has over the face's, of code values: it tells
    over time whether the light has changed. membrane: what is left to do at the face's edge, see
    ``membrane.py``; None unless it is asked for.
    """

    values: Values | None
    gain: NDArray[np.float32]
    membrane: Values | None = None


def measure_color_transfer(
    face: FloatImage, reference: FloatImage, skin: Weights, mode: ColorMode = "gains"
) -> ColorTransfer:
    """Measure how ``mode`` moves the skin of ``face`` to that of ``reference``.

    skin: where both are skin. Features that are missing from it (a beard, make-up) do no harm to
    the gains as long as they cover less than half: they are medians of the pixels' ratios.
    """
    inside = shrunk(skin) > 0.5
    if not inside.any():
        return ColorTransfer(None, np.zeros(3, np.float32))
    own, wanted = shrunk(face)[inside], shrunk(reference)[inside]
    gain = np.median(logarithm(wanted) - logarithm(own), axis=0).astype(np.float32)
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
        return np.clip(face * (1 + np.float32(strength) * (gain_of(transfer.values) - 1)), 0, 1)
    moved = _MODES[mode][1](face, transfer.values)
    return np.clip(face + np.float32(strength) * (moved - face), 0, 1)


_MODES: dict[str, tuple[_Measure, _Apply]] = {
    "reinhard": (color_modes.measure_reinhard, color_modes.apply_reinhard),
    "mkl": (color_modes.measure_mkl, color_modes.apply_mkl),
    "histogram": (color_modes.measure_histogram, color_modes.apply_histogram),
    "transport": (color_modes.measure_transport, color_modes.apply_transport),
}


def gain_of(logarithm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gain of code values of any shape, with an upper limit."""
    return np.minimum(np.exp(logarithm), np.float32(_MOST_GAIN))


def logarithm(picture: FloatImage) -> NDArray[np.float32]:
    """Logarithm of code values of any shape, with a lower limit."""
    return np.log(np.maximum(picture, np.float32(_BLACK)))


def shrunk(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """``picture`` (S, S) or (S, S, C) at the size that colours are measured at."""
    size = STATISTICS_SIDE, STATISTICS_SIDE
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
