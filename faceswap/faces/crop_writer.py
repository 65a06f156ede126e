"""Write face crops in background threads while extraction goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.crops import crop_face, crop_name, native_crop_size, read_record, write_crop
from faceswap.faces.face import Face
from faceswap.faces.index_schema import FaceRow, FrameRow
from faceswap.faces.manual_exclusion import EXCLUDED

_QUEUE_SIZE = 8
"""Crops that may be pending, each holding its frame: 200 MB at 3840 × 2160."""


@dataclass(frozen=True)
class CropSettings:
    """How the crops of a side are made.

    folder: output folder. size: largest side of a crop in pixels. every: only every n-th frame
    gets crops. footage: its fingerprint. written: all crops before this frame were written once,
    so one that is missing was deleted by hand and is not written again. sure: ``every`` is known
    to have been the same for those.
    """

    folder: Path
    side: str
    size: int
    every: int
    footage: str | None
    written: int = 0
    sure: bool = True


class CropWriter:
    """Crop faces and write them; existing crops, excluded ones included, are kept."""

    def __init__(self, cropping: CropSettings, shot: int = 0) -> None:
        """shot: first frame of the shot that the next frame belongs to."""
        self._settings, self._shot = cropping, shot
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="crops")
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def write(self, image: NDArray[np.uint8], row: FrameRow, face: Face) -> FaceRow:
        """Queue a face's crop if its frame gets crops; returns the face's index row.

        image: the frame, uint8 (H, W, 3). Blocks while the queue is full.
        """
        settings = self._settings
        if row.cut:
            self._shot = row.frame
        name = crop_name(row.frame, face.track) if row.frame % settings.every == 0 else None
        if name and row.frame >= settings.written:
            while len(self._pending) >= _QUEUE_SIZE:  # each holds its frame
                self._pending.pop(0).result()
            self._pending.append(
                self._pool.submit(self._cut, settings.folder / name, image, row, face, self._shot)
            )
        elif name and not settings.sure and not _exists(settings.folder / name):
            name = None
        return FaceRow(
            row.frame, face.track, face.points, face.forehead, face.presence, face.pose, name
        )

    def wait(self) -> None:
        """Wait until all queued crops are on disk; re-raises their errors."""
        for pending in self._pending:
            pending.result()
        self._pending.clear()

    def _cut(
        self, path: Path, picture: NDArray[np.uint8], row: FrameRow, face: Face, shot: int
    ) -> None:
        settings = self._settings
        if _exists(path):
            return
        size = native_crop_size(face.points, settings.size)
        image, record = crop_face(
            picture, face, size, side=settings.side, frame=row.frame, time=row.time
        )
        write_crop(path, image, replace(record, pts=row.pts, shot=shot, footage=settings.footage))


def _exists(path: Path) -> bool:
    """Whether a readable crop of this name exists, in training or excluded."""
    places = (path, path.parent / EXCLUDED / path.name)
    return any(place.is_file() and read_record(place) is not None for place in places)
