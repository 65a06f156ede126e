"""The index of a project: which frames were looked at and which faces are in them.

An SQLite file in WAL mode, written in batches as work proceeds. A batch and the state from
which the work can go on are one transaction, so that an extraction killed at any moment goes
on where it was and ends with the same index.

The rows of a side that is extracted anew are made under a name of their own, ``staged_key``, and
take the old ones' place at the end. Until they have, whoever knows that the side is of that
generation reads them where they are.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from faceswap.errors import DamagedIndexError, ProjectError
from faceswap.faces.index_schema import (
    COLUMNS,
    SCHEMA,
    Clip,
    FaceRow,
    FrameRow,
    face_row,
    face_values,
)
from faceswap.io.database import in_memory, open_to_read, open_to_write, sqlite_errors

__all__ = ["Clip", "FaceIndex", "FaceRow", "FrameRow", "staged_key"]

FORMAT = 1


def staged_key(side: str, generation: int) -> str:
    """The name of a side's rows while they are not yet in the place of those before."""
    return f"{side}.new-{generation}"


class FaceIndex:
    """An open index file, which is made where there is none.

    generations: of the sides that were extracted anew, how often. Raises, as all its methods do,
    DamagedIndexError when the file is damaged, OutputError when it cannot be read or written,
    ProjectError when it is newer than this version or another program does not let go of it.
    """

    repairs: tuple[str, ...] = ()
    """What the user should know of how it was opened."""

    def __init__(self, path: Path, generations: Mapping[str, int] | None = None) -> None:
        self._set(path, open_to_write(path), generations)
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    @classmethod
    def reading(cls, path: Path, generations: Mapping[str, int] | None = None) -> Self:
        """The index at ``path``, of which nothing is changed."""
        index = cls.__new__(cls)
        index._set(path, open_to_read(path), generations)
        return index

    @classmethod
    def in_memory(cls, path: Path) -> Self:
        """An empty index that stands for the one that could not be made at ``path``."""
        index = cls.__new__(cls)
        index._set(path, in_memory(), None)
        index._make()
        return index

    def _set(
        self, path: Path, db: sqlite3.Connection, generations: Mapping[str, int] | None
    ) -> None:
        self._path, self._db, self._generations = path, db, dict(generations or {})

    def _make(self) -> None:
        if self._version():
            return
        with self._transaction() as db:
            if self._version():
                return  # another, that came at the same time, has made it
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
        """Close the file; the index cannot be used after."""
        self._db.close()

    @property
    def connection(self) -> sqlite3.Connection:
        """To read what no method gives."""
        return self._db

    @property
    def empty(self) -> bool:
        """Whether nobody has made the tables yet."""
        row = self._row("SELECT COUNT(*) FROM sqlite_master")
        return row is not None and not row[0]

    def check(self) -> None:
        """Read all of it; raises DamagedIndexError when it is not an index, or a damaged one."""
        self._version()
        with sqlite_errors(self._path):
            for table, columns in COLUMNS.items():
                self._db.execute(f"SELECT {columns} FROM {table} LIMIT 0")
            (said,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise DamagedIndexError(f"{self._path} is damaged ({said}).")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read here is of one moment, whatever others write meanwhile."""
        with sqlite_errors(self._path):
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    def clip(self, side: str) -> Clip | None:
        """What is known of one side, or None when nothing was extracted yet."""
        return self.clip_of(self.key(side))

    def clip_of(self, rows: str) -> Clip | None:
        """What is known by the rows of exactly this name, staged or not."""
        row = self._row("SELECT settings, state, complete FROM clips WHERE side = ?", rows)
        if row is None:
            return None
        try:
            return Clip(json.loads(row[0]), json.loads(row[1]), bool(row[2]))
        except (ValueError, TypeError) as error:
            raise DamagedIndexError(f"{self._path} is damaged ({error}).") from error

    def key(self, side: str) -> str:
        """The name of the rows of ``side``: those of its generation while they are staged."""
        generation = self._generations.get(side, 1)
        if generation == 1:
            return side
        name = staged_key(side, generation)
        return name if self._row("SELECT 1 FROM clips WHERE side = ?", name) else side

    def stages(self, side: str) -> list[str]:
        """The names of all rows of ``side`` that are staged, finished or not."""
        with sqlite_errors(self._path):
            rows = self._db.execute("SELECT side FROM clips ORDER BY side").fetchall()
        return [name for (name,) in rows if name.startswith(staged_key(side, 0)[:-1])]

    def reset_side(
        self, side: str, settings: dict[str, Any], state: dict[str, Any] | None = None
    ) -> None:
        """Forget all about ``side`` and begin anew with ``settings``."""
        with self._transaction() as db:
            self._delete(side)
            values = (side, json.dumps(settings), json.dumps(state or {}))
            db.execute("INSERT INTO clips VALUES (?, ?, ?, 0)", values)

    def delete_rows(self, side: str) -> None:
        """Remove all rows of ``side``."""
        with self._transaction():
            self._delete(side)

    def promote_staged(self, side: str, other: str) -> None:
        """Put the rows of ``other`` in the place of those of ``side``."""
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
        """Write a batch and the state after it, all or nothing.

        What makes a side complete is on the disk when this returns; else a power cut may cost
        the last batches, which the extraction then makes again.
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
        """All frames looked at, in order."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, pts, time, cut FROM frames WHERE side = ? ORDER BY frame",
                (self.key(side),),
            )
            return [FrameRow(f, pts, time, bool(cut)) for f, pts, time, cut in rows]

    def last_cut(self, side: str) -> int:
        """The frame with which the last shot began that was looked at."""
        row = self._row("SELECT MAX(frame) FROM frames WHERE side = ? AND cut", self.key(side))
        return int(row[0] or 0) if row else 0

    def faces(self, side: str) -> Iterator[FaceRow]:
        """All faces, by frame, then by track."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, track, points, forehead, presence, yaw, pitch, roll, crop"
                " FROM faces WHERE side = ? ORDER BY frame, track",
                (self.key(side),),
            )
            for row in rows:
                yield face_row(self._path, *row)

    def crop_names(self, rows: str) -> set[str]:
        """The names of all crops in the rows of exactly this name, staged or not."""
        with sqlite_errors(self._path):
            found = self._db.execute(
                "SELECT crop FROM faces WHERE side = ? AND crop IS NOT NULL", (rows,)
            )
            return {name for (name,) in found}

    def count(self, side: str) -> tuple[int, int, int]:
        """Numbers of frames, of faces and of tracks."""
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
