"""Patches: swapped faces in the pixels of their frames, with anti-aliasing."""

import math

import cv2
import numpy as np

from faceswap.faces.crops import crop_bounds
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.sharpness import match_sharpness
from faceswap.types import FloatImage, Matrix, UInt8Image, Weights
from faceswap.video.patch import Patch

PLAIN = BlendOptions(sharpen=0, grain=0)
"""A face is pasted as it is."""

_BANDS = ((0.006, 0.4, 0.6), (0.018, 0.2, 0.8))
"""Deviation of the blur that ends a band, as a share of the crop's side, and the weights between
which it changes over."""

_REACH = 0.06
"""How far beyond the weights pixels are looked at, as a share of the crop's side: two deviations
of the widest blur of ``sharpness.py`` at the quick model's 160 px."""

_PREFILTER = 1 / 3
"""Deviation of the anti-aliasing blur, in pixels of the result: it keeps 0.6 of the finest detail
of the result, and an eighth of what would alias."""


def antialias(picture: FloatImage, shrink: float) -> FloatImage:
    """Low-pass filter ``picture`` (S, S) or (S, S, C) before it is shrunk by ``shrink``.

    Without it a downscaled face shimmers. The blur starts from none at equal size, so that a face
    that slowly approaches the camera has no sudden change.
    """
    if shrink <= 1:
        return picture
    sigma = _PREFILTER * float(np.sqrt(shrink**2 - 1))
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def moved_matrix(matrix: Matrix, side: int, look: BlendOptions) -> Matrix:
    """``matrix``, frame → crop of ``side`` pixels, for a face of another size or place.

    The face grows about the crop's middle and moves by shares of its side, see ``look``.
    """
    scale, middle = 1 / look.face_scale, (side - 1) / 2
    x, y = look.face_offset_x * side, look.face_offset_y * side
    moved = np.asarray(matrix * scale, np.float64)
    moved[:, 2] += middle - scale * (middle + np.array([x, y]))
    return moved


def make_patch(
    frame: UInt8Image, face: FloatImage, mask: Weights, matrix: Matrix, look: BlendOptions
) -> Patch | None:
    """The patch that puts ``face`` into ``frame``; None where it is outside of it.

    face float32 RGB (S, S, 3) in [0, 1] and mask float32 (S, S) are in crop coordinates; matrix:
    frame → crop. Only pixels with a mask above zero change. look: its sharpness, grain and blend
    mode.
    """
    side = face.shape[0]
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = _bounds(mask, matrix, width, height)
    if x0 >= x1 or y0 >= y1:
        return None
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ (x0, y0)
    size = (x1 - x0, y1 - y0)
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    face, mask = antialias(face, shrink), antialias(mask, shrink)
    inverse = cv2.WARP_INVERSE_MAP
    warped = np.asarray(
        cv2.warpAffine(
            face, local, size, flags=cv2.INTER_CUBIC | inverse, borderMode=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )
    weight = np.asarray(
        cv2.warpAffine(mask, local, size, flags=cv2.INTER_LINEAR | inverse), np.float32
    )
    if look.sharpen > 0 or look.grain > 0 or look.blend_mode == "pyramid":
        before = frame[y0:y1, x0:x1].astype(np.float32) / np.float32(255)
        scale = 1 / max(1e-6, shrink)
        warped = match_sharpness(warped, before, weight, scale, look.sharpen, look.grain)
        if look.blend_mode == "pyramid":
            warped = blend_bands(warped, before, weight, side * scale)
    return Patch(x0, y0, warped, weight, matrix)


def _bounds(mask: Weights, matrix: Matrix, width: int, height: int) -> tuple[int, int, int, int]:
    """Pixel rectangle x0, y0, x1, y1 of the frame around all weights, as far as sharpness reaches.

    A face fills hardly half of its crop.
    """
    side = mask.shape[0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return crop_bounds(matrix, side, width, height, margin=1)
    reach = math.ceil(_REACH * side)
    left, top = max(0, int(columns[0]) - reach), max(0, int(rows[0]) - reach)
    right, bottom = min(side, int(columns[-1]) + 1 + reach), min(side, int(rows[-1]) + 1 + reach)
    part = matrix.copy()
    part[:, 2] -= left, top
    return crop_bounds(part, (right - left, bottom - top), width, height, margin=1)


def blend_bands(face: FloatImage, before: FloatImage, weight: Weights, size: float) -> FloatImage:
    """``face`` such that, mixed by ``weight``, each of its bands changes over as fast as it varies.

    face, before: RGB (H, W, 3); weight (H, W); size: of the crop in their pixels. A mix of two
    textures is softer than either, so that fine bands change over in the middle of the edge and
    only broad tones all along it: the Laplacian pyramid of Burt and Adelson, "A multiresolution
    spline with application to image mosaics", 1983, without its shrinking, so that nothing outside
    of the weights changes.
    """
    rest = face - before
    result = face.copy()
    for blur, low, high in _BANDS:
        blurred = np.asarray(cv2.GaussianBlur(rest, (0, 0), blur * size), np.float32)
        steep = np.clip((weight - np.float32(low)) / np.float32(high - low), 0, 1)
        more = steep / np.maximum(weight, np.float32(1e-3)) - (weight > 0)
        result += more[..., None] * (rest - blurred)
        rest = blurred
    return result


def paste(
    frame: UInt8Image, face: FloatImage, mask: Weights, matrix: Matrix, look: BlendOptions = PLAIN
) -> None:
    """Blend ``face`` into ``frame`` in place; arguments as of ``make_patch``."""
    patch = make_patch(frame, face, mask, matrix, look)
    if patch is not None:
        patch.apply(frame)
