"""Faces that are added to the index, or removed, apart from an extraction."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from faceswap.faces.face import Box, box_of
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import FaceRow, TrackRow, face_values


def add_faces(
    index: FaceIndex, rows: str, faces: Sequence[FaceRow], tracks: Iterable[TrackRow]
) -> None:
    """Add faces of new tracks to the processed frames of exactly these rows, staged or not."""
    with index.transaction() as db:
        db.executemany(
            "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [face_values(rows, face) for face in faces],
        )
        db.executemany(
            "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [track.values(rows) for track in tracks],
        )


def remove_tracks(index: FaceIndex, rows: str, tracks: Collection[int]) -> list[str]:
    """Remove tracks with their faces; returns the names of their crops."""
    names: list[str] = []
    with index.transaction() as db:
        for track in tracks:
            found = db.execute(
                "SELECT crop FROM faces WHERE source = ? AND track = ? AND crop IS NOT NULL",
                (rows, track),
            )
            names += [name for (name,) in found]
            for table in ("faces", "tracks"):
                db.execute(f"DELETE FROM {table} WHERE source = ? AND track = ?", (rows, track))
    return names


def boxes_between(
    index: FaceIndex, source: str, first: int, last: int
) -> Iterator[tuple[int, Box]]:
    """Frame and box of each face from frame ``first`` to ``last``."""
    for face in index.faces(source):
        if first <= face.frame <= last:
            yield face.frame, box_of(face.points)
