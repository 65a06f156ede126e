"""Read-only queries on the index: faces of a frame, timeline spans, table of all crops."""

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceswap.faces.crops import CHUNK, FaceRecord, read_record
from faceswap.faces.expression import openings
from faceswap.faces.index import FaceIndex
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.io.database import open_to_read, sqlite_errors

COLUMNS = (
    "frame",
    "track",
    "time",
    "yaw",
    "pitch",
    "presence",
    "mouth",
    "lids",
    "person",
    "blur",
    "brightness",
    "excluded",
)
"""Columns of ``FaceTable.values``; person, blur and brightness are NaN until they are known."""

_EYES_AND_LIPS = slice(36, 67)
_BYTES = 8
"""Of a stored point."""

Span = tuple[int, int]


@dataclass(frozen=True)
class BrowsedFace:
    """One face of one frame: points float32 (68, 2) in frame pixels."""

    track: int
    presence: float
    points: NDArray[np.float32]


@dataclass(frozen=True)
class FaceTable:
    """All crops of a side: file names and values float32 (N, len(COLUMNS))."""

    names: list[str]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class ClipSpans:
    """Timeline of a clip as spans (first, last) of frames.

    tracks: spans of each track. low: those with a presence below the limit. gaps: processed
    frames without a face. cuts: first frames of shots.
    """

    frames: int
    tracks: dict[int, list[Span]]
    low: dict[int, list[Span]]
    gaps: list[Span]
    cuts: list[int]


class IndexBrowser:
    """Reads an index while others write it.

    rows: maps a side to the name of its staged rows, see ``FaceIndex.key``. Raises
    DamagedIndexError when the index is damaged, ProjectError when it stays locked by another
    program, OutputError when it cannot be read.
    """

    def __init__(self, path: Path, rows: Callable[[str], str] | None = None) -> None:
        self._path, self._rows_of = path, rows
        self._replacement: FaceIndex | None = None

    def use_index(self, index: FaceIndex | None) -> None:
        """Read ``index`` in place of the file, which is lost; None reads the file again."""
        if self._replacement is not None:
            self._replacement.close()
        self._replacement = index

    def faces_at(self, side: str, frame: int) -> list[BrowsedFace]:
        """Faces of one frame, by track; empty where there is no index yet."""
        rows = self._rows(
            "SELECT track, presence, points FROM faces WHERE source = ? AND frame = ?"
            " ORDER BY track",
            (side, frame),
        )
        return [
            BrowsedFace(track, presence, np.frombuffer(points, np.float32).reshape(-1, 2))
            for track, presence, points in rows
        ]

    def last_seen(self, side: str) -> tuple[int, str] | None:
        """Frame and crop of the last face written so far, or None."""
        rows = self._rows(
            "SELECT frame, crop FROM faces WHERE source = ? AND crop IS NOT NULL"
            " ORDER BY frame DESC LIMIT 1",
            (side,),
        )
        return rows[0] if rows else None

    def summary(self, side: str) -> tuple[bool, int, int, int]:
        """Whether the side is complete; numbers of frames, faces and tracks so far."""
        complete = self._rows("SELECT complete FROM clips WHERE source = ?", (side,))
        frames = self._rows("SELECT COUNT(*) FROM frames WHERE source = ?", (side,))
        faces = self._rows(
            "SELECT COUNT(*), COUNT(DISTINCT track) FROM faces WHERE source = ?", (side,)
        )
        if not complete:
            return False, 0, 0, 0
        return bool(complete[0][0]), frames[0][0], faces[0][0], faces[0][1]

    def spans(self, side: str, limit: float) -> ClipSpans:
        """Timeline of the whole clip; faces with a presence below ``limit`` count as low."""
        frame_rows = self._rows(
            "SELECT frame, cut FROM frames WHERE source = ? ORDER BY frame", (side,)
        )
        seen: dict[int, list[int]] = {}
        low: dict[int, list[int]] = {}
        rows = self._rows(
            "SELECT frame, track, presence FROM faces WHERE source = ? ORDER BY frame", (side,)
        )
        for frame, track, presence in rows:
            seen.setdefault(track, []).append(frame)
            if presence < limit:
                low.setdefault(track, []).append(frame)
        shown = {frame for frames in seen.values() for frame in frames}
        return ClipSpans(
            frames=frame_rows[-1][0] + 1 if frame_rows else 0,
            tracks={track: to_spans(frames) for track, frames in sorted(seen.items())},
            low={track: to_spans(frames) for track, frames in sorted(low.items())},
            gaps=to_spans([frame for frame, _ in frame_rows if frame not in shown]),
            cuts=[frame for frame, cut in frame_rows if cut and frame],
        )

    def table(self, side: str, folder: Path) -> FaceTable:
        """All crops in ``folder``, excluded ones included, by name.

        For a crop that is not in the index its own record is read; files without one are left
        out.
        """
        excluded = _png_names(folder / EXCLUDED)
        places = dict.fromkeys(_png_names(folder), 0.0) | dict.fromkeys(excluded, 1.0)
        rows = self._rows(
            "SELECT crop, frame, track, time, yaw, pitch, presence,"
            f" substr(points, {1 + _BYTES * _EYES_AND_LIPS.start},"
            f" {_BYTES * (_EYES_AND_LIPS.stop - _EYES_AND_LIPS.start)})"
            " FROM faces LEFT JOIN frames USING (source, frame)"
            " WHERE source = ? AND crop IS NOT NULL ORDER BY frame, track",
            (side,),
        )
        found, values = _face_values(rows)
        names = sorted(places)
        if names != list(found):  # they are the same where none is lost and tracks are few
            names, values = _matched(names, found, values, folder, places)
        table = np.full((len(names), len(COLUMNS)), np.nan, np.float32)
        table[:, :_KNOWN] = values
        table[:, -1] = [places[name] for name in names] if excluded else 0.0
        return FaceTable(names, table)

    def people(self, source: str) -> dict[int, int]:
        """The person of each track of a source, as it was grouped."""
        if not self._rows(
            "SELECT 1 FROM sqlite_master WHERE name = 'tracks' AND ? != ''", (source,)
        ):
            return {}  # an earlier version's index, which nothing has written to since
        query = "SELECT track, person FROM tracks WHERE source = ? AND person IS NOT NULL"
        return dict(self._rows(query, (source,)))

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        side, *others = values
        if self._replacement is not None:
            db = self._replacement.connection
            return db.execute(query, (self._name(db, str(side)), *others)).fetchall()
        if not self._path.is_file():
            return []
        with closing(open_to_read(self._path)) as db, sqlite_errors(self._path):
            if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                return []  # the first extraction has not created the tables yet
            return db.execute(query, (self._name(db, str(side)), *others)).fetchall()

    def _name(self, db: sqlite3.Connection, side: str) -> str:
        """Name of the rows of ``side``: the staged ones while they exist."""
        rows = self._rows_of(side) if self._rows_of else side
        found = db.execute("SELECT 1 FROM clips WHERE source = ?", (rows,)).fetchone()
        return rows if found else side


_KNOWN = COLUMNS.index("person")
"""The columns before it are known without looking at crops."""


_EMPTY = np.empty(0, np.float32)


def _matched(
    names: Sequence[str],
    found: Sequence[str],
    values: NDArray[np.float32],
    folder: Path,
    places: Mapping[str, float],
) -> tuple[list[str], NDArray[np.float32]]:
    """The known columns of the crops ``names``: of ``found`` ones, else by their own records.

    Those without a record are left out.
    """
    row_of = dict(zip(found, range(len(found)), strict=True))
    missing = places.keys() - row_of.keys()
    lost = {name: _record_row(_place(folder, name, places)) for name in missing}
    kept = [name for name in names if lost.get(name, _EMPTY) is not None]
    matched = np.full((len(kept), _KNOWN), np.nan, np.float32)
    chosen = np.array([row_of.get(name, -1) for name in kept], np.intp)
    inside = chosen >= 0
    matched[inside] = values[chosen[inside]]
    for number in np.flatnonzero(~inside):
        matched[number] = lost[kept[number]]
    return kept, matched


def _face_values(
    rows: Sequence[tuple[Any, ...]],
) -> tuple[Sequence[str], NDArray[np.float32]]:
    """Names of the crops of rows as ``table`` selects them, and their known columns."""
    if not rows:
        return (), np.zeros((0, _KNOWN), np.float32)
    names, *columns, blobs = zip(*rows, strict=True)
    points = np.frombuffer(b"".join(blobs), np.float32).reshape(len(names), -1, 2)
    known = (np.array(column, np.float32) for column in columns)
    return names, np.column_stack([*known, openings(points)])


def _place(folder: Path, name: str, excluded: Mapping[str, float]) -> Path:
    return folder / (EXCLUDED if excluded[name] else "") / name


def measure_crop(path: Path) -> tuple[float, float]:
    """Blur (higher is sharper) and mean brightness (0 to 1) of a crop; NaN where unreadable."""
    try:
        with Image.open(path) as picture:
            blur = FaceRecord.from_json(picture.info[CHUNK]).blur
            grey = picture.convert("L").reduce(8)
            return blur, float(np.asarray(grey, np.float32).mean()) / 255
    except (OSError, SyntaxError, KeyError, ValueError, TypeError):
        return float("nan"), float("nan")


def to_spans(frames: Sequence[int]) -> list[Span]:
    """Group ascending frames into spans (first, last) of consecutive ones."""
    spans: list[Span] = []
    for frame in frames:
        if spans and frame <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], frame)
        else:
            spans.append((frame, frame))
    return spans


def _png_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [name for name in os.listdir(folder) if name.endswith(".png")]


def _record_row(path: Path) -> NDArray[np.float32] | None:
    record = read_record(path)
    if record is None:
        return None
    known = (record.frame, record.track, record.time, *record.pose[:2], record.presence)
    return np.array([*known, *openings(record.points[None, _EYES_AND_LIPS])[0]], np.float32)
