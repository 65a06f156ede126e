"""Cache of blur and brightness per crop.

Decoding fifty thousand crops takes minutes, so the values are cached in a file beside the index,
which can be deleted at any time.
"""

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.index_browser import measure_crop
from faceswap.faces.manual_exclusion import EXCLUDED

_SCHEMA = """CREATE TABLE IF NOT EXISTS measures (
    side TEXT, name TEXT, changed INTEGER, blur REAL, brightness REAL, PRIMARY KEY (side, name)
) WITHOUT ROWID"""


def _modified_times(folder: Path) -> dict[str, int]:
    """Modification times in nanoseconds of a folder's files, by name."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_mtime_ns for entry in entries if entry.is_file()}
    except FileNotFoundError:
        return {}


class CropStats:
    """SQLite cache of a project's crop statistics; in memory where its folder is read-only."""

    def __init__(self, project: Path) -> None:
        self._path = project / "measures.sqlite"
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the database."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def cached(self, side: str, folder: Path, names: Sequence[str]) -> NDArray[np.float32]:
        """Cached blur and brightness (N, 2) of crops by name, NaN where not measured yet.

        side: name of the side and its generation. Values of a file that has changed since or is
        gone are not used.
        """
        try:
            rows = self._open().execute(
                "SELECT name, changed, blur, brightness FROM measures WHERE side = ?", (side,)
            )
            found = {name: (changed, (blur, bright)) for name, changed, blur, bright in rows}
        except sqlite3.DatabaseError:
            found = {}  # a damaged or locked cache file only means measuring again
        if not found:
            return np.full((len(names), 2), np.nan, np.float32)
        modified = _modified_times(folder / EXCLUDED) | _modified_times(folder)
        none = (np.nan, np.nan)
        values = []
        for name in names:
            changed, measured = found.get(name, (None, none))
            values.append(measured if modified.get(name) == changed else none)
        return np.array(values, np.float32).reshape(-1, 2)

    def measure(
        self, side: str, folder: Path, names: Sequence[str], seconds: float
    ) -> list[tuple[float, float]]:
        """Measure as many of ``names``, in order, as fit into ``seconds``, at least one."""
        deadline = time.monotonic() + seconds
        rows: list[tuple[str, str, int, float, float]] = []
        for name in names:
            path = folder / name
            if not path.is_file():
                path = folder / EXCLUDED / name
            changed = path.stat().st_mtime_ns if path.is_file() else 0
            rows.append((side, name, changed, *measure_crop(path)))
            if time.monotonic() > deadline:
                break
        db = self._open()
        try:
            db.execute("BEGIN")  # one transaction: each of its own would be synced to disk
            db.executemany("INSERT OR REPLACE INTO measures VALUES (?, ?, ?, ?, ?)", rows)
            db.execute("COMMIT")
        except sqlite3.DatabaseError:
            if db.in_transaction:
                db.rollback()  # e.g. a full disk: the values are just not cached
        return [(blur, bright) for *_, blur, bright in rows]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = _connect(str(self._path))
            except sqlite3.DatabaseError:
                self._db = _connect(":memory:")
        return self._db


def _connect(place: str) -> sqlite3.Connection:
    db = sqlite3.connect(place, isolation_level=None)
    try:
        db.execute(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
