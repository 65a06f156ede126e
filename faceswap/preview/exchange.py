"""The exchange folder: pictures, tables and long answers, from the server to its client."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import OutputError
from faceswap.preview.protocol import AnswerLine, AnyAnswer, PictureFile, PictureSize
from faceswap.types import UInt8Image

LONGEST_LINE = 1 << 16
"""Characters of an answer that is sent in its line; a longer one is sent in a file."""


class ExchangeFolder:
    """Writes what is too large for a line of JSON into a folder; the client deletes what it read.

    A folder that is missing is created, for this user only, and removed at the end; so is every
    file that the client has left. Files are named after the process and the request, so that
    several servers may share a folder. Writing raises OutputError, also where the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._prefix, self._request = folder, f"{os.getpid()}-", 0
        self._is_own = not folder.exists()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot create {folder}: {error.strerror or error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._remove(f"{self._prefix}*")
        if self._is_own:
            with suppress(OSError):
                self._folder.rmdir()

    @contextmanager
    def request(self, number: int) -> Iterator[None]:
        """Answer request ``number`` within this block; if it fails, its files are removed."""
        self._request = number
        try:
            yield
        except BaseException:
            self._remove(f"{self._prefix}{number}.*")
            raise

    def line(self, answer: AnyAnswer) -> AnswerLine:
        """The line of ``answer``, which goes into a file if it is long."""
        line = AnswerLine(id=self._request, answer=answer)
        if len(line.model_dump_json()) <= LONGEST_LINE:
            return line
        file = self._write("json", answer.model_dump_json().encode())
        return AnswerLine(id=self._request, file=file)

    def picture(self, image: UInt8Image, fit: PictureSize | None) -> PictureFile:
        """Write ``image``, uint8 RGB (H, W, 3), scaled down to fit, as PPM."""
        shown = np.ascontiguousarray(image if fit is None else _scaled_down(image, fit))
        height, width = shown.shape[:2]
        path = self._write("ppm", f"P6 {width} {height} 255\n".encode(), shown.data)
        return PictureFile(path=path, width=width, height=height)

    def names(self, names: Sequence[str]) -> Path:
        """Write file names as text, one a line."""
        return self._write("names.txt", os.fsencode("\n".join(names)))

    def values(self, values: NDArray[np.float32]) -> Path:
        """Write an array as a NumPy .npy file."""
        path = self._path("values.npy")
        with _output_errors(path):
            np.save(path, values, allow_pickle=False)
        return path

    def _path(self, ending: str) -> Path:
        return self._folder / f"{self._prefix}{self._request}.{ending}"

    def _write(self, ending: str, *parts: bytes | memoryview) -> Path:
        path = self._path(ending)
        with _output_errors(path), open(path, "wb") as file:
            for part in parts:
                file.write(part)
        return path

    def _remove(self, pattern: str) -> None:
        for path in self._folder.glob(pattern):
            with suppress(OSError):
                path.unlink()


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"Cannot write the answer to {path.parent}: {error.strerror or error}."
        ) from error


def _scaled_down(image: UInt8Image, fit: PictureSize) -> UInt8Image:
    import cv2

    height, width = image.shape[:2]
    scale = min(1.0, fit.width / width, fit.height / height)
    if scale == 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
