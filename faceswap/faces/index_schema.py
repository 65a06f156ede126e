"""Tables and rows of the face index: clips, frames, faces and tracks.

The key of all rows is the id of a source, or its staged name; see ``index.py``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import DamagedIndexError

COLUMNS = {
    "clips": "source, settings, state, complete",
    "frames": "source, frame, pts, time, cut",
    "faces": "source, frame, track, points, forehead, presence, yaw, pitch, roll, crop",
    "tracks": "source, track, first, last, faces, seconds, embeddings, person",
}

SCHEMA = """
CREATE TABLE clips (
    source TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    complete INTEGER NOT NULL
);
CREATE TABLE frames (
    source TEXT NOT NULL,
    frame INTEGER NOT NULL,
    pts INTEGER NOT NULL,
    time REAL NOT NULL,
    cut INTEGER NOT NULL,
    PRIMARY KEY (source, frame)
) WITHOUT ROWID;
CREATE TABLE faces (
    source TEXT NOT NULL,
    frame INTEGER NOT NULL,
    track INTEGER NOT NULL,
    points BLOB NOT NULL,
    forehead BLOB NOT NULL,
    presence REAL NOT NULL,
    yaw REAL NOT NULL,
    pitch REAL NOT NULL,
    roll REAL NOT NULL,
    crop TEXT,
    PRIMARY KEY (source, frame, track)
) WITHOUT ROWID;
"""

TRACKS = """
CREATE TABLE tracks (
    source TEXT NOT NULL,
    track INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    faces INTEGER NOT NULL,
    seconds REAL NOT NULL,
    embeddings BLOB NOT NULL,
    person INTEGER,
    PRIMARY KEY (source, track)
);
CREATE INDEX tracks_of_a_person ON tracks (person);
"""


def deleted_key(rows: str) -> str:
    """Name of the rows that were deleted by hand from the rows of this name."""
    return f"{rows}.deleted"


EMBEDDING_DIM = 128
"""Length of an embedding, see ``embedding.py``."""


@dataclass(frozen=True)
class ExtractionState:
    """Extraction state of one source.

    settings: of the extraction; state: what it resumes from.
    """

    settings: dict[str, Any]
    state: dict[str, Any]
    complete: bool

    @property
    def footage(self) -> str | None:
        """Fingerprint of the footage; None if an older version extracted it."""
        return self.settings.get("footage")

    @property
    def next(self) -> int | None:
        """Frame to resume at; None if the rows were rebuilt from crops or nothing was extracted."""
        return self.state.get("next")

    @property
    def written(self) -> int | None:
        """For a rebuilt index: all crops before this frame were written once.

        Unless the clip is complete, faces without a crop may be missing.
        """
        return self.state.get("written")


@dataclass(frozen=True)
class FrameRow:
    """One processed frame; ``cut`` if a new shot begins with it.

    pts: -1 if unknown because the row was rebuilt from an older version's crop.
    """

    frame: int
    pts: int
    time: float
    cut: bool


@dataclass(frozen=True)
class FaceRow:
    """One face in one frame.

    points float32 (68, 2) and forehead float32 (13, 2) in frame pixels, pose (yaw, pitch,
    roll) in degrees, crop the file name of its crop, or None.
    """

    frame: int
    track: int
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    presence: float
    pose: tuple[float, float, float]
    crop: str | None


@dataclass(frozen=True)
class TrackRow:
    """One face followed through a source, from frame ``first`` to ``last``.

    faces: number of frames that show it. seconds: how long they last. embeddings: float16
    (K, 128), of some of them; none where they are not computed yet. person: the group it was put
    into, None if it was not grouped yet.
    """

    track: int
    first: int
    last: int
    faces: int
    seconds: float
    embeddings: NDArray[np.float16]
    person: int | None = None

    def values(self, source: str) -> tuple[object, ...]:
        """Column values, for INSERT."""
        data = np.ascontiguousarray(self.embeddings, np.float16).tobytes()
        known = (self.track, self.first, self.last, self.faces, self.seconds)
        return (source, *known, data, self.person)


TrackColumns = tuple[int, int, int, int, float, bytes, int | None]
"""track, first, last, faces, seconds, embeddings, person, as they are stored."""


def track_row(path: Path, columns: TrackColumns) -> TrackRow:
    """Build a TrackRow from its columns; raises DamagedIndexError when they are invalid."""
    track, first, last, faces, seconds, embeddings, person = columns
    try:
        vectors = np.frombuffer(embeddings, np.float16).reshape(-1, EMBEDDING_DIM)
    except ValueError as error:
        raise DamagedIndexError(f"{path} is damaged (track {track}: {error}).") from error
    return TrackRow(track, first, last, faces, seconds, vectors, person)


FaceColumns = tuple[int, int, bytes, bytes, float, float, float, float, str | None]
"""frame, track, points, forehead, presence, yaw, pitch, roll, crop, as they are stored."""


def face_row(path: Path, columns: FaceColumns) -> FaceRow:
    """Build a FaceRow from its columns; raises DamagedIndexError when they are invalid."""
    frame, track, points, forehead, presence, yaw, pitch, roll, crop = columns
    try:
        return FaceRow(
            frame,
            track,
            np.frombuffer(points, np.float32).reshape(68, 2),
            np.frombuffer(forehead, np.float32).reshape(13, 2),
            presence,
            (yaw, pitch, roll),
            crop,
        )
    except (ValueError, TypeError) as error:
        raise DamagedIndexError(f"{path} is damaged (frame {frame}: {error}).") from error


def face_values(source: str, face: FaceRow) -> tuple[object, ...]:
    """Column values of a face, for INSERT."""
    return (
        source,
        face.frame,
        face.track,
        np.ascontiguousarray(face.points, np.float32).tobytes(),
        np.ascontiguousarray(face.forehead, np.float32).tobytes(),
        face.presence,
        *face.pose,
        face.crop,
    )
