"""The index of a project: which frames were looked at and which faces are in them.

An SQLite file in WAL mode, written in batches as work proceeds. A batch and the state from
which the work can go on are one transaction, so that an extraction killed at any moment goes
on where it was and ends with the same index.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import OutputError, ProjectError

FORMAT = 1

_SCHEMA = """
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


@dataclass(frozen=True)
class FrameRow:
    """One frame that was looked at; ``cut`` says that a new shot begins with it."""

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


class FaceIndex:
    """An open index file.

    Raises ProjectError when it is damaged or newer than this version, OutputError when it
    cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise OutputError(f"Cannot open {path} for writing: {error}.") from error
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
        except sqlite3.OperationalError as error:
            raise OutputError(f"Cannot open {self._path} for writing: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise ProjectError(
                f"{self._path} is damaged ({error}); extract both clips anew."
            ) from error
        if version > FORMAT:
            raise ProjectError(
                f"{self._path} was made by a newer version of faceswap; update it first."
            )

    def __enter__(self) -> "FaceIndex":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the index cannot be used after."""
        self._db.close()

    def clip(self, side: str) -> Clip | None:
        """What is known of one side, or None when nothing was extracted yet."""
        row = self._db.execute(
            "SELECT settings, state, complete FROM clips WHERE side = ?", (side,)
        ).fetchone()
        return row and Clip(json.loads(row[0]), json.loads(row[1]), bool(row[2]))

    def start(self, side: str, settings: dict[str, Any]) -> None:
        """Forget all about ``side`` and begin anew with ``settings``."""
        with self._transaction() as db:
            for table in ("clips", "frames", "faces"):
                db.execute(f"DELETE FROM {table} WHERE side = ?", (side,))
            db.execute("INSERT INTO clips VALUES (?, ?, '{}', 0)", (side, json.dumps(settings)))

    def add(
        self,
        side: str,
        frames: Sequence[FrameRow],
        faces: Sequence[FaceRow],
        state: dict[str, Any],
        complete: bool = False,
    ) -> None:
        """Write a batch and the state after it, all or nothing."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                [(side, f.frame, f.pts, f.time, f.cut) for f in frames],
            )
            db.executemany(
                "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_face_values(side, face) for face in faces],
            )
            db.execute(
                "UPDATE clips SET state = ?, complete = ? WHERE side = ?",
                (json.dumps(state), complete, side),
            )

    def frames(self, side: str) -> list[FrameRow]:
        """All frames looked at, in order."""
        rows = self._db.execute(
            "SELECT frame, pts, time, cut FROM frames WHERE side = ? ORDER BY frame", (side,)
        )
        return [FrameRow(f, pts, time, bool(cut)) for f, pts, time, cut in rows]

    def faces(self, side: str) -> Iterator[FaceRow]:
        """All faces, by frame, then by track."""
        rows = self._db.execute(
            "SELECT frame, track, points, forehead, presence, yaw, pitch, roll, crop"
            " FROM faces WHERE side = ? ORDER BY frame, track",
            (side,),
        )
        for frame, track, points, forehead, presence, yaw, pitch, roll, crop in rows:
            yield FaceRow(
                frame,
                track,
                np.frombuffer(points, np.float32).reshape(-1, 2),
                np.frombuffer(forehead, np.float32).reshape(-1, 2),
                presence,
                (yaw, pitch, roll),
                crop,
            )

    def count(self, side: str) -> tuple[int, int, int]:
        """Numbers of frames, of faces and of tracks."""
        frames = self._db.execute("SELECT COUNT(*) FROM frames WHERE side = ?", (side,))
        faces = self._db.execute(
            "SELECT COUNT(*), COUNT(DISTINCT track) FROM faces WHERE side = ?", (side,)
        )
        return (frames.fetchone()[0], *faces.fetchone())

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db, self._path)


class _Transaction:
    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def __enter__(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
                return
            except sqlite3.OperationalError as failed:
                kind, error = sqlite3.OperationalError, failed
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        if issubclass(kind, sqlite3.OperationalError) and isinstance(error, BaseException):
            raise OutputError(f"Cannot write {self._path}: {error}.") from error


def _face_values(side: str, face: FaceRow) -> tuple[object, ...]:
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
