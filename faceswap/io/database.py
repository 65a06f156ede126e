"""Open SQLite files to write, or to read (also in read-only folders); errors as sentences.

Several processes may read and write at once: writers wait for each other, readers see the state at
the start of their transaction (WAL mode).
"""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faceswap.errors import DamagedIndexError, FaceswapError, OutputError, ProjectError

WAIT = 30.0
"""Seconds to wait for locks: a batch takes milliseconds, moving 50,000 faces 3 seconds."""

_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_NO_ACCESS = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_DAMAGED = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_ERROR,  # missing tables or columns
)


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Context that turns SQLite's errors into a FaceswapError about ``path``.

    ProjectError when another program keeps it locked or changed it, OutputError when the disk is
    full or the file cannot be read or written, DamagedIndexError when its content is invalid.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a bug
    except sqlite3.DatabaseError as error:
        raise _error_for(path, error) from error


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open or create the database at ``path``, in WAL mode where the disk supports it.

    Raises as ``sqlite_errors``.
    """
    with sqlite_errors(path):
        # Autocommit: we begin transactions ourselves; our threads take turns.
        db = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(db)
            db.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            db.close()
            raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the database at ``path`` without changing anything; its folder may be read-only.

    Raises as ``sqlite_errors``.
    """
    uri = path.absolute().as_uri()
    with sqlite_errors(path):
        try:
            return _connect_uri(f"{uri}?mode=ro")
        except sqlite3.OperationalError as error:
            if _kind(error) not in (*_NO_ACCESS, sqlite3.SQLITE_IOERR):
                raise
        # In WAL mode even readers create a -shm file, which a read-only folder does not allow.
        wal = path.with_name(f"{path.name}-wal")
        if not (wal.is_file() and wal.stat().st_size):
            return _connect_uri(f"{uri}?mode=ro&immutable=1")
        return _copy_to_memory(path, wal)


def in_memory() -> sqlite3.Connection:
    """A new in-memory database."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _connect_uri(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT COUNT(*) FROM sqlite_master")
    except BaseException:
        db.close()
        raise
    return db


def _copy_to_memory(path: Path, wal: Path) -> sqlite3.Connection:
    """Copy to memory with the WAL, which may hold the last batches of a killed process."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / path.name
            shutil.copyfile(path, copied)
            shutil.copyfile(wal, copied.with_name(wal.name))
            db = in_memory()
            with closing(sqlite3.connect(copied)) as copy:
                copy.backup(db)
            return db
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _use_wal(db: sqlite3.Connection) -> None:
    deadline = time.monotonic() + WAIT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Two processes create the file: SQLite does not apply its timeout here.
            if _kind(error) not in _IN_USE or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _kind(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python raised the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _error_for(path: Path, error: sqlite3.DatabaseError) -> FaceswapError:
    kind = _kind(error)
    if kind in _IN_USE:
        return ProjectError(f"{path} is in use by another program; try again when that is done.")
    if kind == sqlite3.SQLITE_FULL:
        return OutputError(f"The disk of {path.parent} is full; free some space and start again.")
    if kind in _DAMAGED:
        return DamagedIndexError(
            f"{path} is damaged ({error}); 'faceswap extract' rebuilds it from the crops."
        )
    if kind == sqlite3.SQLITE_CONSTRAINT:
        return ProjectError(
            f"{path} was changed by another program at the same time ({error}); start again."
        )
    verb = "open" if kind == sqlite3.SQLITE_CANTOPEN else "read or write"
    return OutputError(f"Cannot {verb} {path}: {error}.")
