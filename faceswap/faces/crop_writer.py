"""Cutting the faces of a clip out, in threads of its own, beside what else is done with it."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.crops import crop_face, crop_name, native_crop_size, read_record, write_crop
from faceswap.faces.exclusion import EXCLUDED
from faceswap.faces.face import Face
from faceswap.faces.index_schema import FaceRow, FrameRow

_AHEAD = 8
"""At most so many crops wait to be cut out, with a frame each: 200 MB at 3840 × 2160."""


@dataclass(frozen=True)
class CropSettings:
    """How the faces of a side are cut out.

    folder: where to. size: the largest side of a crop in pixels. every: crops are of every
    so-manieth frame. footage: its fingerprint. written: before this frame all crops were written
    once, so that one that is not there was deleted by hand and is not cut out again. sure:
    ``every`` is known to have held for those, too.
    """

    folder: Path
    side: str
    size: int
    every: int
    footage: str | None
    written: int = 0
    sure: bool = True


class CropWriter:
    """Cuts faces out and writes them; a crop that is there, be it excluded, stays as it is."""

    def __init__(self, cropping: CropSettings, shot: int = 0) -> None:
        """shot: the frame with which the shot began that the next frame is in."""
        self._cropping, self._shot = cropping, shot
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="crops")
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def write(self, image: NDArray[np.uint8], row: FrameRow, face: Face) -> FaceRow:
        """Begin to write a face's crop, if its frame's turn has come; its row of the index.

        image: the frame, uint8 (H, W, 3). Waits while too much was begun.
        """
        how = self._cropping
        if row.cut:
            self._shot = row.frame
        name = crop_name(row.frame, face.track) if row.frame % how.every == 0 else None
        if name and row.frame >= how.written:
            while len(self._pending) >= _AHEAD:  # each of which holds its frame
                self._pending.pop(0).result()
            self._pending.append(
                self._pool.submit(self._cut, how.folder / name, image, row, face, self._shot)
            )
        elif name and not how.sure and not _there(how.folder / name):
            name = None
        return FaceRow(
            row.frame, face.track, face.points, face.forehead, face.presence, face.pose, name
        )

    def wait(self) -> None:
        """Return when all that was begun is on disk; raises what went wrong there."""
        for pending in self._pending:
            pending.result()
        self._pending.clear()

    def _cut(
        self, path: Path, picture: NDArray[np.uint8], row: FrameRow, face: Face, shot: int
    ) -> None:
        how = self._cropping
        if _there(path):
            return
        size = native_crop_size(face.points, how.size)
        image, record = crop_face(
            picture, face, size, side=how.side, frame=row.frame, time=row.time
        )
        write_crop(path, image, replace(record, pts=row.pts, shot=shot, footage=how.footage))


def _there(path: Path) -> bool:
    """Whether there is a crop of this name that can be read, in training or excluded."""
    places = (path, path.parent / EXCLUDED / path.name)
    return any(place.is_file() and read_record(place) is not None for place in places)
