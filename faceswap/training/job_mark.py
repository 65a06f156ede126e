"""Jobs of several parts, of which training is one: what a stop in a later part must not repeat.

A job that trains for some minutes and then does something with the model leaves a mark in a
folder until all of it is done. Begun again, it knows by that mark which of the training belongs
to it, and does not train its minutes once more.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from faceswap.errors import OutputError

_MARK = "underway.json"


class Begun(NamedTuple):
    """Where a run was when a job began: at that step, after so many seconds of training."""

    step: int
    seconds: float


def mark_job_start(folder: Path, step: int, seconds: float) -> Begun:
    """Where the run was when the job began that is under way: where it is, if none is, from now on.

    step, seconds: where the run is. Raises OutputError when the mark cannot be written.
    """
    marked = _mark(folder)
    if marked is not None and marked["step"] <= step:
        return Begun(int(marked["step"]), float(marked.get("seconds", 0.0)))
    _write(folder, {"step": step, "seconds": seconds})
    return Begun(step, seconds)


def has_unfinished_job(folder: Path) -> bool:
    """Whether a job that left its mark in ``folder`` has not come to its end."""
    return (folder / _MARK).is_file()


def has_made(folder: Path, path: Path) -> None:
    """Remember that the job under way has written ``path``, which is its own then."""
    marked = _mark(folder)
    if marked is not None:
        _write(folder, {**marked, "made": str(path.absolute())})


def made(folder: Path) -> Path | None:
    """What the job under way has written; None where that is nothing."""
    found = (_mark(folder) or {}).get("made")
    return Path(found) if isinstance(found, str) else None


def _mark(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        marked = json.loads((folder / _MARK).read_text(encoding="utf-8"))
        float(marked.get("seconds", 0.0))
        if isinstance(marked["step"], int):
            return dict(marked)
    return None


def _write(folder: Path, values: Mapping[str, Any]) -> None:
    path = folder / _MARK
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(values), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def clear_job_mark(folder: Path) -> None:
    """The job is done; the next one is another."""
    (folder / _MARK).unlink(missing_ok=True)
