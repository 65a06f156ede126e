"""Masks of a swapped face: where it counts, and how its edge fades."""

import cv2
import numpy as np

from faceswap.faces.face_regions import chin_mask, face_mask, inner_face_mask
from faceswap.types import Mask, Points, Weights

_FINE = 2  # at twice the size, a distance is right to a quarter of a pixel


def landmark_region(points: Points, forehead: Points, side: int) -> Mask:
    """The face inside its landmarks, (68, 2) and (13, 2) in pixels of a crop of ``side``."""
    size = (side * _FINE, side * _FINE)
    return (face_mask(_fine(points), _fine(forehead), size) > 127).astype(np.uint8)


def feature_region(points: Points, side: int) -> Mask:
    """What lies between brows and mouth, both included, of points (68, 2) in the crop's pixels."""
    size = (side * _FINE, side * _FINE)
    return (inner_face_mask(_fine(points), size) > 127).astype(np.uint8)


def chin_region(points: Points, side: int) -> Mask:
    """From the mouth to a little below the chin, of points (68, 2) in the crop's pixels."""
    size = (side * _FINE, side * _FINE)
    return (chin_mask(_fine(points), size) > 127).astype(np.uint8)


def _fine(points: Points) -> Points:
    return np.asarray((points + np.float32(0.5)) * _FINE - np.float32(0.5), np.float32)


def learned_mask_region(mask: Weights, limit: Mask, reach: float) -> Mask:
    """The face inside a mask (S, S) that a model made, where it is near the region ``limit``.

    reach: how far beyond ``limit`` it may go, as a share of that region's width.
    """
    size = limit.shape[0]
    inside = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR) > 0.5
    beyond = cv2.distanceTransform(1 - limit, cv2.DIST_L2, 3)
    return (inside & (beyond <= reach * region_width(limit))).astype(np.uint8)


def region_width(region: Mask) -> float:
    """Width of what is inside, in pixels of the region, at least 1."""
    columns = np.flatnonzero(region.any(axis=0))
    return float(columns[-1] - columns[0] + 1) if len(columns) else 1.0


def soft_mask(region: Mask, grow: float, feather: float) -> Weights:
    """The weight of the swapped face at each pixel of the crop: float32 (side, side).

    ``grow`` and ``feather`` are shares of the region's width: the mask is grown by the first
    (shrunk when negative) and fades over the second, inwards, so that it never reaches over the
    grown outline. It is 0 along the crop's border, beyond which there is nothing to blend.
    """
    size, width = region.shape[0], region_width(region)
    within = np.asarray(cv2.distanceTransform(region, cv2.DIST_L2, 5), np.float32)
    beyond = np.asarray(cv2.distanceTransform(1 - region, cv2.DIST_L2, 5), np.float32)
    ramp = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    border = np.minimum(ramp[:, None], ramp[None, :])
    depth = np.minimum(within - beyond + grow * width, border) / max(1.0, feather * width)
    side = size // _FINE
    t = np.clip(cv2.resize(depth, (side, side), interpolation=cv2.INTER_AREA), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
