"""What may be swapped of A's faces as they were filmed, before there is any model."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import transform
from faceswap.faces.crops import crop_bounds, warp_crop
from faceswap.faces.labels import PALETTE, Label
from faceswap.faces.segmenter import SEGMENT_SIZE, Segmenter
from faceswap.swap.compositing.mask import (
    growth_of,
    landmark_region,
    seen_of_a,
    soft_mask,
    unhidden,
)
from faceswap.swap.compositing.mask_smoothing import WINDOW, MaskHistory, SeenFace
from faceswap.swap.compositing.options import MaskOptions
from faceswap.swap.compositing.swapper import AlignedFace
from faceswap.types import Matrix, UInt8Image, Weights
from faceswap.video.patch import Patch

_TINT = 0.45
_OUTLINE = (255, 255, 255)
_SWAPPED = (60, 200, 90)


@dataclass(frozen=True)
class OriginalMask:
    """Mask of a face of A. weights (128, 128): where it may be swapped; shown (128, 128): where
    nothing hides it; labels (128, 128), see ``Label``; seen: share of the face's outline that
    nothing hides; matrix: frame → mask."""

    weights: Weights
    shown: Weights
    labels: NDArray[np.uint8]
    seen: float
    matrix: Matrix


class OriginalMasks:
    """Masks of the faces of consecutive frames, smoothed as a conversion's."""

    def __init__(self, segmenter: Segmenter, options: MaskOptions) -> None:
        self._segmenter, self._options = segmenter, options
        self._history = MaskHistory()

    def of(self, frame: UInt8Image, faces: Sequence[AlignedFace]) -> list[OriginalMask]:
        """Masks of the faces of the next frame (H, W, 3), aligned to 128 px."""
        crops = [warp_crop(frame, face.matrix, SEGMENT_SIZE) for face in faces]
        found = self._segmenter.segment(crops)
        masks = []
        for row, face in enumerate(faces):
            seen = seen_of_a(found, row, self._options.keep_glasses)
            self._history.add(face, SeenFace(found.pictures[row], seen[None]))
            masks.append(self._mask(face, found.labels(row)))
        for face in faces[:1]:
            self._history.drop_before(face.frame - WINDOW)
        return masks

    def _mask(self, face: AlignedFace, labels: NDArray[np.uint8]) -> OriginalMask:
        options, side = self._options, SEGMENT_SIZE
        (seen,) = self._history.smoothed(face, options.mask_smoothing)
        shown = unhidden(seen, side)
        placed = transform(face.matrix, face.points), transform(face.matrix, face.forehead)
        region = landmark_region(*placed, side)
        inside = cv2.resize(region, (side, side), interpolation=cv2.INTER_AREA)
        share = float((inside * shown).sum() / max(1.0, float(inside.sum())))
        weights = soft_mask(region, growth_of(options), options.mask_blur) * shown
        return OriginalMask(weights, shown, labels, share, face.matrix)


def draw_patch(frame: UInt8Image, patch: Patch) -> None:
    """Tint in ``frame`` (H, W, 3), in place, where ``patch`` would be blended in."""
    height, width = patch.alpha.shape
    part = frame[patch.y : patch.y + height, patch.x : patch.x + width]
    share = patch.alpha[..., None] * np.float32(_TINT)
    part[:] = (part * (1 - share) + np.array(_SWAPPED, np.float32) * share).astype(np.uint8)
    _outline(part, patch.alpha)


def _outline(part: UInt8Image, weights: Weights) -> None:
    """A line in ``part`` where its weights are one half."""
    inside = (weights > 0.5).astype(np.uint8)
    lines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(part, lines, -1, _OUTLINE, max(1, round(part.shape[1] / 200)), cv2.LINE_AA)


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
    _outline(part, np.asarray(weights, np.float32))
