"""Face index of a project: the processed frames and the faces in them.

An SQLite file in WAL mode, written in batches. Each batch is one transaction together with the
state to resume from, so that an extraction killed at any moment resumes where it was and ends
with the same index.

The rows of a source that is extracted again are staged under a name of their own, ``staged_key``,
and replace the old ones at the end. Until then, readers that know the source's generation read the
staged rows.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from faceswap.errors import DamagedIndexError, ProjectError
from faceswap.faces.extract_options import ExtractOptions
from faceswap.faces.index_migration import (
    SUM_UP,
    carry_over,
    copy_to_memory,
    is_format_1,
    keep_format_1,
)
from faceswap.faces.index_schema import (
    COLUMNS,
    SCHEMA,
    TRACKS,
    ExtractionState,
    FaceRow,
    FrameRow,
    TrackRow,
    deleted_key,
    face_row,
    face_values,
    track_row,
)
from faceswap.io.database import in_memory, open_to_read, open_to_write, sqlite_errors

__all__ = ["ExtractionState", "FaceIndex", "FaceRow", "FrameRow", "TrackRow", "staged_key"]

FORMAT = 2


def staged_key(source: str, generation: int) -> str:
    """Name of a source's rows while they are staged."""
    return f"{source}.new-{generation}"


class FaceIndex:
    """An open index file, created if missing.

    generations: how often each source was extracted. Raises, as all its methods do,
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
        db = open_to_read(path)
        with sqlite_errors(path):
            if is_format_1(db):
                db = copy_to_memory(db)
                carry_over(db)
        index._attach(path, db, generations)
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
        if self._version() == FORMAT:
            return
        if self._version():
            keep_format_1(self._db, self._path)
        with self.transaction() as db:
            version = self._version()
            if version == FORMAT:
                return  # another process has just created the tables
            if version:
                carry_over(db)
                return
            for statement in (SCHEMA + TRACKS).split(";"):
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

    def clip(self, source: str) -> ExtractionState | None:
        """Extraction state of one source, or None when nothing was extracted yet."""
        return self.clip_of(self.key(source))

    def clip_of(self, rows: str) -> ExtractionState | None:
        """Extraction state of the rows of exactly this name, staged or not."""
        row = self._row("SELECT settings, state, complete FROM clips WHERE source = ?", rows)
        if row is None:
            return None
        try:
            settings = ExtractOptions.current_names(json.loads(row[0]))
            return ExtractionState(settings, json.loads(row[1]), bool(row[2]))
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedIndexError(f"{self._path} is damaged ({error}).") from error

    def key(self, source: str) -> str:
        """Name of the rows of ``source``: the staged ones of its generation, if there are any."""
        generation = self._generations.get(source, 1)
        if generation == 1:
            return source
        name = staged_key(source, generation)
        return name if self._row("SELECT 1 FROM clips WHERE source = ?", name) else source

    def staged_keys(self, source: str) -> list[str]:
        """Names of all staged rows of ``source``, finished or not."""
        with sqlite_errors(self._path):
            rows = self._db.execute("SELECT source FROM clips ORDER BY source").fetchall()
        return [name for (name,) in rows if name.startswith(staged_key(source, 0)[:-1])]

    def reset_source(
        self, source: str, settings: dict[str, Any], state: dict[str, Any] | None = None
    ) -> None:
        """Delete all rows of ``source`` and start again with ``settings``."""
        with self.transaction() as db:
            self._delete(source)
            values = (source, json.dumps(settings), json.dumps(state or {}))
            db.execute("INSERT INTO clips VALUES (?, ?, ?, 0)", values)

    def delete_rows(self, source: str) -> None:
        """Delete all rows of ``source``."""
        with self.transaction():
            self._delete(source)

    def promote_staged(self, source: str, other: str) -> None:
        """Replace the rows of ``source`` by the staged ones named ``other``."""
        with self.transaction() as db:
            self._delete(source)
            for new, old in ((source, other), (deleted_key(source), deleted_key(other))):
                for table in COLUMNS:
                    db.execute(f"UPDATE {table} SET source = ? WHERE source = ?", (new, old))

    def add(
        self,
        source: str,
        frames: Sequence[FrameRow],
        faces: Sequence[FaceRow],
        state: dict[str, Any],
        complete: bool = False,
        tracks: Iterable[TrackRow] = (),
    ) -> None:
        """Write a batch and the state after it in one transaction.

        tracks: replace earlier ones of the same numbers. The batch that completes a source is
        synced to disk; after a power cut the last other batches may be missing, and a resumed
        extraction computes them again.
        """
        if complete:
            with sqlite_errors(self._path):
                self._db.execute("PRAGMA synchronous = FULL")
        with self.transaction() as db:
            db.executemany(
                "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                [(source, f.frame, f.pts, f.time, f.cut) for f in frames],
            )
            db.executemany(
                "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [face_values(source, face) for face in faces],
            )
            self._replace_tracks(source, tracks)
            db.execute(
                "UPDATE clips SET state = ?, complete = ? WHERE source = ?",
                (json.dumps(state), complete, source),
            )

    def frames(self, source: str) -> list[FrameRow]:
        """All processed frames, in order."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, pts, time, cut FROM frames WHERE source = ? ORDER BY frame",
                (self.key(source),),
            )
            return [FrameRow(f, pts, time, bool(cut)) for f, pts, time, cut in rows]

    def last_cut(self, source: str) -> int:
        """First frame of the last shot processed so far."""
        row = self._row("SELECT MAX(frame) FROM frames WHERE source = ? AND cut", self.key(source))
        return int(row[0] or 0) if row else 0

    def faces(self, source: str) -> Iterator[FaceRow]:
        """All faces, sorted by frame, then by track."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT frame, track, points, forehead, presence, yaw, pitch, roll, crop"
                " FROM faces WHERE source = ? ORDER BY frame, track",
                (self.key(source),),
            )
            for row in rows:
                yield face_row(self._path, row)

    def tracks(self, source: str) -> list[TrackRow]:
        """All tracks of a source, by number."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT track, first, last, faces, seconds, embeddings, person FROM tracks"
                " WHERE source = ? ORDER BY track",
                (self.key(source),),
            ).fetchall()
        return [track_row(self._path, row) for row in rows]

    def replace_tracks(self, source: str, tracks: Iterable[TrackRow]) -> None:
        """Write tracks of a source in place of those of the same numbers."""
        with self.transaction():
            self._replace_tracks(self.key(source), tracks)

    def set_people(self, source: str, people: Mapping[int, int]) -> None:
        """Set the person of tracks of a source, by their numbers."""
        rows = [(person, self.key(source), track) for track, person in people.items()]
        with self.transaction() as db:
            db.executemany("UPDATE tracks SET person = ? WHERE source = ? AND track = ?", rows)

    def track_counts(self, source: str) -> tuple[int, int]:
        """Numbers of faces and tracks, from the rows of the tracks: fast for many faces."""
        row = self._row(
            "SELECT COALESCE(SUM(faces), 0), COUNT(*) FROM tracks WHERE source = ?",
            self.key(source),
        )
        assert row is not None
        return int(row[0]), int(row[1])

    def has_new_tracks(self) -> bool:
        """Whether any track was not put into a group of one person yet."""
        new = self._row(
            "SELECT 1 FROM tracks WHERE person IS NULL AND source NOT LIKE ? LIMIT 1",
            deleted_key("%"),
        )
        return new is not None or self._row("SELECT 1 FROM tracks LIMIT 1") is None

    def tracks_together(self, source: str) -> set[tuple[int, int]]:
        """Pairs of tracks of a source that share a frame, the smaller number first."""
        key = self.key(source)
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT DISTINCT f.track, g.track FROM faces f JOIN faces g ON f.source = g.source"
                " AND f.frame = g.frame AND f.track < g.track WHERE f.source = ?",
                (key,),
            )
            return {(first, second) for first, second in rows}

    def crops_of_tracks(
        self, source: str, tracks: Collection[int], most: int
    ) -> dict[int, list[str]]:
        """Names of up to ``most`` crops of each track, spread evenly over it."""
        names: dict[int, list[str]] = {}
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT track, crop FROM faces WHERE source = ? AND crop IS NOT NULL"
                " ORDER BY frame",
                (self.key(source),),
            )
            for track, crop in rows:
                if track in tracks:
                    names.setdefault(track, []).append(crop)
        steps = {track: -(-len(found) // most) for track, found in names.items()}
        return {track: found[:: steps[track]] for track, found in names.items()}

    def middle_crops(self, source: str) -> dict[int, str]:
        """The name of a crop from the middle of each track of a source."""
        with sqlite_errors(self._path):
            rows = self._db.execute(
                "SELECT track, crop, MIN(ABS(2 * frame - first - last)) FROM faces"
                " JOIN tracks USING (source, track) WHERE source = ? AND crop IS NOT NULL"
                " GROUP BY track",
                (self.key(source),),
            )
            return {track: crop for track, crop, _ in rows}

    def sum_up_tracks(self) -> None:
        """Make the rows of tracks that have none, as after a rebuild, from their faces."""
        with self.transaction() as db:
            db.execute(SUM_UP)

    def _replace_tracks(self, rows: str, tracks: Iterable[TrackRow]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [track.values(rows) for track in tracks],
        )

    def crop_names(self, rows: str) -> set[str]:
        """Names of all crops in the rows of exactly this name, staged or not."""
        with sqlite_errors(self._path):
            found = self._db.execute(
                "SELECT crop FROM faces WHERE source = ? AND crop IS NOT NULL", (rows,)
            )
            return {name for (name,) in found}

    def count(self, source: str) -> tuple[int, int, int]:
        """Numbers of frames, faces and tracks."""
        key = self.key(source)
        frames = self._row("SELECT COUNT(*) FROM frames WHERE source = ?", key)
        faces = self._row("SELECT COUNT(*), COUNT(DISTINCT track) FROM faces WHERE source = ?", key)
        assert frames is not None
        assert faces is not None
        return (frames[0], *faces)

    def _row(self, query: str, *values: str) -> tuple[Any, ...] | None:
        with sqlite_errors(self._path):
            row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
            return row

    def _delete(self, source: str) -> None:
        names = source, deleted_key(source)
        for table in COLUMNS:
            self._db.execute(f"DELETE FROM {table} WHERE source IN (?, ?)", names)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction, taken back where its block raises."""
        with sqlite_errors(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
