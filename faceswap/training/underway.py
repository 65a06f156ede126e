"""Jobs of several parts, of which training is one: what a stop in a later part must not repeat.

A job that trains for some minutes and then does something with the model leaves a mark in a
folder until all of it is done. Begun again, it knows by that mark which of the training belongs
to it, and does not train its minutes once more.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

from faceswap.errors import OutputError

_MARK = "underway.json"


def begun_at(folder: Path, step: int) -> int:
    """The run's step at which the job began that is under way: ``step``, if none is, from now on.

    step: where the run is. Raises OutputError when the mark cannot be written.
    """
    path = folder / _MARK
    with suppress(OSError, ValueError, KeyError, TypeError):
        marked = int(json.loads(path.read_text(encoding="utf-8"))["step"])
        if marked <= step:  # else it is of a run that is gone, or was rolled back
            return marked
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"step": step}), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    return step


def is_under_way(folder: Path) -> bool:
    """Whether a job that left its mark in ``folder`` has not come to its end."""
    return (folder / _MARK).is_file()


def over(folder: Path) -> None:
    """The job is done; the next one is another."""
    (folder / _MARK).unlink(missing_ok=True)
