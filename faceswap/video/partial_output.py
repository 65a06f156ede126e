"""Partial output videos: locked while written, removed when abandoned.

A writer locks its partial file (flock) until it ends. Unlocked ones were left by killed processes;
the next output to the same folder removes them.
"""

import re
import sys
import uuid
from contextlib import suppress
from io import FileIO
from pathlib import Path

_NAME = re.compile(r"\..*\.[0-9a-f]{8}\.part\.[0-9A-Za-z]+", re.DOTALL)
LONGEST = 255
"""Bytes that file systems allow for a name (ext4, APFS, NTFS count no more strictly)."""
_TRIES = 10


def partial_path(path: Path) -> Path:
    """Hidden name next to ``path`` with the same suffix, to write to until it is finished.

    As much of the stem as a file's name can hold.
    """
    end = f".{uuid.uuid4().hex[:8]}.part{path.suffix}"
    room = LONGEST - len(end.encode()) - 1
    stem = path.stem.encode()[:room].decode("utf-8", "ignore")
    return path.with_name(f".{stem}{end}")


def create_locked(path: Path) -> tuple[Path, FileIO | None]:
    """Create a partial file of ``path``, locked until the process ends or its lock is closed.

    Without a lock on Windows, where open files cannot be removed anyway, or where the file system
    has no locks. Raises OSError when it cannot be created.
    """
    for _ in range(_TRIES):
        part = partial_path(path)
        if sys.platform == "win32":
            part.touch(exist_ok=False)
            return part, None
        file = _open_locked(part, "x")
        # Another process may have taken it for abandoned just before it was locked.
        if part.exists():
            return part, file
        if file is not None:
            file.close()
    raise FileNotFoundError(f"{part} was removed while it was created")


def remove_abandoned(folder: Path) -> None:
    """Remove the partial videos in ``folder`` that killed processes left."""
    for part in folder.glob(".*.part.*"):
        if not _NAME.fullmatch(part.name):
            continue
        with suppress(OSError):  # not ours, or just removed by another process
            if sys.platform == "win32":
                part.unlink()
            elif (file := _open_locked(part, "r")) is not None:
                with file:
                    part.unlink()


def _open_locked(path: Path, mode: str) -> FileIO | None:
    """Open and lock ``path``; None where another process has locked it, or locks don't work."""
    import fcntl

    file = FileIO(path, mode)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
