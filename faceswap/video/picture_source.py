"""Pictures as a video: a folder of numbered ones, or an animated WebP, which libav cannot read."""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from faceswap.errors import InputError
from faceswap.io.file_types import PICTURE_SUFFIXES
from faceswap.io.orientation import UPRIGHT
from faceswap.io.pictures import read_picture
from faceswap.types import UInt8Image
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.probe import opened, probe

_MILLISECONDS = Fraction(1, 1000)
_NUMBER = re.compile(r"(\d+)$")
_FEWEST = 12  # pictures that are taken for a film


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures in ``folder`` in the order of the numbers in their names."""

    def key(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.name)
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]

    found = [p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()]
    return sorted((p for p in found if not p.name.startswith(".")), key=key)


def is_picture_source(path: Path) -> bool:
    """Whether ``path`` is a folder, or an animated WebP."""
    if path.is_dir():
        return True
    if path.suffix.lower() != ".webp" or not path.is_file():
        return False
    try:
        with Image.open(path) as picture:
            return bool(getattr(picture, "is_animated", False))
    except (OSError, ValueError):
        return False


def is_film(files: list[Path]) -> bool:
    """Whether picture files are the frames of a film: numbered without gaps, under one name."""
    found = [match for file in files if (match := _NUMBER.search(file.stem))]
    if len(files) < _FEWEST or len(found) < len(files):
        return False
    numbers = [int(match[1]) for match in found]
    names = {match.string[: match.start()] for match in found}
    return len(names) == 1 and numbers[-1] - numbers[0] == len(files) - 1


def is_photographs(path: Path) -> bool:
    """Whether ``path`` is a picture, or a folder of pictures that are not a film's frames."""
    if path.is_dir():
        return not is_film(numbered_pictures(path))
    return path.suffix.lower() in PICTURE_SUFFIXES and not is_picture_source(path)


def photograph_files(path: Path) -> list[Path]:
    """The picture at ``path``, or those in the folder. Raises InputError when there is none."""
    if not path.exists():
        raise InputError(f"{path} is missing; check the name.")
    files = numbered_pictures(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path} holds no pictures; give a folder that does, or a video.")
    return files


def read_photograph(file: Path) -> UInt8Image | None:
    """A picture as RGB (H, W, 3), upright; None when it cannot be read."""
    image = read_picture(file)
    if image is None or image.ndim == 3:
        return image
    return np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2))


def _probe_photographs(path: Path, rate: Fraction) -> VideoInfo:
    """Properties of photographs; the size is the first one's."""
    files = photograph_files(path)
    first = next((image for file in files if (image := read_photograph(file)) is not None), None)
    if first is None:
        raise InputError(f"{path} cannot be read as a picture; choose another file.")
    return VideoInfo(
        path=path.absolute(),
        width=first.shape[1],
        height=first.shape[0],
        turn=UPRIGHT,
        time_base=1 / rate,
        rate=rate,
        start=0,
        duration=0.0,
        frames=len(files),
        codec="pictures",
        pixel_format="rgb24",
        colour=Colour(full_range=True),
        sample_aspect=Fraction(1),
        still=True,
        audio=(),
        metadata={},
        stored=(first.shape[1], first.shape[0]),
    )


def probe_pictures(path: Path, rate: Fraction, *, photographs: bool = False) -> VideoInfo:
    """Properties of a picture source; ``rate``: frames per second of a folder's pictures.

    photographs: they are single ones, not a film's. Raises InputError when there are none, or the
    first, or none of the photographs, can be read.
    """
    if photographs:
        return _probe_photographs(path, rate)
    if not path.is_dir():
        return _probe_webp(path)
    files = numbered_pictures(path)
    if not files:
        raise InputError(f"{path} has no pictures; give a folder of numbered pictures or a video.")
    first = probe(files[0])
    return replace(
        first,
        path=path.absolute(),
        time_base=1 / rate,
        rate=rate,
        start=0,
        duration=float(len(files) / rate),
        frames=len(files),
        still=False,
        bit_rate=round(sum(file.stat().st_size for file in files) * 8 * rate / len(files)),
    )


def _probe_webp(path: Path) -> VideoInfo:
    stamps = _webp_durations(path)
    with Image.open(path) as picture:
        size = picture.size
    seconds = sum(stamps) / 1000
    return VideoInfo(
        path=path.absolute(),
        width=size[0],
        height=size[1],
        turn=UPRIGHT,
        time_base=_MILLISECONDS,
        rate=Fraction(len(stamps) * 1000, max(1, sum(stamps))).limit_denominator(1001),
        start=0,
        duration=seconds,
        frames=len(stamps),
        codec="webp",
        pixel_format="gbrap",
        colour=Colour(full_range=True),
        sample_aspect=Fraction(1),
        still=False,
        audio=(),
        metadata={},
        stored=size,
        bit_rate=round(path.stat().st_size * 8 / seconds) if seconds else 0,
    )


def _webp_durations(path: Path) -> list[int]:
    """Milliseconds of each frame."""
    with Image.open(path) as picture:
        durations = []
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            picture.load()
            durations.append(max(1, int(picture.info.get("duration", 40))))
        return durations


def picture_stamps(path: Path) -> list[int]:
    """The pts of each picture, in ticks of the source's time base."""
    if path.is_dir():
        return list(range(len(numbered_pictures(path))))
    if not is_picture_source(path):
        return [0]
    return [0, *accumulate(_webp_durations(path))][:-1]


def decoded_pictures(path: Path, start: int) -> Iterator[VideoFrame]:
    """The pictures from number ``start`` on, as they are stored, with pts and duration.

    Raises InputError where one cannot be read.
    """
    if path.is_dir():
        for number, file in enumerate(numbered_pictures(path)[start:], start):
            with opened(file) as (container, stream):
                picture = next(container.decode(stream), None)
            if picture is None:
                raise InputError(f"{file.name} has no picture; replace or remove it.")
            picture.pts, picture.duration = number, 1
            yield picture
        return
    durations = _webp_durations(path)
    with Image.open(path) as animation:
        for number in range(start, len(durations)):
            animation.seek(number)
            made = VideoFrame.from_ndarray(np.asarray(animation.convert("RGBA")), format="rgba")
            made.pts, made.duration = sum(durations[:number]), durations[number]
            yield made
