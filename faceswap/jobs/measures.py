"""Blur and brightness of crops, measured once and kept.

Fifty thousand crops take minutes to decode, so what was measured is kept beside the index; it
can be deleted at any time.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.browse import measure
from faceswap.faces.exclude import EXCLUDED

_SCHEMA = """CREATE TABLE IF NOT EXISTS measures (
    side TEXT, name TEXT, changed INTEGER, blur REAL, brightness REAL, PRIMARY KEY (side, name)
) WITHOUT ROWID"""


class Measures:
    """What was measured of a project's crops; kept in memory where its folder is read-only."""

    def __init__(self, project: Path) -> None:
        self._path = project / "measures.sqlite"
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def known(self, side: str, names: Sequence[str]) -> NDArray[np.float32]:
        """Blur and brightness (N, 2) of crops by name, NaN for those not measured yet."""
        rows = self._open().execute(
            "SELECT name, blur, brightness FROM measures WHERE side = ?", (side,)
        )
        found = {name: (blur, bright) for name, blur, bright in rows}
        none = (np.nan, np.nan)
        return np.array([found.get(name, none) for name in names], np.float32).reshape(-1, 2)

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
            rows.append((side, name, changed, *measure(path)))
            if time.monotonic() > until:
                break
        db = self._open()
        try:
            db.executemany("INSERT OR REPLACE INTO measures VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError:
            db.rollback()  # a full disk or a locked file costs the memory of it, nothing else
        return [(blur, bright) for *_, blur, bright in rows]

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            try:
                self._db = sqlite3.connect(self._path, isolation_level=None)
                self._db.execute(_SCHEMA)
            except sqlite3.DatabaseError:
                self.close()
                self._db = sqlite3.connect(":memory:", isolation_level=None)
                self._db.execute(_SCHEMA)
        return self._db
