"""Face index of a project: the processed frames and the faces in them.

An SQLite file in WAL mode, written in batches. Each batch is one transaction together with the
state to resume from, so that an extraction killed at any moment resumes where it was and ends
with the same index.

The rows of a side that is extracted again are staged under a name of their own, ``staged_key``,
and replace the old ones at the end. Until then, readers that know the side's generation read the
staged rows.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from faceswap.errors import DamagedIndexError, ProjectError
from faceswap.faces.extract_options import ExtractOptions
from faceswap.faces.index_schema import (
    COLUMNS,
    SCHEMA,
    ExtractionState,
    FaceRow,
    FrameRow,
    face_row,
    face_values,
)
from faceswap.io.database import in_memory, open_to_read, open_to_write, sqlite_errors

__all__ = ["ExtractionState", "FaceIndex", "FaceRow", "FrameRow", "staged_key"]

FORMAT = 1


def staged_key(side: str, generation: int) -> str:
    """Name of a side's rows while they are staged."""
    return f"{side}.new-{generation}"


class FaceIndex:
    """An open index file, created if missing.

    generations: how often each side was extracted. Raises, as all its methods do,
    DamagedIndexError when the file is damaged, OutputError when it cannot be read or written,
    ProjectError when it is from a newer version or stays locked by another program.
    """

    repairs: tuple[str, ...] = ()
    """Sentences for the user about repairs made when it was opened."""

    def __init__(self, path: Path, generations: Mapping[str, int] | None = None) -> None:
        self._attach(path, open_to_write(path), generations)
        try:
            self._create_tables()
        except BaseException:
            self.close()
            raise

    @classmethod
    def reading(cls, path: Path, generations: Mapping[str, int] | None = None) -> Self:
        """Open the index at ``path`` read-only."""
        index = cls.__new__(cls)
        index._attach(path, open_to_read(path), generations)
        return index

    @classmethod
    def in_memory(cls, path: Path) -> Self:
        """Create an empty in-memory index in place of one that cannot be written at ``path``."""
        index = cls.__new__(cls)
        index._attach(path, in_memory(), None)
        index._create_tables()
        return index

    def _attach(
        self, path: Path, db: sqlite3.Connection, generations: Mapping[str, int] | None
    ) -> None:
        self._path, self._db, self._generations = path, db, dict(generations or {})

    def _create_tables(self) -> None:
        if self._version():
            return
        with self._transaction() as db:
            if self._version():
                return  # another process has just created the tables
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {FORMAT}")

    def _version(self) -> int:
        row = self._row("PRAGMA user_version")
        version = int(row[0]) if row else 0
        if version > FORMAT:
            raise ProjectError(
                f"{self._path} was made by a newer version of faceswap; update it first."
            )
        return version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the index cannot be used afterwards."""
        self._db.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """The SQLite connection, for queries that no method covers."""
        return self._db

    @property
    def empty(self) -> bool:
        """Whether the tables do not exist yet."""
        row = self._row("SELECT COUNT(*) FROM sqlite_master")
        return row is not None and not row[0]

    def check(self) -> None:
        """Check the whole file; raises DamagedIndexError when it is damaged or not an index."""
        self._version()
        with sqlite_errors(self._path):
            for table, columns in COLUMNS.items():
                self._db.execute(f"SELECT {columns} FROM {table} LIMIT 0")
            (result,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if result != "ok":
            raise DamagedIndexError(f"{self._path} is damaged ({result}).")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read transaction: all reads inside see one state, whatever others write meanwhile."""
        with sqlite_errors(self._path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def clip(self, side: str) -> ExtractionState | None:
        """Extraction state of one side, or None when nothing was extracted yet."""
        return self.clip_of(self.key(side))

    def clip_of(self, rows: str) -> ExtractionState | None:
        """Extraction state of the rows of exactly this name, staged or not."""
        row = self._row("SELECT settings, state, complete FROM clips WHERE side = ?", rows)
        if row is None:
            return None
        try:
            settings = ExtractOptions.current_names(json.loads(row[0]))
            return ExtractionState(settings, json.loads(row[1]), bool(row[2]))
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedIndexError(f"{self._path} is damaged ({error}).") from error

    def key(self, side: str) -> str:
        """Name of the rows of ``side``: the staged ones of its generation, if there are any."""
        generation = self._generations.get(side, 1)
        if generation == 1:
            return side
        name = staged_key(side, generation)
        return name if self._row("SELECT 1 FROM clips WHERE side = ?", name) else side

    def staged_keys(self, side: str) -> list[str]:
        """Names of all staged rows of ``side``, finished or not."""
        with sqlite_errors(self._path):
            rows = self._db.execute("SELECT side FROM clips ORDER BY side").fetchall()
        return [name for (name,) in rows if name.startswith(staged_key(side, 0)[:-1])]

    def reset_side(
        self, side: str, settings: dict[str, Any], state: dict[str, Any] | None = None
    ) -> None:
        """Delete all rows of ``side`` and start again with ``settings``."""
        with self._transaction() as db:
            self._delete(side)
            values = (side, json.dumps(settings), json.dumps(state or {}))
            db.execute("INSERT INTO clips VALUES (?, ?, ?, 0)", values)

    def delete_rows(self, side: str) -> None:
        """Delete all rows of ``side``."""
        with self._transaction():
            self._delete(side)

    def promote_staged(self, side: str, other: str) -> None:
        """Replace the rows of ``side`` by the staged ones named ``other``."""
        with self._transaction() as db:
            self._delete(side)
            for table in COLUMNS:
                db.execute(f"UPDATE {table} SET side = ? WHERE side = ?", (side, other))

    def add(
        self,
        side: str,
        frames: Sequence[FrameRow],
        faces: Sequence[FaceRow],
        state: dict[str, Any],
        complete: bool = False,
    ) -> None:
        """Write a batch and the state after it in one transaction.

        The batch that completes a side is synced to disk; after a power cut the last other batches
        may be missing, and a resumed extraction computes them again.
        """
        if complete:
            with sqlite_errors(self._path):
                self._db.execute("PRAGMA synchronous = FULL")
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                [(side, f.frame, f.pts, f.time, f.cut) for f in frames],
            )
            db.executemany(
                "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [face_values(side, face) for face in faces],
            )
            db.execute(
                "UPDATE clips SET state = ?, complete = ? WHERE side = ?",
                (json.dumps(state), complete, side),
            )

    def frames(self, side: str) -> list[FrameRow]:
        """All processed frames, in order."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, pts, time, cut FROM frames WHERE side = ? ORDER BY frame",
                (self.key(side),),
            )
            return [FrameRow(f, pts, time, bool(cut)) for f, pts, time, cut in rows]

    def last_cut(self, side: str) -> int:
        """First frame of the last shot processed so far."""
        row = self._row("SELECT MAX(frame) FROM frames WHERE side = ? AND cut", self.key(side))
        return int(row[0] or 0) if row else 0

    def faces(self, side: str) -> Iterator[FaceRow]:
        """All faces, sorted by frame, then by track."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, track, points, forehead, presence, yaw, pitch, roll, crop"
                " FROM faces WHERE side = ? ORDER BY frame, track",
                (self.key(side),),
            )
            for row in rows:
                yield face_row(self._path, row)

    def crop_names(self, rows: str) -> set[str]:
        """Names of all crops in the rows of exactly this name, staged or not."""
        with sqlite_errors(self._path):
            found = self._db.execute(
                "SELECT crop FROM faces WHERE side = ? AND crop IS NOT NULL", (rows,)
            )
            return {name for (name,) in found}

    def count(self, side: str) -> tuple[int, int, int]:
        """Numbers of frames, faces and tracks."""
        key = self.key(side)
        frames = self._row("SELECT COUNT(*) FROM frames WHERE side = ?", key)
        faces = self._row("SELECT COUNT(*), COUNT(DISTINCT track) FROM faces WHERE side = ?", key)
        assert frames is not None
        assert faces is not None
        return (frames[0], *faces)

    def _row(self, query: str, *values: str) -> tuple[Any, ...] | None:
        with sqlite_errors(self._path):
            row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
            return row

    def _delete(self, side: str) -> None:
        for table in COLUMNS:
            self._db.execute(f"DELETE FROM {table} WHERE side = ?", (side,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with sqlite_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
