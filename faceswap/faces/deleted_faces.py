"""Faces that were deleted by hand: kept apart in the index and on disk, so that they can come back.

Their rows go to a key of their own, ``deleted_key``, which follows the rows of an extraction; their
crops to the subfolder ``deleted``, where training, grouping and the window do not look.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.faces.crops import crop_name
from faceswap.faces.face import Box, box_of
from faceswap.faces.finder import overlap
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import FaceRow, deleted_key
from faceswap.faces.manual_exclusion import DELETED, EXCLUDED

FaceKey = tuple[int, int]
"""Frame and track of a face."""

SAME = 0.4
"""Overlap of two boxes from which they are around the same face."""


def deleted_faces(index: FaceIndex, rows: str) -> list[tuple[FaceKey, Box]]:
    """The faces that were deleted from the rows of exactly this name, with their boxes."""
    return [
        ((face.frame, face.track), box_of(face.points)) for face in index.faces(deleted_key(rows))
    ]


def same_faces(
    known: Iterable[tuple[FaceKey, Box]], faces: Iterable[FaceRow], every: int
) -> list[FaceKey]:
    """Those of ``faces`` that lie where ``known`` ones lay in their frame.

    every: so many frames a known face stands for, where only faces with crops are known.
    """
    places: Mapping[int, list[Box]] = defaultdict(list)
    for (frame, _), box in known:
        for number in range(frame, frame + every):
            places[number].append(box)
    return [
        (face.frame, face.track)
        for face in faces
        if any(overlap(box_of(face.points), box) >= SAME for box in places.get(face.frame, ()))
    ]


def delete_faces(index: FaceIndex, rows: str, faces: Iterable[FaceKey], folder: Path) -> None:
    """Delete faces from rows of exactly this name, and their crops from ``folder``.

    A track that has no other face is deleted with them. Raises OutputError when a crop cannot be
    moved; the rows then stay.
    """
    chosen = list(faces)
    _move_crops(chosen, folder, folder / DELETED)
    _move_rows(index, chosen, rows, deleted_key(rows), rows)


def restore_faces(index: FaceIndex, rows: str, faces: Iterable[FaceKey], folder: Path) -> None:
    """Bring deleted faces and their crops back; raises as ``delete_faces``."""
    chosen = list(faces)
    _move_crops(chosen, folder / DELETED, folder)
    _move_rows(index, chosen, deleted_key(rows), rows, rows)


def _move_crops(faces: Iterable[FaceKey], origin: Path, target: Path) -> None:
    try:
        for name in (crop_name(*face) for face in faces):
            for place in ("", EXCLUDED):
                if (origin / place / name).is_file():
                    (target / place).mkdir(parents=True, exist_ok=True)
                    os.replace(origin / place / name, target / place / name)
    except OSError as error:
        raise OutputError(f"Cannot move faces to {target}: {error.strerror or error}.") from error


def _move_rows(index: FaceIndex, faces: list[FaceKey], origin: str, target: str, rows: str) -> None:
    with index.transaction() as db:
        db.executemany(
            "UPDATE OR REPLACE faces SET source = ? WHERE source = ? AND frame = ? AND track = ?",
            [(target, origin, *face) for face in faces],
        )
        for track in {track for _, track in faces}:
            _sum_up(db, rows, track)


def _sum_up(db: sqlite3.Connection, rows: str, track: int) -> None:
    """Make the row of a track fit its faces; without any it is kept with the deleted ones."""
    away = deleted_key(rows)
    count, first, last = db.execute(
        "SELECT COUNT(*), MIN(frame), MAX(frame) FROM faces WHERE source = ? AND track = ?",
        (rows, track),
    ).fetchone()
    here = db.execute("SELECT 1 FROM tracks WHERE source = ? AND track = ?", (rows, track))
    if here.fetchone() is None and count:
        _move_track(db, away, rows, track)
    if count:
        db.execute(
            "UPDATE tracks SET seconds = seconds * ? / faces, faces = ?, first = ?, last = ?"
            " WHERE source = ? AND track = ?",
            (count, count, first, last, rows, track),
        )
    else:
        _move_track(db, rows, away, track)


def _move_track(db: sqlite3.Connection, origin: str, target: str, track: int) -> None:
    db.execute(
        "UPDATE OR REPLACE tracks SET source = ? WHERE source = ? AND track = ?",
        (target, origin, track),
    )
