"""Partial output videos: locked while written, removed when abandoned.

A writer locks its partial file (flock) until it ends. Unlocked ones were left by killed processes;
the next writer of a video of that name removes them.
"""

import glob
import sys
import time
import uuid
from contextlib import suppress
from io import FileIO
from pathlib import Path

_MINIMUM_AGE = 60.0
"""Seconds for which a file counts as in use: it is locked just after it is created."""


def partial_path(path: Path) -> Path:
    """Hidden name next to ``path`` with the same suffix, to write to until it is finished."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")


def create_locked(path: Path) -> FileIO | None:
    """Create ``path`` and lock it until the returned file is closed or the process ends.

    None on Windows, where open files cannot be removed anyway, or where the file system has no
    locks. Raises OSError when it cannot be created.
    """
    return None if sys.platform == "win32" else _open_locked(path, "x")


def remove_abandoned(path: Path) -> None:
    """Remove partial files of ``path`` that killed processes left."""
    cutoff = time.time() - _MINIMUM_AGE
    pattern = f".{glob.escape(path.stem)}.{'[0-9a-f]' * 8}.part{path.suffix}"
    for part in path.parent.glob(pattern):
        with suppress(OSError):  # not ours, or just removed by another process
            if part.stat().st_mtime > cutoff:
                continue
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
