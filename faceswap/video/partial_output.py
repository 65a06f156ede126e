"""Videos that are not finished: told from those that a killed process left behind.

A process that writes one holds it for as long as it lives; what nobody holds is removed by the
next that writes a video of that name.
"""

import glob
import sys
import time
import uuid
from contextlib import suppress
from io import FileIO
from pathlib import Path

_YOUNG = 60.0
"""Seconds: a file is held a moment after it is made, so that one so young may yet be held."""


def partial_path(path: Path) -> Path:
    """A hidden name beside ``path``, of the same ending, for it until it is finished."""
    return path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")


def create_held(path: Path) -> FileIO | None:
    """Make ``path`` and hold it until the answer is closed or the process ends.

    None where the system does not let others remove an open file anyway, or the disk knows no
    such hold. Raises OSError when it cannot be made.
    """
    return None if sys.platform == "win32" else _held(path, "x")


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left unfinished of ``path``."""
    old = time.time() - _YOUNG
    pattern = f".{glob.escape(path.stem)}.{'[0-9a-f]' * 8}.part{path.suffix}"
    for part in path.parent.glob(pattern):
        with suppress(OSError):  # not ours, or of somebody who is just doing the same
            if part.stat().st_mtime > old:
                continue
            if sys.platform == "win32":
                part.unlink()
            elif (file := _held(part, "r")) is not None:
                with file:
                    part.unlink()


def _held(path: Path, mode: str) -> FileIO | None:
    """``path``, opened and held; None where another process holds it, or the disk cannot."""
    import fcntl

    file = FileIO(path, mode)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
