"""Image and landmark metrics, as pure functions.

Pictures are uint8 RGB (H, W, 3); masks are uint8 (H, W), inside from 128 on. SSIM and MS-SSIM are
those of ``autoencoder/similarity.py``, here by OpenCV, which filters one frame 18 times as fast.
"""

import cv2
import numpy as np
import torch

from faceswap.autoencoder import similarity
from faceswap.types import Curve, FloatImage, Mask, Points, UInt8Image

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # stabilisers of SSIM, from its paper
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM, from its paper


def psnr(picture: UInt8Image, truth: UInt8Image, mask: Mask) -> float:
    """Peak signal-to-noise ratio inside the mask in dB, at most 100; NaN for an empty mask."""
    inside = mask > 127
    if not inside.any():
        return float("nan")
    a, b = (torch.from_numpy(x[inside]).double() / 255 for x in (picture, truth))
    return float(similarity.psnr(a, b))


def ssim(picture: UInt8Image, truth: UInt8Image, mask: Mask) -> float:
    """SSIM: mean structural similarity of the luma inside the mask; NaN for an empty mask.

    Gaussian window 11×11, deviation 1.5; Wang et al., *Image quality assessment: from
    error visibility to structural similarity*, 2004.
    """
    window = _window(mask, 8)
    if window is None:
        return float("nan")
    a, b = _luma(picture[window]), _luma(truth[window])
    luminance, structure = _similarity(a, b)
    return float((luminance * structure)[mask[window] > 127].mean())


def ms_ssim(picture: UInt8Image, truth: UInt8Image, mask: Mask) -> float:
    """MS-SSIM: multi-scale SSIM of the luma inside the mask; NaN for an empty mask.

    Five scales; Wang et al., *Multiscale structural similarity for image quality assessment*,
    2003. Faces too small for five use fewer, with the weights normalised to a sum of 1.
    """
    window = _window(mask, 32)
    if window is None:
        return float("nan")
    a, b = _luma(picture[window]), _luma(truth[window])
    inside = np.asarray(mask[window], np.float32)
    least = min(np.ptp(np.flatnonzero((mask > 127).any(axis))) + 1 for axis in (0, 1))
    count = int(np.clip(np.log2(max(float(least), 11.0) / 11) + 1, 1, len(_SCALES)))
    weights = np.array(_SCALES[:count]) / sum(_SCALES[:count])
    result = 1.0
    for scale, weight in enumerate(weights):
        luminance, structure = _similarity(a, b)
        whole = structure * luminance if scale == count - 1 else structure
        result *= max(0.0, float(whole[inside > 127].mean())) ** weight
        a, b, inside = (_halved(x) for x in (a, b, inside))
    return result


def detail_energy(picture: UInt8Image, mask: Mask) -> float:
    """Amount of fine detail: mean absolute Laplacian of the luma inside the mask."""
    window = _window(mask, 4)
    if window is None:
        return float("nan")
    edges = cv2.Laplacian(_luma(picture[window]), cv2.CV_32F, ksize=3)
    return float(np.abs(edges[mask[window] > 127]).mean())


def flicker(before: UInt8Image, now: UInt8Image, after: UInt8Image, mask: Mask) -> float:
    """Flicker: mean absolute second temporal difference of the luma inside the mask.

    Of three aligned, consecutive pictures. A linear change gives 0, alternation does not.
    """
    inside = mask > 127
    if not inside.any():
        return float("nan")
    change = _luma(before) - 2 * _luma(now) + _luma(after)
    return float(np.abs(change[inside]).mean())


def seam(picture: UInt8Image, original: UInt8Image, mask: Mask) -> float:
    """Seam visibility: added colour step across the mask's edge, in ΔE (CIE 1976).

    Along the outline, the colour difference between just inside and just outside is taken in
    ``picture`` and in ``original``; the result is its mean increase, at least 0. About 2 is just
    visible.
    """
    outlines, _ = cv2.findContours(
        (mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    if not outlines:
        return float("nan")
    outline = max(outlines, key=len)[:, 0].astype(np.float64)
    reach = max(2.0, 0.02 * float(np.ptp(outline[:, 0])))
    ahead = np.roll(outline, -3, 0) - np.roll(outline, 3, 0)
    normal = np.stack([-ahead[:, 1], ahead[:, 0]], -1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    height, width = mask.shape
    steps = []
    for image in (picture, original):
        soft = cv2.GaussianBlur(image, (0, 0), reach / 2).astype(np.float32) / 255
        lab = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)
        sides = []
        for sign in (1, -1):
            place = np.round(outline + sign * reach * normal).astype(int)
            x, y = np.clip(place[:, 0], 0, width - 1), np.clip(place[:, 1], 0, height - 1)
            sides.append(lab[y, x])
        steps.append(np.linalg.norm(sides[0] - sides[1], axis=1))
    edge = (outline > 1).all(1) & (outline < [width - 2, height - 2]).all(1)
    if not edge.any():
        return float("nan")
    return max(0.0, float((steps[0] - steps[1])[edge].mean()))


def correlation(first: Curve, second: Curve) -> float:
    """Pearson correlation of two curves (N,), without frames that are NaN in either.

    NaN if fewer than three frames are left or a curve is constant.
    """
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 3:
        return float("nan")
    x, y = first[both] - first[both].mean(), second[both] - second[both].mean()
    power = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / power if power > 1e-9 else float("nan")


def points_error(found: Points, wanted: Points) -> float:
    """Normalised mean error (NME) of points (68, 2), in % of the outer eye distance."""
    unit = max(float(np.linalg.norm(wanted[45] - wanted[36])), 1e-6)
    return float(np.linalg.norm(found - wanted, axis=1).mean()) / unit * 100


def _luma(picture: UInt8Image) -> FloatImage:
    """ITU-R BT.601 luma (H, W), 0 to 255."""
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _halved(image: FloatImage) -> FloatImage:
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    mean = image[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return np.asarray(mean, np.float32)


def _similarity(a: FloatImage, b: FloatImage) -> tuple[FloatImage, FloatImage]:
    """Luminance and contrast-structure maps of SSIM, each (H, W)."""

    def blurred(image: FloatImage) -> FloatImage:
        return np.asarray(cv2.GaussianBlur(image, (11, 11), 1.5), np.float32)

    mean_a, mean_b = blurred(a), blurred(b)
    var_a = blurred(a * a) - mean_a**2
    var_b = blurred(b * b) - mean_b**2
    both = blurred(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * both + _C2) / (var_a + var_b + _C2)
    return np.asarray(luminance, np.float32), np.asarray(structure, np.float32)


def _window(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """Bounding rows and columns of the mask plus ``margin`` pixels; None if it is empty."""
    rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
    if not len(rows):
        return None
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )
