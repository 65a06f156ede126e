"""What is seen of faces and of what a model makes of them: segmented, smoothed over time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import transform
from faceswap.faces.crops import warp_crop
from faceswap.faces.face_regions import features_mask
from faceswap.faces.labels import Label
from faceswap.faces.segmenter import SEGMENT_SIZE, Segmentation, Segmenter
from faceswap.swap.compositing.mask import (
    features_of_b,
    seen_of_a,
    seen_of_b,
    skin_weights,
    swapped_face,
    unhidden,
)
from faceswap.swap.compositing.mask_smoothing import MaskHistory, SeenFace
from faceswap.swap.compositing.options import BlendOptions
from faceswap.types import FloatImage, Matrix, UInt8Image, Weights

if TYPE_CHECKING:
    from faceswap.swap.compositing.swapper import AlignedFace

_LEAST_SKIN = 0.1
"""Share of a mask that must be skin, or all but the features counts as skin."""

Work = Sequence[tuple[int, "AlignedFace"]]
"""Faces, each with the place of its frame in a list."""


class SeenFaces:
    """Where faces are hidden, and where both A's face and the swapped one are skin.

    segmenter: None counts all as seen, and as skin what is no feature by the landmarks.
    """

    def __init__(
        self, segmenter: Segmenter | None, options: BlendOptions, history: MaskHistory
    ) -> None:
        self._segmenter, self._options, self._history = segmenter, options, history

    def segment(
        self,
        frames: Sequence[UInt8Image],
        work: Work,
        originals: NDArray[np.float32],
        swapped: NDArray[np.float32],
    ) -> tuple[Segmentation, Segmentation] | None:
        """Segment A's faces and the swapped ones, both (N, R, R, 3) in [0, 1]; None if not asked.

        Adds to the history.
        """
        if self._segmenter is None:
            return None
        side = originals.shape[1]
        large: Sequence[FloatImage] | Sequence[UInt8Image] = list(originals)
        if side < SEGMENT_SIZE:  # the frame knows more than a small model's crop
            larger = [(i, _scaled(face.matrix, SEGMENT_SIZE / side)) for i, face in work]
            large = [warp_crop(frames[i], matrix, SEGMENT_SIZE) for i, matrix in larger]
        of_a, of_b = self._segmenter.segment(large), self._segmenter.segment(list(swapped))
        for row, (_, face) in enumerate(work):
            seen = seen_of_a(of_a, row, self._options.keep_glasses)
            planes = np.stack([seen, seen_of_b(of_b, row), features_of_b(of_b, row)])
            self._history.add(face, SeenFace(of_a.pictures[row], planes))
        return of_a, of_b

    def shown(self, face: "AlignedFace", side: int) -> Weights:
        """Weights (side, side): 0 where something is before A's face, or B's face ends."""
        if self._segmenter is None:
            return np.ones((side, side), np.float32)
        of_a, of_b, features = self._history.smoothed(face, self._options.mask_smoothing)
        return unhidden(of_a, side) * swapped_face(of_b, features, side)


def skin_under(
    mask: Weights, found: tuple[Segmentation, Segmentation] | None, row: int, face: "AlignedFace"
) -> Weights:
    """Where A's face and the swapped one are skin under ``mask`` (S, S).

    Of this frame alone, so that colours measured there do not depend on other frames. By the
    landmarks where hardly any skin is found.
    """
    if found is not None:
        both = found[0].of(row, (Label.SKIN,)) * found[1].of(row, (Label.SKIN,))
        under = np.asarray(mask * cv2.resize(both, mask.shape[::-1]), np.float32)
        if under.sum() > _LEAST_SKIN * mask.sum():
            return under
    return skin_weights(mask, transform(face.matrix, face.points))


def eyes_and_mouth(
    side: int, found: tuple[Segmentation, Segmentation] | None, row: int, face: "AlignedFace"
) -> Weights:
    """Weights (side, side) of the swapped face's eyes, lips and mouth; A's by the landmarks where
    nothing was segmented."""
    if found is None:
        features = features_mask(transform(face.matrix, face.points), (side, side))
        return np.asarray(features / np.float32(255), np.float32)
    weights = found[1].of(row, (Label.EYES, Label.LIPS, Label.MOUTH))
    return np.asarray(cv2.resize(weights, (side, side)), np.float32)


def _scaled(matrix: Matrix, factor: float) -> Matrix:
    """Frame → crop matrix of the same crop, larger by ``factor``."""
    scaled = matrix * factor
    scaled[:, 2] += (factor - 1) / 2
    return scaled
