"""Sum up the tracks of a source while it is extracted, for the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.index_schema import EMBEDDING_DIM, FrameRow, TrackRow
from faceswap.faces.tracking import TrackedFrame

MOST = 16
"""Embeddings that are kept of a track: every one at first, then every 2nd, 4th and so on."""


@dataclass
class _Sum:
    first: int
    last: int
    faces: int = 0
    seconds: float = 0.0
    vectors: list[NDArray[np.float16]] = field(default_factory=list)


class TrackRows:
    """Rows of the tracks seen so far; begins with those of an interrupted extraction.

    seconds: how long a frame lasts.
    """

    def __init__(self, seconds: float, known: Iterable[TrackRow] = ()) -> None:
        self._seconds = seconds
        self._sums = {
            row.track: _Sum(row.first, row.last, row.faces, row.seconds, list(row.embeddings))
            for row in known
        }
        self._changed: set[int] = set()

    def add(self, row: FrameRow, seen: TrackedFrame) -> None:
        """Add the faces of one frame."""
        for face in seen.faces:
            known = self._sums.setdefault(face.track, _Sum(row.frame, row.frame))
            known.last = row.frame
            known.faces += 1
            known.seconds += self._seconds
            vector = seen.embeddings.get(face.track)
            if vector is not None:
                known.vectors.append(vector.astype(np.float16))
                if len(known.vectors) > MOST:
                    known.vectors = known.vectors[::2]
            self._changed.add(face.track)

    def changed(self) -> Iterator[TrackRow]:
        """Rows that have changed since the last call."""
        for track in sorted(self._changed):
            known = self._sums[track]
            stacked = np.array(known.vectors, np.float16).reshape(-1, EMBEDDING_DIM)
            yield TrackRow(track, known.first, known.last, known.faces, known.seconds, stacked)
        self._changed.clear()
