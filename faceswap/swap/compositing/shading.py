"""A's light and shadow on the swapped face.

Pictures are float32 RGB (S, S, 3), code values in [0, 1]; skin weights are float32 (S, S). Light is
a gain, see ``color.py``.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.swap.compositing.color import STATISTICS_SIDE, gain_of, logarithm, shrunk
from faceswap.types import FloatImage, Weights

_FEATURE = 0.25  # a ratio of e to this away from the smooth field is a feature, not light
_STRONGEST = 0.4  # logarithm; a shadow counts as no darker than this, as the hair it may be
_FAINT = 0.12  # length of a colour of light, logarithm by channel, that counts half
_LEAST_CONTRAST = 0.6
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def shading_gain(
    face: FloatImage, reference: FloatImage, skin: Weights, scale: float
) -> FloatImage:
    """Gain of code values (S, S, 3) that gives ``face`` the light of ``reference``.

    skin: where both are skin. The gain is smooth: a Gaussian blur of ``scale`` times the picture's
    side, normalised by the blurred weights so that nothing leaks in from outside; outliers are
    down-weighted, so that B's beard is not lit like A's chin. What is finer than that is B's own
    relief and keeps its shape, softened to the contrast of A's in soft light. It is never raised:
    the shadow at a cheek's edge would become a dark patch.
    """
    own, wanted = logarithm(shrunk(face)), logarithm(shrunk(reference))
    # The soft edges of brows and hair, a pixel wide, would darken the skin beside them.
    weight = np.asarray(cv2.erode(shrunk(skin), np.ones((3, 3), np.uint8)), np.float32)
    sigma = scale * STATISTICS_SIDE
    field = _smooth_ratio(wanted - own, weight, sigma)
    mine, other = (
        _relief(np.asarray(one @ _LUMA, np.float32), weight, sigma) for one in (own + field, wanted)
    )
    field = _without_complexion(field)
    contrast = _spread(other, weight) / max(_spread(mine, weight), 1e-4)
    contrast = min(max(contrast, _LEAST_CONTRAST), 1.0)
    field += (np.float32(contrast - 1) * mine * weight)[..., None]
    size = face.shape[1], face.shape[0]
    return np.asarray(cv2.resize(gain_of(field), size, interpolation=cv2.INTER_CUBIC), np.float32)


def _smooth_ratio(ratio: NDArray[np.float32], weight: Weights, sigma: float) -> NDArray[np.float32]:
    """``ratio`` (S, S, 3), blurred without its outliers; 0 far from all weights."""
    field = np.zeros_like(ratio)
    if weight.max() > 0:
        field += np.median(ratio[weight > 0.5 * weight.max()], axis=0)
    for _ in range(2):
        outlier = np.abs(ratio - field).mean(2) / _FEATURE
        weights = weight * np.exp(-(outlier**2)).astype(np.float32)
        total, spread = _blurred(weights, sigma), _blurred(ratio * weights[..., None], sigma)
        field = np.asarray(spread / np.maximum(total, 1e-2)[..., None], np.float32)
    return field


def _without_complexion(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """``field`` with its colour fading out where it is faint: of two faces' cheeks rather than of
    light, which is faint or strong."""
    grey = (field @ _LUMA)[..., None]
    colour = field - grey
    strength = np.square(colour).sum(2, keepdims=True)
    return np.asarray(grey + colour * strength / (strength + _FAINT**2), np.float32)


def _relief(luma: Weights, weight: Weights, sigma: float) -> Weights:
    """What a blur by ``sigma`` takes from the logarithm of light, (S, S)."""
    total = np.maximum(_blurred(weight, sigma), np.float32(1e-2))
    relief = luma - _blurred(luma * weight, sigma) / total
    return np.clip(relief, -np.float32(_STRONGEST), np.float32(_STRONGEST))


def _spread(relief: Weights, weight: Weights) -> float:
    """Median deviation on skin: hair, a beard or a shadow's edge does not count."""
    inside = np.abs(relief[weight > 0.5])
    return float(np.median(inside)) if inside.size else 0.0


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, np.float32)
