"""How sharp a swapped face is, against the footage it goes into.

A network's face is smoother than a camera's picture, which shows as a face that does not belong
to its frame. What detail it has is raised to the strength that A's has, band by band; what it
can't have, pores, grain and noise, comes from the frame itself.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Picture = NDArray[np.float32]
Weights = NDArray[np.float32]
Gains = NDArray[np.float32]

_SCALES = (1.0, 2.0, 4.0)  # each band lies between a blur of so many pixels and the one before
_MOST = 2.5  # beyond this, mistakes of the network are raised rather than detail
_EDGE = 5.0  # levels of 255: texture of skin and grain is below, edges of features are above


def detail_gains(face: Picture, reference: Picture, mask: Weights) -> Gains:
    """By how much each band of ``face`` is weaker than that of ``reference``: float32 (3,).

    Pictures are RGB (S, S, 3), mask (S, S); only what lies under the mask counts. From 1, as
    strong or stronger, to a sensible most.
    """
    weight = mask / max(float(mask.sum()), 1.0)
    own, wanted = (
        [float((np.abs(band) * weight).sum()) for band in _bands(picture)]
        for picture in (face, reference)
    )
    ratios = np.array(wanted) / np.maximum(own, 1e-5)
    return np.clip(ratios, 1, _MOST).astype(np.float32)


def raise_detail(face: Picture, gains: Gains, strength: float) -> Picture:
    """``face`` with its bands made stronger by ``strength`` of the way to ``gains``."""
    added = sum(
        np.float32(strength * (gain - 1)) * band
        for gain, band in zip(gains.tolist(), _bands(face), strict=True)
    )
    return np.clip(face + np.asarray(added, np.float32)[..., None], 0, 1)


def _bands(picture: Picture) -> list[Weights]:
    """Brightness of a picture between one blur and the next, finest first: (S, S) each."""
    last = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    bands = []
    for scale in _SCALES:
        blurred = np.asarray(cv2.GaussianBlur(last, (0, 0), scale), np.float32)
        bands.append(last - blurred)
        last = blurred
    return bands


def fine_texture(picture: Frame) -> NDArray[np.float32]:
    """What is finest in ``picture`` (H, W, 3): pores, grain and noise, but no edges: (H, W, 1).

    The difference of brightness from its surroundings of a pixel or two, faded out where it is
    too strong to be texture.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.2)
    strength = cv2.GaussianBlur(np.abs(fine), (0, 0), 1.5)
    return np.asarray((fine * np.exp(-((strength / _EDGE) ** 2)))[..., None], np.float32)
