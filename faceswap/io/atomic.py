"""Atomic file writes, fsync, and lock files that are released when their process ends."""

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

_POLL_SECONDS = 0.01
"""Seconds between attempts to get a lock, which is usually held for a few milliseconds."""

_LINUX = sys.platform == "linux"

_TRIES = 100 if os.name == "nt" else 1
"""Windows refuses to replace a file while another process reads it: try for about 1 s."""


@contextmanager
def file_lock(path: Path, wait: float, busy: str) -> Iterator[None]:
    """Hold the lock file ``path``, waiting up to ``wait`` seconds for it.

    The system releases the lock when the process ends in any way. The file stays: removing it
    would let two processes in. Raises ProjectError with the message ``busy`` when another process
    holds it, OutputError when it cannot be created.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait, poll_interval=_POLL_SECONDS)
    except Timeout as error:
        raise ProjectError(busy) from error
    except NotImplementedError as error:
        raise OutputError(
            f"The disk of {path.parent} cannot lock files; use a folder on another disk."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot write to {path.parent}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically: a crash leaves the old or the new content.

    Synced to disk before returning. Raises OutputError when it cannot be written.
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


@contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that is renamed to it if the block succeeds.

    Not synced to disk. Raises OSError when it cannot be written; the old file is then kept.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
        replace_file(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """``partial_file``, with OSError raised as OutputError."""
    try:
        with partial_file(path) as part:
            yield part
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents if missing. Raises OutputError when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot create {folder}: {error.strerror or error}.") from error


def replace_file(part: Path, path: Path) -> None:
    """Rename ``part`` to ``path``, replacing it.

    Retries on Windows, which refuses while a program has ``path`` open. Raises OSError.
    """
    for remaining in reversed(range(_TRIES)):
        try:
            os.replace(part, path)
            return
        except PermissionError:
            if not remaining:
                raise
            time.sleep(_POLL_SECONDS)


def free_name(path: Path) -> Path:
    """``path``, or if it exists the first free of "NAME 2", "NAME 3" …"""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem} {number}")
    return free


def fsync_file(path: Path) -> None:
    """Sync the content of ``path`` to disk. Raises OSError."""
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows needs to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_folder(folder: Path) -> None:
    """Sync the directory entries of ``folder`` to disk; Windows does so by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_files(folder: Path) -> None:
    """Sync all files in ``folder``, recursively, to disk.

    On Linux by one syncfs of the file system: far faster than fsync of many small files. Raises
    OSError when syncing fails.
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
        list(pool.map(fsync_file, (path for path in folder.rglob("*") if path.is_file())))


def remove_partial_files(folder: Path, pattern: str = "*.part") -> None:
    """Remove partial files of killed processes in ``folder``; no other may be writing."""
    for part in folder.glob(pattern):
        with suppress(OSError):
            part.unlink(missing_ok=True)
