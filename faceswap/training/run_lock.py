"""Lock file of a run: only one process at a time may train it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from faceswap.errors import OutputError, ProjectError

LOCK_NAME = ".lock"


@contextmanager
def lock_run(folder: Path, *, leads: bool = True) -> Iterator[None]:
    """Lock the run in ``folder``, which is created, against changes by other processes.

    The system releases the lock when the process ends, however it does. A new folder that is still
    empty is deleted afterwards. leads: False in all but the main one of several processes that
    train together: no lock is taken. Raises ProjectError when another process has the lock,
    OutputError when the folder cannot be written.
    """
    if not leads:
        yield
        return
    path = folder / LOCK_NAME
    lock = FileLock(path, timeout=0)
    created = [p for p in (folder, *folder.parents) if not p.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ProjectError(
            f"The run in {folder} is being trained already; wait for that or stop it, or train "
            "a run of another name."
        ) from error
    except NotImplementedError as error:
        raise OutputError(
            f"The disk of {folder} does not support file locks, without which two processes could "
            "train the same run; move the project to another disk."
        ) from error
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
        if folder in created and [p.name for p in folder.iterdir()] == [LOCK_NAME]:
            with suppress(OSError):
                path.unlink()
                for new_folder in created:
                    new_folder.rmdir()
