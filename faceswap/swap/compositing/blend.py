"""Putting a swapped face back into its frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.crops import crop_bounds
from faceswap.faces.face_regions import chin_mask, face_mask, features_mask
from faceswap.swap.compositing.sharpness import with_detail

Frame = NDArray[np.uint8]
Picture = NDArray[np.float32]
Weights = NDArray[np.float32]
Matrix = NDArray[np.float64]
Points = NDArray[np.float32]
Region = NDArray[np.uint8]
"""What is face, 1, and what is not, 0, of a crop at ``_FINE`` times its size."""

_FINE = 2  # at twice the size, a distance is right to a quarter of a pixel

_PREFILTER = 1 / 3
"""Blur before a picture is shrunk, as a share of the step between samples: of what is finest in
the result 0.6 is left, and of what would be seen as something else, an eighth."""


def drawn_region(points: Points, forehead: Points, side: int) -> Region:
    """The face inside its landmarks, (68, 2) and (13, 2) in pixels of a crop of ``side``."""
    size = (side * _FINE, side * _FINE)
    return (face_mask(_fine(points), _fine(forehead), size) > 127).astype(np.uint8)


def feature_region(points: Points, side: int) -> Region:
    """What lies between brows and mouth, both included, of points (68, 2) in the crop's pixels."""
    size = (side * _FINE, side * _FINE)
    return (features_mask(_fine(points), size) > 127).astype(np.uint8)


def chin_region(points: Points, side: int) -> Region:
    """From the mouth to a little below the chin, of points (68, 2) in the crop's pixels."""
    size = (side * _FINE, side * _FINE)
    return (chin_mask(_fine(points), size) > 127).astype(np.uint8)


def _fine(points: Points) -> Points:
    return np.asarray((points + np.float32(0.5)) * _FINE - np.float32(0.5), np.float32)


def learned_region(mask: Weights, limit: Region, reach: float) -> Region:
    """The face inside a mask (S, S) that a model made, where it is near the region ``limit``.

    reach: how far beyond ``limit`` it may go, as a share of that region's width.
    """
    size = limit.shape[0]
    inside = cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR) > 0.5
    beyond = cv2.distanceTransform(1 - limit, cv2.DIST_L2, 3)
    return (inside & (beyond <= reach * region_width(limit))).astype(np.uint8)


def region_width(region: Region) -> float:
    """Width of what is inside, in pixels of the region, at least 1."""
    columns = np.flatnonzero(region.any(axis=0))
    return float(columns[-1] - columns[0] + 1) if len(columns) else 1.0


def soft_mask(region: Region, grow: float, feather: float) -> Weights:
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


def without_aliases(picture: Picture, shrink: float) -> Picture:
    """``picture`` (S, S) or (S, S, C) without what is too fine to be seen ``shrink`` times smaller.

    Sampled as it is, a picture that is larger than its place shows a random few of its pixels,
    others in each frame: it shimmers. The blur grows from none at the same size, so that a face
    that slowly comes nearer does not jump.
    """
    if shrink <= 1:
        return picture
    sigma = _PREFILTER * float(np.sqrt(shrink**2 - 1))
    blurred = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)


def paste(
    frame: Frame,
    face: Picture,
    mask: Weights,
    matrix: Matrix,
    sharpen: float = 0.0,
    grain: float = 0.0,
) -> None:
    """Blend ``face`` into ``frame`` in place.

    face float32 RGB (S, S, 3) in [0, 1] and mask float32 (S, S) lie in the crop of ``matrix``,
    frame → crop. Only pixels where the mask is above zero change. ``sharpen`` and ``grain`` as
    for ``with_detail``.
    """
    side = face.shape[0]
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = crop_bounds(matrix, side, width, height, margin=1)
    if x0 >= x1 or y0 >= y1:
        return
    local = matrix.copy()
    local[:, 2] += matrix[:, :2] @ (x0, y0)
    size = (x1 - x0, y1 - y0)
    shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    face, mask = without_aliases(face, shrink), without_aliases(mask, shrink)
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
    region = frame[y0:y1, x0:x1]
    before = region.astype(np.float32) / np.float32(255)
    if sharpen > 0 or grain > 0:
        warped = with_detail(warped, before, weight, 1 / max(1e-6, shrink), sharpen, grain)
    mixed = before + weight[..., None] * (warped - before)
    region[:] = np.clip(mixed * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
