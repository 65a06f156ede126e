"""The tracks that a tracker follows: their state, and which face goes on with which track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.appearance import DIFFERENT, SAME, Appearance, Vector
from faceswap.faces.face import Face
from faceswap.types import Points

_REACH = 1.0
"""Face widths from where it was lost within which a face may come back unrecognised."""
_WANDER = 0.1
"""Face widths that a hidden face may move in a frame, if it is recognised."""
_IMPOSSIBLE = 1e6
_SWAP_MARGIN = 0.1


@dataclass(frozen=True)
class Track:
    """A face being followed, or lost for ``missing`` frames.

    age: frames that showed it. mixed: whether it overlaps another one, so that it may be mistaken.
    patch: of the last frame, see ``appearance.small_patch``; not stored.
    """

    number: int
    points: Points
    score: float
    missing: int = 0
    age: int = 0
    mixed: bool = False
    appearance: Appearance = field(default_factory=Appearance)
    patch: NDArray[np.float32] | None = field(default=None, compare=False)

    @property
    def width(self) -> float:
        """Width of the face in pixels."""
        return float(np.ptp(self.points[:, 0]))

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "number": self.number,
            "points": self.points.astype(float).tolist(),
            "score": self.score,
            "missing": self.missing,
            "age": self.age,
            "mixed": self.mixed,
            "appearance": self.appearance.to_json(),
            "patch": None if self.patch is None else self.patch.astype(float).tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Track:
        """Parse ``to_json``, also of earlier versions.

        Raises KeyError, TypeError or ValueError when it is not that.
        """
        patch = data.get("patch")
        return cls(
            int(data["number"]),
            np.asarray(data["points"], np.float32).reshape(68, 2),
            float(data["score"]),
            int(data["missing"]),
            int(data.get("age", 0)),
            bool(data.get("mixed", False)),
            Appearance.from_json(data["appearance"]) if "appearance" in data else Appearance(),
            None if patch is None else np.asarray(patch, np.float32),
        )


def match_lost(
    tracks: Sequence[Track], faces: Sequence[Face], vectors: Sequence[Vector] | None
) -> dict[int, Track]:
    """Which lost track each face goes on with: by the face's place in ``faces``.

    vectors: embeddings of the faces; None to go by place alone. A face that looks different from
    a track never goes on with it; one that looks the same may have moved while it was hidden.
    """
    lost = [track for track in tracks if track.missing]
    if not lost or not faces:
        return {}
    pairs = []
    for row, face in enumerate(faces):
        for column, track in enumerate(lost):
            likeness = None if vectors is None else track.appearance.similarity(vectors[row])
            cost = _cost(track, face, likeness)
            if cost < _IMPOSSIBLE:
                pairs.append((cost, row, column))
    found: dict[int, Track] = {}
    taken: set[int] = set()
    for _, row, column in sorted(pairs):  # the surest first
        if row not in found and column not in taken:
            found[row] = lost[column]
            taken.add(column)
    return found


def _cost(track: Track, face: Face, likeness: float | None) -> float:
    width = max(track.width, face.box[2] - face.box[0])
    distance = float(np.linalg.norm(track.points.mean(0) - face.points.mean(0))) / width
    if likeness is None:
        return distance if distance < _REACH else _IMPOSSIBLE
    if likeness < DIFFERENT:
        return _IMPOSSIBLE
    reach = _REACH + (_WANDER * track.missing if likeness >= SAME else 0.0)
    return distance + 2 * (1 - likeness) if distance < reach else _IMPOSSIBLE


def exchanged(first: Track, second: Track, vectors: tuple[Vector, Vector]) -> bool:
    """Whether two tracks have exchanged their faces while these overlapped.

    vectors: embeddings of the face that each follows now.
    """
    one, two = vectors
    if not first.appearance.vectors or not second.appearance.vectors:
        return False
    straight = first.appearance.similarity(one) + second.appearance.similarity(two)
    crossed = first.appearance.similarity(two) + second.appearance.similarity(one)
    return crossed > straight + _SWAP_MARGIN
