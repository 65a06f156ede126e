"""Opening an index; one that is lost or damaged is made anew from the crops' own records.

No crop is touched by that, and what is left of the old file is kept beside the new one.
"""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceswap.errors import DamagedIndexError, OutputError
from faceswap.faces.index import FaceIndex
from faceswap.io.atomic import file_lock, remove_partial_files

LOCK = ".index.lock"

_WAIT = 120.0
"""Seconds: reading 50,000 records takes 10 to 20."""


@dataclass(frozen=True)
class ExtractionRecord:
    """What is known of a side besides its crops in ``folder``.

    settings: what it was extracted with. frames, faces: how many there are; None where the
    extraction has not come to its end, or an older version made it.
    """

    folder: Path
    footage: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    frames: int | None = None
    faces: int | None = None
    generation: int = 1


def open_index(path: Path, sides: Mapping[str, ExtractionRecord], *, write: bool) -> FaceIndex:
    """The index at ``path`` of these sides; ``repairs`` says so when it had to be made anew.

    To be read it is made anew in memory where ``path`` cannot be written. Raises as FaceIndex.
    """
    wrong = _wrong(path, sides)
    if wrong is None:
        return _opened(path, sides, write)
    busy = f"{path} is being made anew by another program; try again in a minute."
    try:
        with file_lock(path.with_name(LOCK), _WAIT, busy):
            wrong = _wrong(path, sides)
            said = () if wrong is None else _made_anew(path, sides, wrong)
    except OutputError:
        if write or wrong is None:
            raise
        index = FaceIndex.in_memory(path)
        index.repairs = (_sentence(path, wrong, _fill(index, sides, wrong.sides)),)
        return index
    index = _opened(path, sides, write)
    index.repairs = said
    return index


def first_unwritten_frame(known: ExtractionRecord, last: int) -> int:
    """The first frame whose crops may yet be to be written; ``last``: of the last crop."""
    return known.frames if known.frames is not None else last + 1


@dataclass(frozen=True)
class _Wrong:
    """What is wrong with an index: which sides it has lost, and whether a file is in the way."""

    text: str
    sides: tuple[str, ...]
    replace: bool


def _wrong(path: Path, sides: Mapping[str, ExtractionRecord]) -> _Wrong | None:
    said, lost = "was gone", list(sides)
    try:
        if path.is_file():
            with FaceIndex.reading(path, _generations(sides)) as index:
                said = "was empty"
                if not index.empty:
                    index.check()
                    said, lost = "had lost a side", [s for s in sides if index.clip(s) is None]
    except DamagedIndexError as error:
        return _Wrong(f"was damaged ({error.__cause__ or error})", tuple(sides), replace=True)
    from faceswap.faces.crop_recovery import has_recoverable_rows

    lost = [s for s in lost if has_recoverable_rows(sides[s].folder, s, sides[s].footage)]
    return _Wrong(said, tuple(lost), replace=said != "had lost a side") if lost else None


def _opened(path: Path, sides: Mapping[str, ExtractionRecord], write: bool) -> FaceIndex:
    if write:
        return FaceIndex(path, _generations(sides))
    if not path.is_file():
        return FaceIndex.in_memory(path)
    index = FaceIndex.reading(path, _generations(sides))
    if not index.empty:
        return index
    index.close()
    return FaceIndex.in_memory(path)


def _generations(sides: Mapping[str, ExtractionRecord]) -> dict[str, int]:
    return {side: known.generation for side, known in sides.items()}


def _made_anew(path: Path, sides: Mapping[str, ExtractionRecord], wrong: _Wrong) -> tuple[str, ...]:
    if not wrong.replace:
        with FaceIndex(path) as index:
            return (_sentence(path, wrong, _fill(index, sides, wrong.sides)),)
    remove_partial_files(path.parent, f"{path.name}.*.part*")
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    with FaceIndex(part) as index:
        counts = _fill(index, sides, wrong.sides)
    try:
        kept = _set_aside(path)
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    where = f" The damaged one is kept as {kept.name}." if kept else ""
    return (_sentence(path, wrong, counts) + where,)


def _fill(
    index: FaceIndex, sides: Mapping[str, ExtractionRecord], names: tuple[str, ...]
) -> dict[str, int]:
    """Write what the crops of these sides tell; how many do."""
    from faceswap.faces.crop_recovery import recover_rows

    counts = {}
    for side in names:
        known = sides[side]
        found = recover_rows(known.folder, side, known.footage)
        if not found.faces:
            continue
        state = {"written": first_unwritten_frame(known, found.last)}
        settings = {**known.settings, **({"footage": known.footage} if known.footage else {})}
        index.reset_side(side, settings, state)
        # With all the faces that there ever were, nothing of the footage need be looked at again.
        whole = len(found.faces) == known.faces
        index.add(side, found.frames, found.faces, state, complete=whole)
        counts[side] = len(found.faces)
    return counts


def _set_aside(path: Path) -> Path | None:
    """Rename what is left of a damaged index, and its log, to a name that is free."""
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    parts = [p for p in (path, path.with_name(f"{path.name}-wal")) if p.is_file()]
    number, goal = 1, path.with_name(f"{path.name}.damaged-1")
    while goal.exists():
        number += 1
        goal = path.with_name(f"{path.name}.damaged-{number}")
    kept = None
    for part in parts:
        if part.stat().st_size:
            os.replace(part, part.with_name(part.name.replace(path.name, goal.name, 1)))
            kept = goal
        else:
            part.unlink()
    return kept


def _sentence(path: Path, wrong: _Wrong, counts: Mapping[str, int]) -> str:
    of = " and ".join(f"{count:,} of {side.upper()}" for side, count in counts.items())
    made = f"it was made anew from the crops ({of})" if counts else "it is begun anew"
    return f"{path} {wrong.text}; {made}."
