"""Masks of a swapped face: regions from landmarks or the model, their soft edges, and what is cut
out of them because A's hair or a hand is before the face, or because B's hair came along."""

from typing import NamedTuple

import cv2
import numpy as np

from faceswap.faces.face_regions import (
    chin_mask,
    face_mask,
    features_mask,
    inner_face_mask,
    mouth_mask,
)
from faceswap.faces.labels import Label
from faceswap.faces.segmenter import HIDING, Segmentation
from faceswap.swap.compositing.options import MaskOptions
from faceswap.types import Mask, Points, Weights

_MOUTH_EDGE = 0.06  # of the crop's side: as far as the skin beside the lips is alike
_SUPERSAMPLE = 2  # regions are drawn at twice the size: distances to a quarter of a pixel
_NOT_B = (Label.BACKGROUND, Label.HAIR, Label.CLOTH, Label.IN_FRONT)
"""What a swapped crop shows besides B's face. Glasses of B belong to the face."""
_EDGE = 0.015
_HAIR_EDGE = 0.08
"""Blur of the edge of what is before A's face, and of where B's face ends, as shares of the crop's
side. The first must be narrow, or A's own face shows around a finger; the second passes from B's
skin to A's and may be wide."""
_GLASSES_AREA = (0.008, 0.014)
"""Shares of a crop from which what looks like glasses may be, and is, taken for such: frames cover
1.4 to 5.9 %, lashes and shadows that look like them up to 0.8 % (seven clips)."""
_CHIN, _CHIN_EDGE = (0.6, 0.85), 0.25
"""From mouth to chin, as shares of a face's height, and by how much the soft edge is narrower at
the chin: there A's jaw would shine through, while cheeks and forehead are much alike."""
_FEATURE_EDGE = 0.04
"""Mask blur at A's brows and eyes at most, as a share of the face's width."""
_FEATURES = (Label.EYES, Label.BROWS, Label.LIPS, Label.MOUTH)
_FEATURE_SPREAD = 5  # pixels of the segmentation
_FEATURE_REACH = 0.03
"""Blur of the area around B's features that is kept with them, as a share of the crop's side."""
_HAIR_BEGIN = 0.6
"""Blurred probability at which B's face begins: skin beside B's hair is in its shadow."""
_FADE = 0.35
"""Blurred probability from the beginning of a mask to where it is 1."""


class Growth(NamedTuple):
    """Mask erode/dilate, as shares of the face's width: all around, and more of it on each side
    of the crop."""

    around: float = 0.0
    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0


def growth_of(options: MaskOptions) -> Growth:
    """The erode/dilate options of a mask."""
    o = options
    return Growth(o.mask_dilate, o.mask_top, o.mask_bottom, o.mask_left, o.mask_right)


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


def soft_mask(
    region: Mask, growth: Growth, blur: float, features: Weights | None = None
) -> Weights:
    """Blend weights of the swapped face: float32 (side, side) in [0, 1].

    ``growth`` (dilation, negative erodes) and ``blur`` (mask blur) are shares of the region's
    width. The mask fades inwards from the dilated outline and never exceeds it, within a narrow
    edge where A's ``features`` (side, side) are, half of which would shine through. It is 0 along
    the crop's border, outside of which there is nothing to blend.
    """
    size, width = region.shape[0], region_width(region)
    within = np.asarray(cv2.distanceTransform(region, cv2.DIST_L2, 5), np.float32)
    beyond = np.asarray(cv2.distanceTransform(1 - region, cv2.DIST_L2, 5), np.float32)
    ramp = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    border = np.minimum(ramp[:, None], ramp[None, :])
    grown = _growth_field(region, growth) * width
    side = size // _SUPERSAMPLE
    depth = np.minimum(within - beyond + grown, border)
    depth = np.asarray(cv2.resize(depth, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    edge = np.float32(blur) * (1 - _CHIN_EDGE * _lower_part(region, side))
    if features is not None:
        edge = edge + (np.minimum(edge, np.float32(_FEATURE_EDGE)) - edge) * features
    t = np.clip(depth / np.maximum(edge * np.float32(width), 1), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _lower_part(region: Mask, side: int) -> Weights:
    """Weights (side, 1), 1 at the chin and 0 from the mouth upwards, of a region of a face."""
    rows = np.flatnonzero(region.any(1)) / _SUPERSAMPLE
    if not rows.size:
        return np.zeros((side, 1), np.float32)
    begin, end = rows[0] + np.array(_CHIN) * (rows[-1] - rows[0])
    t = np.clip((np.arange(side) - begin) / max(end - begin, 1), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)[:, None]


def _growth_field(region: Mask, growth: Growth) -> Weights | np.float32:
    """Growth at each pixel: that of the side it lies on, seen from the region's middle."""
    if not any(growth[1:]) or not region.any():
        return np.float32(growth.around)
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    y = np.arange(region.shape[0], dtype=np.float32)[:, None] - (rows[0] + rows[-1]) / 2
    x = np.arange(region.shape[1], dtype=np.float32)[None, :] - (columns[0] + columns[-1]) / 2
    # Squares of sine and cosine: they sum to 1, so that equal sides grow as one.
    length = np.maximum(x * x + y * y, 1)
    down, across = y * y / length, x * x / length
    sides = down * np.where(y < 0, growth.top, growth.bottom)
    sides = sides + across * np.where(x < 0, growth.left, growth.right)
    return np.asarray(growth.around + sides, np.float32)


def seen_of_a(original: Segmentation, row: int, keep_glasses: bool) -> Weights:
    """Probability (128, 128) that no hair, hand or clothes are before A's face.

    keep_glasses: whether A's glasses, their frames and dark lenses, are kept in front too.
    """
    hidden = original.of(row, HIDING)
    if keep_glasses:
        glasses = original.of(row, (Label.GLASSES,))
        least, sure = _GLASSES_AREA
        area = float((glasses > 0.5).mean())
        hidden = hidden + glasses * np.float32(np.clip((area - least) / (sure - least), 0, 1))
    return np.asarray(1 - hidden, np.float32)


def seen_of_b(swapped: Segmentation, row: int) -> Weights:
    """Probability (128, 128) that a swapped crop shows B's face rather than hair or background."""
    return 1 - swapped.of(row, _NOT_B)


def features_of_b(swapped: Segmentation, row: int) -> Weights:
    """Probability (128, 128) that a swapped crop shows B's eyes, brows or mouth."""
    return swapped.of(row, _FEATURES)


def features_of_a(original: Segmentation, row: int, side: int) -> Weights:
    """Where A's brows and eyes are, and a little around them: float32 (side, side) in [0, 1]."""
    found = original.of(row, (Label.BROWS, Label.EYES))
    wide = cv2.dilate(found, np.ones((_FEATURE_SPREAD, _FEATURE_SPREAD), np.uint8))
    soft = cv2.GaussianBlur(np.minimum(wide, 1), (0, 0), _FEATURE_SPREAD / 2)
    return np.asarray(cv2.resize(soft, (side, side)), np.float32)


def unhidden(seen: Weights, side: int) -> Weights:
    """Weights (side, side) in [0, 1] of a probability that A's face is seen: 0 where it is not."""
    return _faded(seen, side, _EDGE, 0.5)


def swapped_face(seen: Weights, features: Weights, side: int) -> Weights:
    """Weights (side, side) in [0, 1] of a probability that B's face is seen: 0 where it is not.

    features: probability of B's eyes, brows and mouth, which are kept up to a narrow edge: half an
    eye of each would be worse than a seam.
    """
    wide = _faded(seen, side, _HAIR_EDGE, _HAIR_BEGIN)
    near = _faded(features, side, _FEATURE_REACH, 0.05) * _faded(seen, side, _EDGE, 0.5)
    return np.asarray(np.maximum(wide, near), np.float32)


def _faded(shown: Weights, side: int, blur: float, begin: float) -> Weights:
    """Weights that fade inwards from where ``shown``, a probability, blurred, is ``begin``."""
    sigma = blur * shown.shape[0]
    soft = cv2.GaussianBlur(shown, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    if soft.shape[0] != side:
        soft = cv2.resize(soft, (side, side), interpolation=cv2.INTER_LINEAR)
    t = np.clip((soft - begin) / _FADE, 0, 1)
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
