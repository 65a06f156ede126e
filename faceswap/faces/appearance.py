"""How tracked faces look: whether a face is that of a track, by embeddings.

Thresholds are cosines of the bundled embedder; see ``assets/embedder.md`` for how they were set.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.landmarks import grey_crop
from faceswap.types import Points, UInt8Image

SAME = 0.55
"""Faces at least this similar are of one person, wherever they are in the frame."""
DIFFERENT = 0.30
"""Faces less similar than this are of two people, even at the same place."""
_MOST = 6
"""Embeddings that are kept of a track while it is followed."""
_PATCH = 16
_JUMP = 0.45
"""Correlation of consecutive patches of one face that a hand or a turn does not fall below."""

Vector = NDArray[np.float32]


class FaceEmbedder(Protocol):
    """Embeds faces, as ``embedding.Embedder`` does."""

    def embed(self, frame: UInt8Image, faces: Sequence[Points]) -> NDArray[np.float32]:
        """Embeddings (N, 128) of the faces with points (68, 2) in a frame (H, W, 3)."""
        ...


@dataclass(frozen=True)
class Appearance:
    """Some embeddings of one track, float16, and how many were offered."""

    vectors: tuple[NDArray[np.float16], ...] = field(default=())
    offered: int = 0

    def similarity(self, vector: Vector) -> float:
        """Largest cosine to the embeddings kept; 1 while there is none."""
        if not self.vectors:
            return 1.0
        return float((np.stack(self.vectors).astype(np.float32) @ vector).max())

    def with_one(self, vector: Vector) -> Appearance:
        """With one more embedding, in place of the one that is most like another."""
        kept = [*self.vectors, vector.astype(np.float16)]
        if len(kept) > _MOST:
            stacked = np.stack(kept).astype(np.float32)
            likeness = stacked @ stacked.T - 2 * np.eye(len(kept), dtype=np.float32)
            kept.pop(int(likeness.max(1)[1:].argmax()) + 1)
        return Appearance(tuple(kept), self.offered + 1)

    def to_json(self) -> dict[str, object]:
        """As JSON data, exact in a round trip."""
        packed = [base64.b64encode(vector.tobytes()).decode("ascii") for vector in self.vectors]
        return {"vectors": packed, "offered": self.offered}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Appearance:
        """Parse ``to_json``; raises KeyError, TypeError or ValueError when it is not that."""
        packed, offered = data["vectors"], data["offered"]
        if not isinstance(packed, list) or not isinstance(offered, int):
            raise TypeError("an appearance has a list of vectors and a count")
        vectors = (np.frombuffer(base64.b64decode(text), np.float16) for text in packed)
        return cls(tuple(vectors), offered)


def small_patch(frame: UInt8Image, points: Points) -> NDArray[np.float32]:
    """Aligned patch of a face, of mean 0 and length 1: (256,)."""
    matrix = crop_matrix(face_similarity(points), 4 * _PATCH)
    grey = cv2.resize(
        grey_crop(frame, matrix, 4 * _PATCH), (_PATCH, _PATCH), interpolation=cv2.INTER_AREA
    )
    values = grey.astype(np.float32).ravel()
    values -= values.mean()
    return np.asarray(values / max(float(np.linalg.norm(values)), 1e-6), np.float32)


def has_jumped(before: NDArray[np.float32] | None, now: NDArray[np.float32]) -> bool:
    """Whether two consecutive patches differ by more than one face does from frame to frame."""
    return before is not None and float(before @ now) < _JUMP
