"""Looking at what extraction found, without changing it: single frames, spans, many faces."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceswap.errors import InputError, ProjectError
from faceswap.faces.crops import CHUNK, FaceRecord
from faceswap.faces.exclude import EXCLUDED

COLUMNS = ("frame", "track", "time", "yaw", "pitch", "presence", "blur", "brightness", "excluded")
"""What ``FaceTable.values`` holds; blur and brightness are NaN until measured."""

Span = tuple[int, int]


@dataclass(frozen=True)
class SeenFace:
    """One face of one frame: points float32 (68, 2) in frame pixels."""

    track: int
    presence: float
    points: NDArray[np.float32]


@dataclass(frozen=True)
class FaceTable:
    """All crops of a side: their file names, and float32 (N, len(COLUMNS))."""

    names: list[str]
    values: NDArray[np.float32]


@dataclass(frozen=True)
class Spans:
    """A clip along its frames, spans being (first, last).

    tracks: where each face is. low: where it is seen with a presence below the limit. gaps:
    frames that were looked at and show no face. cuts: first frames of shots.
    """

    frames: int
    tracks: dict[int, list[Span]]
    low: dict[int, list[Span]]
    gaps: list[Span]
    cuts: list[int]


class Browser:
    """Reads an index while others write it; raises ProjectError when it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def faces_at(self, side: str, frame: int) -> list[SeenFace]:
        """The faces of one frame, by track; empty where there is no index yet."""
        rows = self._rows(
            "SELECT track, presence, points FROM faces WHERE side = ? AND frame = ? ORDER BY track",
            (side, frame),
        )
        return [
            SeenFace(track, presence, np.frombuffer(points, np.float32).reshape(-1, 2))
            for track, presence, points in rows
        ]

    def last_seen(self, side: str) -> tuple[int, str] | None:
        """Frame and crop of the last face written so far, or None."""
        rows = self._rows(
            "SELECT frame, crop FROM faces WHERE side = ? AND crop IS NOT NULL"
            " ORDER BY frame DESC LIMIT 1",
            (side,),
        )
        return rows[0] if rows else None

    def summary(self, side: str) -> tuple[bool, int, int, int]:
        """Whether the side is complete; numbers of frames, faces and tracks so far."""
        complete = self._rows("SELECT complete FROM clips WHERE side = ?", (side,))
        frames = self._rows("SELECT COUNT(*) FROM frames WHERE side = ?", (side,))
        faces = self._rows(
            "SELECT COUNT(*), COUNT(DISTINCT track) FROM faces WHERE side = ?", (side,)
        )
        if not complete:
            return False, 0, 0, 0
        return bool(complete[0][0]), frames[0][0], faces[0][0], faces[0][1]

    def spans(self, side: str, limit: float) -> Spans:
        """The whole clip along its frames; faces of a presence below ``limit`` count as low."""
        looked = self._rows("SELECT frame, cut FROM frames WHERE side = ? ORDER BY frame", (side,))
        seen: dict[int, list[int]] = {}
        low: dict[int, list[int]] = {}
        rows = self._rows(
            "SELECT frame, track, presence FROM faces WHERE side = ? ORDER BY frame", (side,)
        )
        for frame, track, presence in rows:
            seen.setdefault(track, []).append(frame)
            if presence < limit:
                low.setdefault(track, []).append(frame)
        shown = {frame for frames in seen.values() for frame in frames}
        return Spans(
            frames=looked[-1][0] + 1 if looked else 0,
            tracks={track: joined(frames) for track, frames in sorted(seen.items())},
            low={track: joined(frames) for track, frames in sorted(low.items())},
            gaps=joined([frame for frame, _ in looked if frame not in shown]),
            cuts=[frame for frame, cut in looked if cut and frame],
        )

    def table(self, side: str, folder: Path) -> FaceTable:
        """All crops in ``folder``, excluded ones too, by name.

        A crop that the index does not know is asked for its own record; what carries none is
        left out.
        """
        places = dict.fromkeys(_png_names(folder), 0.0)
        places |= dict.fromkeys(_png_names(folder / EXCLUDED), 1.0)
        rows = self._rows(
            "SELECT crop, f.frame, track, time, yaw, pitch, presence FROM faces f JOIN frames g"
            " ON f.side = g.side AND f.frame = g.frame WHERE f.side = ? AND crop IS NOT NULL",
            (side,),
        )
        known = {row[0]: row[1:] for row in rows}
        names, values = [], []
        for name in sorted(places):
            row = known.get(name)
            if row is None:
                row = _own_row(folder / (EXCLUDED if places[name] else "") / name)
            if row is not None:
                names.append(name)
                values.append((*row, np.nan, np.nan, places[name]))
        shape = (-1, len(COLUMNS))
        return FaceTable(names, np.array(values, np.float32).reshape(shape))

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        if not self._path.is_file():
            return []
        try:
            with closing(_open(self._path)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            raise ProjectError(f"Cannot read {self._path}: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise ProjectError(
                f"{self._path} is damaged ({error}); extract both clips anew."
            ) from error


def measure(path: Path) -> tuple[float, float]:
    """Blur (higher is sharper) and mean brightness (0 to 1) of a crop; NaN where unreadable."""
    try:
        with Image.open(path) as picture:
            blur = FaceRecord.from_json(picture.info[CHUNK]).blur
            grey = picture.convert("L").reduce(8)
            return blur, float(np.asarray(grey, np.float32).mean()) / 255
    except (OSError, SyntaxError, KeyError, ValueError, TypeError):
        return float("nan"), float("nan")


def joined(frames: Sequence[int]) -> list[Span]:
    """Ascending frames as spans (first, last) of consecutive ones."""
    spans: list[Span] = []
    for frame in frames:
        if spans and frame <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], frame)
        else:
            spans.append((frame, frame))
    return spans


def _open(path: Path) -> sqlite3.Connection:
    """Open for reading; from a folder that cannot be written, as it lies there."""
    uri = path.absolute().as_uri()
    opening: tuple[Callable[[], sqlite3.Connection], ...] = (
        lambda: sqlite3.connect(f"{uri}?mode=ro", uri=True),
        lambda: sqlite3.connect(f"{uri}?immutable=1", uri=True),
    )
    for number, attempt in enumerate(opening):
        db = attempt()
        try:
            db.execute("SELECT COUNT(*) FROM clips")
        except sqlite3.DatabaseError as error:
            db.close()
            if number or not isinstance(error, sqlite3.OperationalError):
                raise
            continue
        return db
    raise InputError(f"Cannot read {path}.")


def _png_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [entry.name for entry in folder.iterdir() if entry.suffix == ".png"]


def _own_row(path: Path) -> tuple[float, ...] | None:
    try:
        with Image.open(path) as picture:
            record = FaceRecord.from_json(picture.info[CHUNK])
    except (OSError, SyntaxError, KeyError, ValueError, TypeError):
        return None
    return (record.frame, record.track, record.time, *record.pose[:2], record.presence)
