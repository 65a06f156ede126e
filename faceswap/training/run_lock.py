"""One process at a time trains a run."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from faceswap.errors import OutputError, ProjectError

LOCK_NAME = ".lock"


@contextmanager
def hold_run(folder: Path, *, leads: bool = True) -> Iterator[None]:
    """Hold the run in ``folder``, which is made, so that no other process changes it.

    The system lets go of it with the process, whatever ends that. A folder in which nothing was
    put is gone afterwards. leads: False for the others of several processes that train together:
    they write nothing. Raises ProjectError when another process holds it, OutputError when the
    folder cannot be written.
    """
    if not leads:
        yield
        return
    path = folder / LOCK_NAME
    lock = FileLock(path, timeout=0)
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ProjectError(
            f"The run in {folder} is being trained already; wait for that or stop it, or train "
            "one of another name."
        ) from error
    except NotImplementedError as error:
        raise OutputError(
            f"The disk of {folder} has no locks for files, without which two processes could train "
            "one run; put the project on another disk."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot write in {folder}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
        if folder in made and [p.name for p in folder.iterdir()] == [LOCK_NAME]:
            with suppress(OSError):
                path.unlink()
                for empty in made:
                    empty.rmdir()
