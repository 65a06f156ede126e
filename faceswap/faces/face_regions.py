"""Masks of face regions drawn from landmarks.

All take points (68, 2) and, for the whole face, forehead (13, 2), in pixels of the mask; all
return uint8 (H, W), 255 inside, with an anti-aliased edge.
"""

import cv2
import numpy as np

from faceswap.types import Mask, Points

_SHIFT = 4  # cv2 draws polygons at 1/16 of a pixel
EYES = (slice(36, 42), slice(42, 48))
_BROWS = (slice(17, 22), slice(22, 27))
_NOSE, _NOSTRILS = slice(27, 36), slice(31, 36)
_MOUTH = slice(48, 60)
_MOUTH_INSIDE = slice(60, 68)


def face_mask(points: Points, forehead: Points, size: tuple[int, int]) -> Mask:
    """The whole face, chin to hairline, of ``size`` (H, W)."""
    return _hull(np.concatenate([points, forehead]), size)


def eyes_mask(points: Points, size: tuple[int, int]) -> Mask:
    """Both eyes with their lids, of ``size`` (H, W)."""
    mask = np.zeros(size, np.uint8)
    for eye in EYES:
        mask = np.maximum(mask, _hull(_expand(points[eye], 1.5), size))
    return mask


def mouth_mask(points: Points, size: tuple[int, int]) -> Mask:
    """Lips and the mouth opening, of ``size`` (H, W)."""
    return _hull(_expand(points[_MOUTH], 1.15), size)


def mouth_interior_mask(points: Points, size: tuple[int, int]) -> Mask:
    """Mouth opening between the lips, of ``size`` (H, W)."""
    return _hull(points[_MOUTH_INSIDE], size)


def inner_face_mask(points: Points, size: tuple[int, int]) -> Mask:
    """Brows to mouth, with a margin of 30 %, of ``size`` (H, W)."""
    inner = points[17:]
    centre = inner.mean(0)
    return _hull(np.asarray(centre + (inner - centre) * 1.3, np.float32), size)


def chin_mask(points: Points, size: tuple[int, int]) -> Mask:
    """From the mouth to a little below the chin, of ``size`` (H, W)."""
    nose = points[33]
    below = nose + (points[7:10] - nose) * 1.15
    return _hull(np.concatenate([points[_MOUTH], points[7:10], below]).astype(np.float32), size)


def nose_mask(points: Points, size: tuple[int, int]) -> Mask:
    """The nose from its root to its wings, of ``size`` (H, W)."""
    return _hull(points[_NOSE], size)


def features_mask(points: Points, size: tuple[int, int]) -> Mask:
    """What is not skin in a face: eyes with their lids, brows, nostrils and lips."""
    mask = np.maximum(eyes_mask(points, size), mouth_mask(points, size))
    for part in (*_BROWS, _NOSTRILS):
        mask = np.maximum(mask, _hull(_expand(points[part], 1.3), size))
    return mask


def _expand(points: Points, factor: float) -> Points:
    centre = points.mean(0)
    # A shut eye is a line: growing its height by its width as well keeps the lids inside.
    width = float(np.ptp(points[:, 0]))
    away = (points - centre) * factor
    away[:, 1] += np.sign(away[:, 1]) * (factor - 1) * 0.2 * width
    return np.asarray(centre + away, np.float32)


def _hull(points: Points, size: tuple[int, int]) -> Mask:
    mask = np.zeros(size, np.uint8)
    fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(fixed), 255, cv2.LINE_AA, _SHIFT)
    return mask
