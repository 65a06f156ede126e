"""Temporal mask smoothing: what is seen of a face, averaged over a few frames where nothing moved.

A segmentation flickers by itself along edges that it is not sure of. So its probabilities are
averaged with those of the ``WINDOW`` frames before, aligned as crops are, pixel by pixel and only
as far as the pictures agree: where a hand comes in, the newest frame alone counts. The window is
short, so that a preview needs few other frames to equal the conversion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.types import FloatImage, Weights

if TYPE_CHECKING:
    from faceswap.swap.compositing.swapper import AlignedFace

WINDOW = 3
"""Frames before that count. Of white noise, a mean of four leaves a fifth of the second difference
over time."""
_SAME = 0.06
"""Difference of two pictures, in [0, 1], at which their probabilities count by a third: noise and
compression are well below, a hand before a face is above."""
_BLUR = 1.5


@dataclass(frozen=True)
class SeenFace:
    """What a frame says of a face. picture: its crop (S, S, 3) in [0, 1]. planes (K, S, S):
    probabilities of what is seen."""

    picture: FloatImage
    planes: NDArray[np.float32]


class MaskHistory:
    """What was seen of the faces of the last frames, by shot, track and frame."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], SeenFace] = {}

    def add(self, face: "AlignedFace", seen: SeenFace) -> None:
        """Store what is seen of a face."""
        self._known[face.shot, face.track, face.frame] = seen

    def has(self, face: "AlignedFace") -> bool:
        """Whether ``face`` was added."""
        return (face.shot, face.track, face.frame) in self._known

    def smoothed(self, face: "AlignedFace", strength: float) -> NDArray[np.float32]:
        """Planes (K, S, S) of a face that was added, averaged with those of the frames before.

        strength: weight of a frame relative to the next, 0 (off) to 1. Frames before that were not
        added, see ``frames_before``, are ignored.
        """
        now = self._known[face.shot, face.track, face.frame]
        if strength <= 0:
            return now.planes
        total, weights = now.planes.copy(), np.ones_like(now.planes[0])
        for age in range(1, WINDOW + 1):
            before = self._known.get((face.shot, face.track, face.frame - age))
            if before is None:
                break
            weight = np.float32(strength**age) * _agreement(now.picture, before.picture)
            total += weight * before.planes
            weights += weight
        return np.asarray(total / weights, np.float32)

    def drop_before(self, before: int) -> None:
        """Delete what frames before ``before`` show."""
        self._known = {key: seen for key, seen in self._known.items() if key[2] >= before}

    def trim(self, most: int) -> None:
        """Keep the ``most`` faces that were added last."""
        for key in list(self._known)[:-most]:
            del self._known[key]


def frames_before(
    places: Mapping[int, Sequence["AlignedFace"]], frame: int
) -> dict[int, list["AlignedFace"]]:
    """By frame, the earlier faces that the masks in ``frame`` depend on.

    places: aligned faces by frame.
    """
    tracks = {(face.shot, face.track) for face in places.get(frame, ())}
    found: dict[int, list[AlignedFace]] = {}
    for number in range(frame - WINDOW, frame):
        faces = [face for face in places.get(number, ()) if (face.shot, face.track) in tracks]
        if faces:
            found[number] = faces
    return found


def _agreement(one: FloatImage, other: FloatImage) -> Weights:
    """1 where two crops are alike, towards 0 where they differ: (S, S)."""
    red, green, blue = cv2.split(cv2.absdiff(one, other))
    # Far faster than the same by max(2).
    most = np.maximum(np.maximum(red, green), blue)
    apart = cv2.GaussianBlur(most, (0, 0), _BLUR)
    return np.asarray(np.exp(-((apart / _SAME) ** 2)), np.float32)
