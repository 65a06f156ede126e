"""Marker file for jobs in which training is one of several parts.

A job that trains for some minutes and then uses the model keeps a marker in a folder until all of
it is done. When it is restarted, the marker says which training was part of it, so that finished
training is not repeated.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from faceswap.io.atomic import atomic_file, make_folder

_MARKER = "underway.json"


class JobStart(NamedTuple):
    """Step and seconds of training of a run at the start of a job."""

    step: int
    seconds: float


def mark_job_start(folder: Path, step: int, seconds: float) -> JobStart:
    """Start of the unfinished job, if there is one; otherwise mark a start at the present step.

    step, seconds: those of the run now. Raises OutputError when the marker cannot be written.
    """
    marked = _read(folder)
    if marked is not None and marked["step"] <= step:
        return JobStart(int(marked["step"]), float(marked.get("seconds", 0.0)))
    _write(folder, {"step": step, "seconds": seconds})
    return JobStart(step, seconds)


def has_unfinished_job(folder: Path) -> bool:
    """Whether ``folder`` has the marker of an unfinished job."""
    return (folder / _MARKER).is_file()


def set_job_output(folder: Path, path: Path) -> None:
    """Store in the marker that the unfinished job has written ``path``."""
    marked = _read(folder)
    if marked is not None:
        _write(folder, {**marked, "made": str(path.absolute())})


def job_output(folder: Path) -> Path | None:
    """File that the unfinished job has written, or None."""
    found = (_read(folder) or {}).get("made")
    return Path(found) if isinstance(found, str) else None


def _read(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        marked = json.loads((folder / _MARKER).read_text(encoding="utf-8"))
        float(marked.get("seconds", 0.0))
        if isinstance(marked["step"], int):
            return dict(marked)
    return None


def _write(folder: Path, values: Mapping[str, Any]) -> None:
    make_folder(folder)
    with atomic_file(folder / _MARKER) as part:
        part.write_text(json.dumps(values), encoding="utf-8")


def clear_job_mark(folder: Path) -> None:
    """Delete the marker, as the job is finished."""
    (folder / _MARKER).unlink(missing_ok=True)
