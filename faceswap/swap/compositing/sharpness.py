"""Match the sharpness of a swapped face to the footage.

The network's output is smoother than camera footage and looks pasted in. Each frequency band of its
detail is amplified to the strength of the same band in A, so that it stays blurred where A has
motion blur; pores, grain and noise, which it lacks, are taken from the frame itself.
"""

import cv2
import numpy as np

from faceswap.types import FloatImage, Weights

_STEP = 2.5  # ratio of the blurs that limit one band and the next
_MAX_GAIN = 4.0  # beyond this, errors of the network are amplified rather than detail
_EDGE = 5.0 / 255  # skin texture and grain are weaker, edges of features stronger


def match_sharpness(
    face: FloatImage, region: FloatImage, mask: Weights, scale: float, sharpen: float, grain: float
) -> FloatImage:
    """Sharpen ``face`` to match the ``region`` it replaces; both RGB (H, W, 3) in [0, 1].

    mask (H, W): blend weights of the face. scale: region pixels per pixel of the network's output.
    sharpen: how far detail is raised to the region's, 0 to 1 or more. grain: share of the region's
    finest texture to add.
    """
    sigma = max(1.0, 0.7 * scale)
    own, target = _bands(face, sigma), _bands(region, sigma)
    added = np.zeros_like(own[0])
    for band, other in zip(own, target, strict=True):
        gain = np.clip(_strength(other, mask) / max(_strength(band, mask), 1e-5), 1, _MAX_GAIN)
        added += np.float32(sharpen * (gain - 1)) * band
    if grain > 0:
        added += np.float32(grain) * _texture(target[0])
    return face + added[..., None]


def _bands(picture: FloatImage, sigma: float) -> list[Weights]:
    """Difference-of-Gaussians bands of the luma, finest first: (H, W) each."""
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
    """Pores, grain and noise of the finest band; edges, where it is strong, are faded out."""
    strength = np.asarray(cv2.GaussianBlur(np.abs(finest), (0, 0), 1.5), np.float32)
    return np.asarray(finest * np.exp(-((strength / np.float32(_EDGE)) ** 2)), np.float32)
