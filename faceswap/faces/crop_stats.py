"""Blur and brightness of crops, measured once and kept.

Fifty thousand crops take minutes to decode, so what was measured is kept beside the index; it
can be deleted at any time.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.exclusion import EXCLUDED
from faceswap.faces.index_browser import measure_crop

_SCHEMA = """CREATE TABLE IF NOT EXISTS measures (
    side TEXT, name TEXT, changed INTEGER, blur REAL, brightness REAL, PRIMARY KEY (side, name)
) WITHOUT ROWID"""


def _changes(folder: Path) -> dict[str, int]:
    """When each file of a folder was last changed, by name, in nanoseconds."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_mtime_ns for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return {}


class CropStats:
    """What was measured of a project's crops; kept in memory where its folder is read-only."""

    def __init__(self, project: Path) -> None:
        self._path = project / "measures.sqlite"
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def known(self, side: str, folder: Path, names: Sequence[str]) -> NDArray[np.float32]:
        """Blur and brightness (N, 2) of crops by name, NaN for those not measured yet.

        side: of which generation. What was measured of a file that has changed since, or is gone,
        is not taken.
        """
        try:
            rows = self._open().execute(
                "SELECT name, changed, blur, brightness FROM measures WHERE side = ?", (side,)
            )
            found = {name: (changed, (blur, bright)) for name, changed, blur, bright in rows}
        except sqlite3.DatabaseError:
            found = {}  # a damaged or locked file costs the memory of it, nothing else
        there = _changes(folder / EXCLUDED) | _changes(folder)
        none = (np.nan, np.nan)
        values = []
        for name in names:
            changed, measured = found.get(name, (None, none))
            values.append(measured if there.get(name) == changed else none)
        return np.array(values, np.float32).reshape(-1, 2)

    def measure(
        self, side: str, folder: Path, names: Sequence[str], seconds: float
    ) -> list[tuple[float, float]]:
        """Measure the first of ``names``, at least one, as many as fit into ``seconds``."""
        until = time.monotonic() + seconds
        rows: list[tuple[str, str, int, float, float]] = []
        for name in names:
            path = folder / name
            if not path.is_file():
                path = folder / EXCLUDED / name
            changed = path.stat().st_mtime_ns if path.is_file() else 0
            rows.append((side, name, changed, *measure_crop(path)))
            if time.monotonic() > until:
                break
        db = self._open()
        try:
            db.executemany("INSERT OR REPLACE INTO measures VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.DatabaseError:
            if db.in_transaction:
                db.rollback()  # a full disk costs as little
        return [(blur, bright) for *_, blur, bright in rows]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = _made(str(self._path))
            except sqlite3.DatabaseError:
                self._db = _made(":memory:")
        return self._db


def _made(place: str) -> sqlite3.Connection:
    db = sqlite3.connect(place, isolation_level=None)
    try:
        db.execute(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
