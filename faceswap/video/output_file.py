"""The file of an output: checked before the work, hidden while written, then renamed and synced."""

import contextlib
import errno
import os
import shutil
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.io.atomic import free_name, replace_file
from faceswap.video.containers import SUFFIXES
from faceswap.video.partial_output import create_locked, remove_abandoned

_SPACE_TO_BEGIN = 8 * 2**20  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC, errno.EFBIG)


def check_output(path: Path | str, *, overwrite: bool = False, source: Path | None = None) -> Path:
    """Check that a video can be written to ``path``, before long work; returns it absolute.

    Removes what killed processes left in its folder. Raises OutputError when it exists (without
    ``overwrite``), is the ``source`` itself, has an unknown suffix, or its folder is missing, not
    writable or full.
    """
    path = Path(path).absolute()
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise OutputError(f"{path.name} does not have the suffix of a video; use one of {known}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file to write.")
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}; create it first.")
    if path.exists():
        if source is not None and path.samefile(source):
            raise OutputError(f"{path} is the video being read; give the output another name.")
        if not overwrite:
            raise OutputError(f"{path} exists already; use --overwrite or another name.")
    remove_abandoned(path.parent)
    free = shutil.disk_usage(path.parent).free
    if free < _SPACE_TO_BEGIN:
        raise OutputError(
            f"The disk of {path.parent} is full ({free / 2**20:.1f} MB left); free some space."
        )
    OutputFile(path, overwrite=overwrite).discard()
    return path


class OutputFile:
    """A hidden partial file beside ``path``, which gets that name when it is complete.

    partial: its name until then. Raises OutputError when it cannot be created.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self.path, self._overwrite = path, overwrite
        try:
            self.partial, self._held = create_locked(path)
        except OSError as error:
            raise output_error(path, error) from error

    def complete(self) -> None:
        """Sync to disk and rename. Raises OSError, and OutputError where another has the name."""
        with open(self.partial, "rb+") as file:
            os.fsync(file.fileno())
        if self.path.exists() and not self._overwrite:
            raise FileExistsError(errno.EEXIST, "exists already", str(self.path))
        try:
            replace_file(self.partial, self.path)
        except PermissionError as error:  # on Windows: its own name is locked
            if not self.path.exists():
                raise
            kept = free_name(self.path)
            os.replace(self.partial, kept)
            raise OutputError(
                f"{self.path.name} is open in another program and can't be replaced; the finished "
                f"video is {kept}."
            ) from error

    def discard(self) -> None:
        """Remove the partial file, if it is still there. May be called twice."""
        if self._held is not None:
            self._held.close()
        with contextlib.suppress(OSError):
            self.partial.unlink(missing_ok=True)


def output_error(path: Path, error: Exception) -> OutputError:
    """What to tell of an error of libav or the system in writing ``path``."""
    number = getattr(error, "errno", None)
    if number in _FULL:
        return OutputError(f"The disk of {path.parent} is full; free some space and start again.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"The folder {path.parent} is not writable; choose another output.")
    if number == errno.EEXIST:
        return OutputError(f"{path} exists already; use --overwrite or another name.")
    reason = getattr(error, "strerror", None) or error
    return OutputError(f"{path} cannot be written ({reason}); choose another output.")
