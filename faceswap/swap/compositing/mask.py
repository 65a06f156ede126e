"""Masks of a swapped face: regions from landmarks or the model, and their soft edges."""

import cv2
import numpy as np

from faceswap.faces.face_regions import (
    chin_mask,
    face_mask,
    features_mask,
    inner_face_mask,
    mouth_mask,
)
from faceswap.types import Mask, Points, Weights

_MOUTH_EDGE = 0.06  # of the crop's side: as far as the skin beside the lips is alike
_SUPERSAMPLE = 2  # regions are drawn at twice the size: distances to a quarter of a pixel


def landmark_region(points: Points, forehead: Points, side: int) -> Mask:
    """Region of the whole face from points (68, 2) and forehead (13, 2), in pixels of the crop.

    Binary, of twice the crop's ``side``, as are the other regions here.
    """
    size = (side * _SUPERSAMPLE, side * _SUPERSAMPLE)
    return (face_mask(_supersampled(points), _supersampled(forehead), size) > 127).astype(np.uint8)


def feature_region(points: Points, side: int) -> Mask:
    """Region from the brows to the mouth, from points (68, 2) in pixels of the crop."""
    size = (side * _SUPERSAMPLE, side * _SUPERSAMPLE)
    return (inner_face_mask(_supersampled(points), size) > 127).astype(np.uint8)


def chin_region(points: Points, side: int) -> Mask:
    """Region from the mouth to a little below the chin, from points (68, 2) in crop pixels."""
    size = (side * _SUPERSAMPLE, side * _SUPERSAMPLE)
    return (chin_mask(_supersampled(points), size) > 127).astype(np.uint8)


def _supersampled(points: Points) -> Points:
    return np.asarray((points + np.float32(0.5)) * _SUPERSAMPLE - np.float32(0.5), np.float32)


def learned_mask_region(mask: Weights, limit: Mask, reach: float) -> Mask:
    """Region of a mask (S, S) output by a model, limited to the surroundings of ``limit``.

    reach: how far it may extend beyond ``limit``, as a share of that region's width.
    """
    size = limit.shape[0]
    inside = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR) > 0.5
    beyond = cv2.distanceTransform(1 - limit, cv2.DIST_L2, 3)
    return (inside & (beyond <= reach * region_width(limit))).astype(np.uint8)


def region_width(region: Mask) -> float:
    """Width of a region in its own pixels, at least 1."""
    columns = np.flatnonzero(region.any(axis=0))
    return float(columns[-1] - columns[0] + 1) if len(columns) else 1.0


def soft_mask(region: Mask, dilate: float, blur: float) -> Weights:
    """Blend weights of the swapped face: float32 (side, side) in [0, 1].

    ``dilate`` (dilation, negative erodes) and ``blur`` (mask blur) are shares of the region's
    width. The mask fades inwards from the dilated outline and never exceeds it. It is 0 along the
    crop's border, outside of which there is nothing to blend.
    """
    size, width = region.shape[0], region_width(region)
    within = np.asarray(cv2.distanceTransform(region, cv2.DIST_L2, 5), np.float32)
    beyond = np.asarray(cv2.distanceTransform(1 - region, cv2.DIST_L2, 5), np.float32)
    ramp = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    border = np.minimum(ramp[:, None], ramp[None, :])
    depth = np.minimum(within - beyond + dilate * width, border) / max(1.0, blur * width)
    side = size // _SUPERSAMPLE
    t = np.clip(cv2.resize(depth, (side, side), interpolation=cv2.INTER_AREA), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def mouth_weights(points: Points, side: int) -> Weights:
    """Lips and what is between them, with a soft edge: float32 (side, side) in [0, 1].

    points: (68, 2) in pixels of the crop.
    """
    beyond = cv2.distanceTransform(
        (mouth_mask(points, (side, side)) < 128).astype(np.uint8), cv2.DIST_L2, 5
    )
    t = np.clip(1 - beyond / (_MOUTH_EDGE * side), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def skin_weights(mask: Weights, points: Points) -> Weights:
    """Where a face of weights ``mask`` (S, S) is skin, by its points (68, 2) in crop pixels."""
    features = features_mask(points, (mask.shape[0], mask.shape[1]))
    return np.asarray(mask * (1 - features / np.float32(255)), np.float32)
