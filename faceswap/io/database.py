"""SQLite files: opened for writing, or for reading wherever they lie, and what goes wrong said.

Several processes write and read at once: each waits for the others, and reads what was there
when it began.
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
"""Seconds to wait for others: a batch takes milliseconds, moving 50,000 faces three seconds."""

_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_PLACE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_BROKEN = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_ERROR,  # tables or columns that are not there
)


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Raise what SQLite raises here as a sentence about ``path``.

    ProjectError when another program does not let go of it, OutputError when the disk is full or
    the place cannot be written or read, DamagedIndexError when it holds something else than it
    should.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a defect of ours
    except sqlite3.DatabaseError as error:
        raise _sentence(path, error) from error


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database at ``path``, made where it is missing, in WAL mode where the disk can do that.

    Raises as ``told``.
    """
    with sqlite_errors(path):
        # Statements and transactions are ours alone; threads take turns.
        db = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(db)
            db.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            db.close()
            raise
    return db


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database at ``path`` as it is now, wherever it lies; nothing is changed there.

    Raises as ``told``.
    """
    uri = path.absolute().as_uri()
    with sqlite_errors(path):
        try:
            return _opened(f"{uri}?mode=ro")
        except sqlite3.OperationalError as error:
            if _kind(error) not in (*_PLACE, sqlite3.SQLITE_IOERR):
                raise
        # SQLite keeps notes for its readers beside the file, which this folder does not take.
        log = path.with_name(f"{path.name}-wal")
        if not (log.is_file() and log.stat().st_size):
            return _opened(f"{uri}?mode=ro&immutable=1")
        return _copied(path, log)


def in_memory() -> sqlite3.Connection:
    """A database that nobody else sees and that is gone when it is closed."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def _opened(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT COUNT(*) FROM sqlite_master")
    except BaseException:
        db.close()
        raise
    return db


def _copied(path: Path, log: Path) -> sqlite3.Connection:
    """A copy in memory: the last batches of a killed process are in the log beside the file."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / path.name
            shutil.copyfile(path, place)
            shutil.copyfile(log, place.with_name(log.name))
            db = in_memory()
            with closing(sqlite3.connect(place)) as copy:
                copy.backup(db)
            return db
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error


def _use_wal(db: sqlite3.Connection) -> None:
    until = time.monotonic() + WAIT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # Two that make the same file: for this SQLite does not wait by itself.
            if _kind(error) not in _IN_USE or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _kind(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python raised the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _sentence(path: Path, error: sqlite3.DatabaseError) -> FaceswapError:
    kind = _kind(error)
    if kind in _IN_USE:
        return ProjectError(
            f"{path} is in use by another program, which does not let go of it; try again when "
            "that is done."
        )
    if kind == sqlite3.SQLITE_FULL:
        return OutputError(f"The disk of {path.parent} is full; free some space and start again.")
    if kind in _BROKEN:
        return DamagedIndexError(
            f"{path} is damaged ({error}); 'faceswap extract' makes it anew from the crops."
        )
    if kind == sqlite3.SQLITE_CONSTRAINT:
        return ProjectError(
            f"{path} was changed by another program meanwhile ({error}); start again."
        )
    doing = "open" if kind == sqlite3.SQLITE_CANTOPEN else "read or write"
    return OutputError(f"Cannot {doing} {path}: {error}.")
