"""Files that are whole or as they were, and locks that go with the process that holds them."""

import ctypes
import os
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from faceswap.errors import OutputError, ProjectError

_POLL = 0.01
"""Seconds between two tries for a lock: what it covers takes a few milliseconds."""

_LINUX = sys.platform == "linux"

_TRIES = 100 if os.name == "nt" else 1
"""Windows does not replace a file while another process reads it."""


@contextmanager
def file_lock(path: Path, wait: float, busy: str) -> Iterator[None]:
    """Hold the lock file ``path``, waiting up to ``wait`` seconds for it.

    The system lets go of it with the process, whatever ends that; the file itself stays, as
    removing it would let two in. Raises ProjectError, saying ``busy``, when another holds it,
    OutputError when it cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait, poll_interval=_POLL)
    except Timeout as error:
        raise ProjectError(busy) from error
    except NotImplementedError as error:
        raise OutputError(
            f"The disk of {path.parent} cannot lock files; put the folder on another one."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot write in {path.parent}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, which holds all of it or what it held before.

    It is on the disk when this returns. Raises OutputError when it cannot be written.
    """
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with open(part, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace_file(part, path)
        fsync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def replace_file(part: Path, path: Path) -> None:
    """Give ``part`` the name ``path``, whatever has it now.

    Tried for a moment, as Windows refuses while a program has the other one open. Raises OSError.
    """
    for left in reversed(range(_TRIES)):
        try:
            os.replace(part, path)
            return
        except PermissionError:
            if not left:
                raise
            time.sleep(_POLL)


def free_name(path: Path) -> Path:
    """``path``, or the first of "NAME 2", "NAME 3" … of which there is none."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem} {number}")
    return free


def fsync_folder(folder: Path) -> None:
    """Make the disk hold the names in ``folder``; Windows writes them through by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_files(folder: Path) -> None:
    """Make the disk hold all files that were written to ``folder`` and the folders in it.

    Linux does that for a whole disk at once; flushing each of many small files takes far longer.
    Raises OSError when the disk could not.
    """
    sync_disk = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if _LINUX else None
    if sync_disk is not None:
        handle = os.open(folder, os.O_RDONLY)
        try:
            if sync_disk(handle):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(handle)
        return
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_flush_file, (path for path in folder.rglob("*") if path.is_file())))


def _flush_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def remove_partial_files(folder: Path, pattern: str = "*.part") -> None:
    """Remove what a killed process had begun to write in ``folder``, while no other writes."""
    for part in folder.glob(pattern):
        with suppress(OSError):
            part.unlink(missing_ok=True)
