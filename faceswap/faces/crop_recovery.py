"""Rebuild index rows from the records inside the crops, for an index that is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceswap.faces.align import invert, transform
from faceswap.faces.crops import FaceRecord, parse_crop_name, read_record
from faceswap.faces.index_schema import FaceRow, FrameRow
from faceswap.faces.manual_exclusion import EXCLUDED

_SQLITE_INT_LIMIT = 2**63
"""SQLite stores signed 64-bit integers."""


@dataclass(frozen=True)
class RecoveredRows:
    """Index rows recovered from a source's crops, excluded ones included.

    last: the last frame that has a crop, readable or damaged, or -1.
    """

    frames: list[FrameRow]
    faces: list[FaceRow]
    last: int


def named_crops(folder: Path) -> Iterator[Path]:
    """Files with crop names in ``folder`` and in its folder of excluded crops."""
    for place in (folder, folder / EXCLUDED):
        if place.is_dir():
            yield from (path for path in place.iterdir() if parse_crop_name(path.name))


def has_recoverable_rows(folder: Path, source: str, footage: str | None) -> bool:
    """Whether any crop in ``folder`` belongs to ``source``; see ``recover_rows``."""
    return any(
        _belongs(path.name, read_record(path), source, footage) for path in named_crops(folder)
    )


def recover_rows(folder: Path, source: str, footage: str | None) -> RecoveredRows:
    """Recover the rows of ``source`` from the crops in ``folder``; footage: its fingerprint.

    Crops of another source or other footage, and files whose names extraction does not give, were
    put there by hand and are ignored.
    """
    paths = {path.name: path for path in named_crops(folder)}
    faces: list[FaceRow] = []
    stamps: dict[int, tuple[int, float]] = {}
    shots: dict[int, int] = {}
    last = -1
    with ThreadPoolExecutor(4) as pool:
        for name, record in zip(paths, pool.map(read_record, paths.values()), strict=True):
            place = parse_crop_name(name)
            if place is not None and record is None:
                last = max(last, place[0])
            if record is None or not _belongs(name, record, source, footage):
                continue
            last = max(last, record.frame)
            faces.append(_face(record, name))
            pts = -1 if record.pts is None else record.pts
            stamps[record.frame] = (pts if abs(pts) < _SQLITE_INT_LIMIT else -1, record.time)
            shots[record.frame] = record.shot or 0
    faces.sort(key=lambda face: (face.frame, face.track))
    return RecoveredRows(list(_frames(stamps, shots)), faces, last)


def _belongs(name: str, record: FaceRecord | None, source: str, footage: str | None) -> bool:
    return (
        record is not None
        and record.side == source
        and record.footage in (None, footage)
        and (record.frame, record.track) == parse_crop_name(name)
        # its matrix can be inverted
        and abs(float(np.linalg.det(record.matrix[:, :2]))) > 1e-9
    )


def _face(record: FaceRecord, name: str) -> FaceRow:
    to_frame = invert(record.matrix)
    return FaceRow(
        record.frame,
        record.track,
        transform(to_frame, record.points),
        transform(to_frame, record.forehead),
        record.presence,
        record.pose,
        name,
    )


def _frames(stamps: dict[int, tuple[int, float]], shots: dict[int, int]) -> Iterator[FrameRow]:
    """Frame rows for frames with crops; the first known frame of a shot counts as the cut."""
    before = 0
    for frame in sorted(stamps):
        shot = shots[frame]
        yield FrameRow(frame, *stamps[frame], cut=shot > before)
        before = max(before, shot)
