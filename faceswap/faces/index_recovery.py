"""Open an index, rebuilding a lost or damaged one from the records in the crops.

Crops are never changed, and the damaged file is kept beside the new one.
"""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceswap.errors import DamagedIndexError, OutputError
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import deleted_key
from faceswap.faces.manual_exclusion import DELETED
from faceswap.io.atomic import file_lock, remove_partial_files

LOCK = ".index.lock"

_LOCK_TIMEOUT = 120.0
"""Seconds to wait for another process that rebuilds: 50,000 records take it 10 to 20."""


@dataclass(frozen=True)
class KnownSource:
    """What the project file knows of a source, whose crops are in ``folder``.

    settings: of the extraction. frames, faces: their numbers; None if the extraction is not
    finished or was made by an older version.
    """

    folder: Path
    footage: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    frames: int | None = None
    faces: int | None = None
    generation: int = 1


def open_index(path: Path, sources: Mapping[str, KnownSource], *, write: bool) -> FaceIndex:
    """Open the index at ``path``, rebuilding what is lost; ``repairs`` then says what was done.

    Without ``write`` it is rebuilt in memory where ``path`` cannot be written. Raises as FaceIndex.
    """
    damage = _find_damage(path, sources)
    if damage is None:
        return _open(path, sources, write)
    busy = f"{path} is being rebuilt by another program; try again in a minute."
    try:
        with file_lock(path.with_name(LOCK), _LOCK_TIMEOUT, busy):
            damage = _find_damage(path, sources)
            said = () if damage is None else _rebuild(path, sources, damage)
    except OutputError:
        if write or damage is None:
            raise
        index = FaceIndex.in_memory(path)
        index.repairs = (_sentence(path, damage, _fill(index, sources, damage.sources)),)
        return index
    index = _open(path, sources, write)
    index.repairs = said
    return index


def first_unwritten_frame(known: KnownSource, last: int) -> int:
    """First frame whose crops may not be written yet; ``last``: frame of the last crop."""
    return known.frames if known.frames is not None else last + 1


@dataclass(frozen=True)
class _Damage:
    """Damage to an index: the lost sources, and whether the file must be replaced."""

    text: str
    sources: tuple[str, ...]
    replace: bool


def _find_damage(path: Path, sources: Mapping[str, KnownSource]) -> _Damage | None:
    said, lost = "was gone", list(sources)
    try:
        if path.is_file():
            with FaceIndex.reading(path, _generations(sources)) as index:
                said = "was empty"
                if not index.empty:
                    index.check()
                    said, lost = "had lost a source", [s for s in sources if index.clip(s) is None]
    except DamagedIndexError as error:
        return _Damage(f"was damaged ({error.__cause__ or error})", tuple(sources), replace=True)
    from faceswap.faces.crop_recovery import has_recoverable_rows

    lost = [s for s in lost if has_recoverable_rows(sources[s].folder, s, sources[s].footage)]
    return _Damage(said, tuple(lost), replace=said != "had lost a source") if lost else None


def _open(path: Path, sources: Mapping[str, KnownSource], write: bool) -> FaceIndex:
    if write:
        return FaceIndex(path, _generations(sources))
    if not path.is_file():
        return FaceIndex.in_memory(path)
    index = FaceIndex.reading(path, _generations(sources))
    if not index.empty:
        return index
    index.close()
    return FaceIndex.in_memory(path)


def _generations(sources: Mapping[str, KnownSource]) -> dict[str, int]:
    return {source: known.generation for source, known in sources.items()}


def _rebuild(path: Path, sources: Mapping[str, KnownSource], damage: _Damage) -> tuple[str, ...]:
    if not damage.replace:
        with FaceIndex(path) as index:
            return (_sentence(path, damage, _fill(index, sources, damage.sources)),)
    remove_partial_files(path.parent, f"{path.name}.*.part*")
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    with FaceIndex(part) as index:
        counts = _fill(index, sources, damage.sources)
    try:
        kept = _keep_damaged(path)
        os.replace(part, path)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    where = f" The damaged one is kept as {kept.name}." if kept else ""
    return (_sentence(path, damage, counts) + where,)


def _fill(
    index: FaceIndex, sources: Mapping[str, KnownSource], names: tuple[str, ...]
) -> dict[str, int]:
    """Write the rows recovered from the crops of ``names``; returns the faces by source."""
    from faceswap.faces.added_faces import add_faces
    from faceswap.faces.crop_recovery import recover_rows

    counts = {}
    for source in names:
        known = sources[source]
        found = recover_rows(known.folder, source, known.footage)
        if not found.faces:
            continue
        state = {"written": first_unwritten_frame(known, found.last)}
        settings = {**known.settings, **({"footage": known.footage} if known.footage else {})}
        index.reset_source(source, settings, state)
        # With all faces recovered, no frame needs to be processed again.
        whole = len(found.faces) == known.faces
        index.add(source, found.frames, found.faces, state, complete=whole)
        gone = recover_rows(known.folder / DELETED, source, known.footage).faces
        add_faces(index, deleted_key(source), gone, ())
        counts[source] = len(found.faces)
    index.sum_up_tracks()
    return counts


def _keep_damaged(path: Path) -> Path | None:
    """Rename a damaged index and its write-ahead log to an unused name."""
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


def _sentence(path: Path, damage: _Damage, counts: Mapping[str, int]) -> str:
    of = " and ".join(f"{count:,} of {source.upper()}" for source, count in counts.items())
    made = f"it was rebuilt from the crops ({of})" if counts else "a new one was started"
    return f"{path} {damage.text}; {made}."
