"""Read a folder of pictures, or one picture, with the interface of ``VideoReader``."""

import re
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from faceswap.errors import InputError
from faceswap.io.orientation import UPRIGHT
from faceswap.io.pictures import picture_files, read_picture
from faceswap.types import UInt8Image
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.reader import Frame, VideoReader

RATE = Fraction(25)
"""Frames per second of numbered pictures, whose rate no file tells."""
_NUMBER = re.compile(r"(\d+)$")
_FEWEST = 12  # pictures that are taken for a film


class FootageReader(Protocol):
    """What ``VideoReader`` and ``PictureReader`` share; see there."""

    path: Path
    info: VideoInfo
    damage: str | None

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def frames(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Generator[Frame, None, None]:
        """The frames from ``start`` on; see ``VideoReader.frames``."""
        ...

    def close(self) -> None:
        """Close all files."""


def open_footage(path: Path) -> FootageReader:
    """Open a video, a folder of pictures or a picture; damaged parts are skipped.

    Raises InputError when it cannot be read.
    """
    from faceswap.io.file_types import PICTURE_SUFFIXES

    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return PictureReader(path)
    return VideoReader(path, tolerate_damage=True)


class PictureReader:
    """Reads pictures of any sizes in the order of their numbers, or else of their names.

    Other files of the folder are ignored. ``info.still`` tells whether they are single
    photographs: not numbered without gaps, or few. Their time is then 0. Pictures that cannot be
    read are skipped; ``damage`` tells which. Raises InputError when none can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = sorted(picture_files(path), key=_order) if path.is_dir() else [path]
        if not path.exists():
            raise InputError(f"{path} is missing; check the name.")
        if not self.files:
            raise InputError(f"{path} holds no pictures; give a folder that does, or a video.")
        self.damage: str | None = None
        self._film = is_film(self.files)
        first = next((image for file in self.files if (image := _read(file)) is not None), None)
        if first is None:
            raise InputError(f"{path} cannot be read as a picture; choose another file.")
        self.info = _info(path, first, len(self.files), self._film)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: each file is closed when it is read."""

    def frames(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Generator[Frame, None, None]:
        """Pictures ``start``, ``start + step``, … before ``stop``; the index counts files."""
        for index in range(start, len(self.files) if stop is None else stop, step):
            if index >= len(self.files):
                return
            image = _read(self.files[index])
            if image is None:
                self.damage = self.damage or f"{self.files[index]} cannot be read; it is left out."
                continue
            yield Frame(index, index, 1, float(index / RATE) if self._film else 0.0, image)


def is_film(files: list[Path]) -> bool:
    """Whether picture files are the frames of a film: numbered without gaps, under one name."""
    found = [_NUMBER.search(file.stem) for file in files]
    if len(files) < _FEWEST or not all(found):
        return False
    numbers = [int(match[1]) for match in found if match]
    names = {file.stem[: match.start()] for file, match in zip(files, found, strict=True) if match}
    return len(names) == 1 and numbers[-1] - numbers[0] == len(files) - 1


def _order(file: Path) -> tuple[str, int, str]:
    match = _NUMBER.search(file.stem)
    if match is None:
        return file.stem, -1, file.name
    return file.stem[: match.start()], int(match[1]), file.name


def _read(file: Path) -> UInt8Image | None:
    image = read_picture(file)
    if image is None or image.ndim == 3:
        return image
    return np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2))


def _info(path: Path, first: UInt8Image, count: int, film: bool) -> VideoInfo:
    return VideoInfo(
        path=path.absolute(),
        width=first.shape[1],
        height=first.shape[0],
        turn=UPRIGHT,
        time_base=1 / RATE,
        rate=RATE,
        start=0,
        duration=float(count / RATE) if film else 0.0,
        frames=count,
        codec="pictures",
        pixel_format="rgb24",
        colour=Colour(),
        sample_aspect=Fraction(1),
        still=not film,
        audio=(),
        metadata={},
    )
