"""Tables and rows of the face index: clips, frames and faces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import DamagedIndexError

COLUMNS = {
    "clips": "side, settings, state, complete",
    "frames": "side, frame, pts, time, cut",
    "faces": "side, frame, track, points, forehead, presence, yaw, pitch, roll, crop",
}

SCHEMA = """
CREATE TABLE clips (
    side TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    state TEXT NOT NULL,
    complete INTEGER NOT NULL
);
CREATE TABLE frames (
    side TEXT NOT NULL,
    frame INTEGER NOT NULL,
    pts INTEGER NOT NULL,
    time REAL NOT NULL,
    cut INTEGER NOT NULL,
    PRIMARY KEY (side, frame)
) WITHOUT ROWID;
CREATE TABLE faces (
    side TEXT NOT NULL,
    frame INTEGER NOT NULL,
    track INTEGER NOT NULL,
    points BLOB NOT NULL,
    forehead BLOB NOT NULL,
    presence REAL NOT NULL,
    yaw REAL NOT NULL,
    pitch REAL NOT NULL,
    roll REAL NOT NULL,
    crop TEXT,
    PRIMARY KEY (side, frame, track)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class ExtractionState:
    """Extraction state of one side.

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


def face_values(side: str, face: FaceRow) -> tuple[object, ...]:
    """Column values of a face, for INSERT."""
    return (
        side,
        face.frame,
        face.track,
        np.ascontiguousarray(face.points, np.float32).tobytes(),
        np.ascontiguousarray(face.forehead, np.float32).tobytes(),
        face.presence,
        *face.pose,
        face.crop,
    )
