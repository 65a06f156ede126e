"""Carry an index of format 1, whose rows had the name of a side, over to the current format.

Its rows become those of the sources ``a`` and ``b``. Tracks are summed up from the faces; their
embeddings are computed from the crops when they are needed first.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.faces.index_schema import TRACKS
from faceswap.io.database import in_memory, sqlite_errors

_TABLES = ("clips", "frames", "faces")

SUM_UP = """
INSERT OR IGNORE INTO tracks
SELECT f.source, f.track, MIN(f.frame), MAX(f.frame), COUNT(*),
    COUNT(*) * COALESCE((
        SELECT (MAX(time) - MIN(time)) / NULLIF(MAX(frame) - MIN(frame), 0)
        FROM frames g WHERE g.source = f.source), 0), x'', NULL
FROM faces f GROUP BY f.source, f.track
"""
"""Makes the rows of tracks that have none, from the faces."""


def is_format_1(db: sqlite3.Connection) -> bool:
    """Whether an open index is of format 1."""
    return bool(db.execute("PRAGMA user_version").fetchone()[0] == 1)


def copy_to_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in memory of a database that must not be changed; closes it."""
    with closing(db):
        copy = in_memory()
        db.backup(copy)
    return copy


def carry_over(db: sqlite3.Connection) -> None:
    """Change the tables of format 1 to those of format 2."""
    for table in _TABLES:
        db.execute(f"ALTER TABLE {table} RENAME COLUMN side TO source")
    for statement in (TRACKS + ";" + SUM_UP).split(";"):
        db.execute(statement)
    db.execute("PRAGMA user_version = 2")


def keep_format_1(db: sqlite3.Connection, path: Path) -> None:
    """Copy an index of format 1 to ``index-1.sqlite`` beside it, unless that exists.

    Raises OutputError when it cannot be written.
    """
    kept = path.with_name(f"{path.stem}-1{path.suffix}")
    if kept.exists():
        return
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        with sqlite_errors(part), closing(sqlite3.connect(part)) as copy:
            db.backup(copy)
        os.replace(part, kept)
    except OSError as error:
        raise OutputError(f"Cannot write {kept}: {error.strerror or error}.") from error
