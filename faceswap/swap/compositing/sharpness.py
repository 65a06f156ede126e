"""How sharp a swapped face is, against the footage it goes into.

A network's face is smoother than a camera's picture, which shows as a face that does not belong
to its frame. What detail it has is raised to the strength that A's has at the same pixels, band
by band, so that it also is as blurred as A where A moves fast; what it can't have, pores, grain
and noise, comes from the frame itself.
"""

import cv2
import numpy as np

from faceswap.types import FloatImage, Weights

_STEP = 2.5  # from the blur that ends one band to the next one's
_MOST = 4.0  # beyond this, mistakes of the network are raised rather than detail
_EDGE = 5.0 / 255  # texture of skin and grain is below, edges of features are above


def match_sharpness(
    face: FloatImage, region: FloatImage, mask: Weights, scale: float, sharpen: float, grain: float
) -> FloatImage:
    """``face`` with the sharpness of the ``region`` it goes into; both RGB (H, W, 3) in [0, 1].

    mask (H, W): where the face will be seen. scale: pixels of the region to a pixel of what the
    network made. sharpen: how far detail is raised to the region's, 0 to 1 or beyond. grain: how
    much of the region's own finest texture stays.
    """
    sigma = max(1.0, 0.7 * scale)
    own, wanted = _bands(face, sigma), _bands(region, sigma)
    added = np.zeros_like(own[0])
    for band, other in zip(own, wanted, strict=True):
        gain = np.clip(_strength(other, mask) / max(_strength(band, mask), 1e-5), 1, _MOST)
        added += np.float32(sharpen * (gain - 1)) * band
    if grain > 0:
        added += np.float32(grain) * _texture(wanted[0])
    return face + added[..., None]


def _bands(picture: FloatImage, sigma: float) -> list[Weights]:
    """Brightness between one blur and the next, finest first: (H, W) each."""
    last = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)
    bands = []
    for scale in (sigma, sigma * _STEP):
        blurred = np.asarray(cv2.GaussianBlur(last, (0, 0), scale), np.float32)
        bands.append(last - blurred)
        last = blurred
    return bands


def _strength(band: Weights, mask: Weights) -> float:
    return float((np.abs(band) * mask).sum()) / max(float(mask.sum()), 1.0)


def _texture(finest: Weights) -> Weights:
    """Pores, grain and noise in the finest band, but no edges: faded out where it is strong."""
    strength = np.asarray(cv2.GaussianBlur(np.abs(finest), (0, 0), 1.5), np.float32)
    return np.asarray(finest * np.exp(-((strength / np.float32(_EDGE)) ** 2)), np.float32)
