"""What may be swapped of A's faces as they were filmed, before there is any model."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import crop_matrix, face_similarity, transform
from faceswap.faces.crops import crop_bounds, warp_crop
from faceswap.faces.labels import PALETTE, Label
from faceswap.faces.segmenter import SEGMENT_SIZE, Segmenter
from faceswap.swap.compositing.mask import Growth, landmark_region, soft_mask, unhidden
from faceswap.types import Matrix, Points, UInt8Image, Weights

_TINT = 0.45
_BLUR = 0.1  # of conversion's default
_OUTLINE = (255, 255, 255)


@dataclass(frozen=True)
class OriginalMask:
    """Mask of a face of A. weights (128, 128): where it may be swapped; labels (128, 128), see
    ``Label``; seen: share of the face's outline that nothing hides; matrix: frame → mask."""

    weights: Weights
    labels: NDArray[np.uint8]
    seen: float
    matrix: Matrix


def original_masks(
    frame: UInt8Image,
    faces: Sequence[tuple[Points, Points]],
    segmenter: Segmenter,
    *,
    keep_glasses: bool = True,
) -> list[OriginalMask]:
    """Masks of the faces, points (68, 2) and forehead (13, 2) each, in a frame (H, W, 3)."""
    matrices = [crop_matrix(face_similarity(points), SEGMENT_SIZE) for points, _ in faces]
    found = segmenter.segment([warp_crop(frame, matrix, SEGMENT_SIZE) for matrix in matrices])
    masks = []
    for row, ((points, forehead), matrix) in enumerate(zip(faces, matrices, strict=True)):
        placed = transform(matrix, points), transform(matrix, forehead)
        region = landmark_region(*placed, SEGMENT_SIZE)
        inside = cv2.resize(region, (SEGMENT_SIZE, SEGMENT_SIZE), interpolation=cv2.INTER_AREA)
        shown = unhidden(found, row, SEGMENT_SIZE, keep_glasses)
        seen = float((inside * shown).sum() / max(1.0, float(inside.sum())))
        weights = soft_mask(region, Growth(), _BLUR) * shown
        masks.append(OriginalMask(weights, found.labels(row), seen, matrix))
    return masks


def draw_mask(frame: UInt8Image, mask: OriginalMask) -> None:
    """Tint the crop of a mask in ``frame`` (H, W, 3) by its labels, in place, and draw the line
    where the mask is one half."""
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = crop_bounds(mask.matrix, SEGMENT_SIZE, width, height, margin=0)
    if x0 >= x1 or y0 >= y1:
        return
    local = mask.matrix.copy()
    local[:, 2] += mask.matrix[:, :2] @ (x0, y0)
    size = (x1 - x0, y1 - y0)
    inverse = cv2.WARP_INVERSE_MAP
    labels = cv2.warpAffine(
        mask.labels, local, size, flags=cv2.INTER_NEAREST | inverse, borderValue=255
    )
    weights = cv2.warpAffine(mask.weights, local, size, flags=cv2.INTER_LINEAR | inverse)
    part = frame[y0:y1, x0:x1]
    tinted = (labels != 255) & (labels != Label.BACKGROUND)
    mixed = part[tinted] * (1 - _TINT) + PALETTE[np.minimum(labels, len(Label) - 1)][tinted] * _TINT
    part[tinted] = mixed.astype(np.uint8)
    lines, _ = cv2.findContours(
        (weights > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(part, lines, -1, _OUTLINE, max(1, round(size[0] / 200)), cv2.LINE_AA)
