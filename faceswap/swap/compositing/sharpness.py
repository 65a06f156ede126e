"""Match the sharpness of a swapped face to the footage.

The network's output is smoother than camera footage and looks pasted in. Its structure (edges of
eyes, lips and brows) is amplified, band by band, to the sharpness of A, and softened where A has
motion blur or is out of focus. Where a band of the output holds no more than noise, such as the
grid of the network's upsampling on bare skin, there is nothing to amplify; pores, grain and noise,
which it lacks, are taken from the frame itself.
"""

import math

import cv2
import numpy as np

from faceswap.types import FloatImage, Weights

_STEP = 2.5  # ratio of the blurs that limit one band and the next
_MOST_GAIN = 4.0  # beyond this, errors of the network are amplified rather than detail
_NOISE = 2.0  # deviations of the noise below which a band holds no structure
_LEAST_GAIN = 0.3
_NOTHING = 1e-4  # mean strength below which a band is taken as empty
_EDGE = 5.0 / 255  # skin texture and grain are weaker, edges of features stronger


def match_sharpness(
    face: FloatImage, region: FloatImage, mask: Weights, scale: float, sharpen: float, grain: float
) -> FloatImage:
    """Match the sharpness of ``face`` to the ``region`` it replaces; both RGB (H, W, 3) in [0, 1].

    mask (H, W): blend weights of the face. scale: region pixels per pixel of the network's output.
    sharpen: how far structure is raised or softened to the region's, 0 to 1 or more. grain: share
    of the region's finest texture to add. No pixel gets brighter or darker than those around it
    were, so edges have no halo, but for the texture.
    """
    sigma = max(1.0, 0.7 * scale)
    luma = _luma(face)
    bands, others = _bands(luma, sigma), _bands(_luma(region), sigma)
    matched = luma
    if sharpen > 0:
        own, wanted = (_structures(one, mask) for one in (bands, others))
        for band, structure, ratio in zip(bands, own, _ratios(own, wanted, mask), strict=False):
            if ratio < 1:
                gain = max(_LEAST_GAIN, 1 + min(sharpen, 1.0) * (ratio - 1))
                matched = matched + np.float32(gain - 1) * band
            else:
                gain = 1 + sharpen * (ratio - 1)
                matched = matched + np.float32(min(gain, _MOST_GAIN) - 1) * structure
        around = np.ones(2 * [2 * math.ceil(2 * sigma) + 1], np.uint8)
        matched = np.clip(matched, cv2.erode(luma, around), cv2.dilate(luma, around))
    if grain > 0:
        matched = matched + np.float32(grain) * _texture(others[0])
    return face + (matched - luma)[..., None]


def _ratios(own: list[Weights], wanted: list[Weights], mask: Weights) -> list[float]:
    """How much sharper A is in each band but the coarsest, which contrast is measured by.

    Strong brows on a face do not make it sharper than one with fair ones: a band counts relative to
    the coarsest. 1 where there is nothing to compare.
    """
    mine, other = ([_strength(one, mask) for one in bands] for bands in (own, wanted))
    if min(mine[-1], other[-1]) < _NOTHING:
        return [1.0] * (len(own) - 1)
    ratios = []
    for strength, its in zip(mine[:-1], other[:-1], strict=True):
        blur = (its / other[-1]) / (max(strength, _NOTHING) / mine[-1])
        ratios.append(blur if strength > _NOTHING else 1.0)
    return ratios


def _luma(picture: FloatImage) -> Weights:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


def _bands(luma: Weights, sigma: float) -> list[Weights]:
    """Difference-of-Gaussians bands of the luma, finest first: (H, W), the last one a quarter."""
    last = luma
    bands: list[Weights] = []
    for scale in (sigma, sigma * _STEP, sigma * _STEP**2 / 4):
        if len(bands) == 2:  # by now so smooth that a quarter of the size shows it as well
            size = max(1, luma.shape[1] // 4), max(1, luma.shape[0] // 4)
            last = np.asarray(cv2.resize(last, size, interpolation=cv2.INTER_AREA), np.float32)
        blurred = np.asarray(cv2.GaussianBlur(last, (0, 0), scale), np.float32)
        bands.append(last - blurred)
        last = blurred
    return bands


def _structures(bands: list[Weights], mask: Weights) -> list[Weights]:
    """The bands without noise, which the coarsest has none of to speak of."""
    return [*(_structure(band, mask) for band in bands[:-1]), bands[-1]]


def _structure(band: Weights, mask: Weights) -> Weights:
    """``band`` without noise: what is weaker fades out.

    Most of a face is bare skin, so the median tells the noise (Donoho and Johnstone, "Ideal spatial
    adaptation by wavelet shrinkage", 1994).
    """
    size = np.abs(band)
    inside = size[::2, ::2][mask[::2, ::2] > 0.5]
    if not inside.size:
        return np.zeros_like(band)
    noise = np.float32(_NOISE * np.median(inside) / 0.6745)
    # In place: at the size of a frame, most of the time goes into new arrays.
    size -= noise
    size /= np.maximum(noise, 1e-6)
    np.clip(size, 0, 1, out=size)
    size *= band
    return size


def _strength(band: Weights, mask: Weights) -> float:
    if mask.shape != band.shape:
        size = band.shape[1], band.shape[0]
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    return float((np.abs(band) * mask).sum()) / max(float(mask.sum()), 1.0)


def _texture(finest: Weights) -> Weights:
    """Pores, grain and noise of the finest band; edges, where it is strong, are faded out."""
    strength = np.asarray(cv2.GaussianBlur(np.abs(finest), (0, 0), 1.5), np.float32)
    return np.asarray(finest * np.exp(-((strength / np.float32(_EDGE)) ** 2)), np.float32)
