"""What an index holds: a side's clip, its frames and the faces in them."""

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
class Clip:
    """One side's footage as extracted so far.

    settings: what it was extracted with; state: what the extraction needs to go on.
    """

    settings: dict[str, Any]
    state: dict[str, Any]
    complete: bool

    @property
    def footage(self) -> str | None:
        """Fingerprint of the footage; older versions did not note it."""
        return self.settings.get("footage")

    @property
    def next(self) -> int | None:
        """The frame to go on with; None where the rows are made from crops, or none is made."""
        return self.state.get("next")

    @property
    def written(self) -> int | None:
        """Of an index that was lost: the frame before which all crops were written once.

        Unless the clip is complete, faces may be missing that no crop shows.
        """
        return self.state.get("written")


@dataclass(frozen=True)
class FrameRow:
    """One frame that was looked at; ``cut`` says that a new shot begins with it.

    pts: -1 where it is not known, as the row was made from an older version's crop.
    """

    frame: int
    pts: int
    time: float
    cut: bool


@dataclass(frozen=True)
class FaceRow:
    """One face in one frame.

    points float32 (68, 2) and forehead float32 (13, 2) in frame pixels, pose (yaw, pitch,
    roll) in degrees, crop the name of its file where one was written.
    """

    frame: int
    track: int
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    presence: float
    pose: tuple[float, float, float]
    crop: str | None


def face_row(
    path: Path,
    frame: int,
    track: int,
    points: bytes,
    forehead: bytes,
    presence: float,
    yaw: float,
    pitch: float,
    roll: float,
    crop: str | None,
) -> FaceRow:
    """The face that is in these columns; DamagedIndexError, naming ``path``, when none is."""
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
    """The columns of a face."""
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
