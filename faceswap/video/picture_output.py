"""Converted footage as numbered pictures, one picture, or an animated GIF or WebP."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from faceswap.background import ReportProgress, no_report
from faceswap.errors import OutputError
from faceswap.io.atomic import (
    atomic_file,
    fsync_file,
    fsync_folder,
    make_folder,
    write_atomically,
)
from faceswap.io.provenance import Provenance, animation_options, save_picture
from faceswap.types import UInt8Image
from faceswap.video.color import YuvToRgb, YuvToRgb16
from faceswap.video.encoding import OutputLabel
from faceswap.video.hdr import to_linear
from faceswap.video.info import VideoInfo
from faceswap.video.output_file import output_error
from faceswap.video.patch import Patch
from faceswap.video.picture_files import encode_exr, encode_png, encode_tiff
from faceswap.video.pixel_formats import PixelFormat, planar_format
from faceswap.video.planes import PatchBlender
from faceswap.video.reader import Footage
from faceswap.video.segments import Pictures, Segment

ANIMATIONS = (".gif", ".webp")
SEQUENCES = (".png", ".tif", ".tiff", ".exr", ".jpg", ".jpeg")
_DEEP = (".png", ".tif", ".tiff", ".exr")
_DEFAULT_LABEL = OutputLabel()


def is_picture_output(path: Path) -> bool:
    """Whether ``path`` has the suffix of a picture rather than a video."""
    return path.suffix.lower() in (*SEQUENCES, *ANIMATIONS)


def check_picture_output(path: Path, info: VideoInfo, *, overwrite: bool) -> None:
    """Check that pictures can be written, before long work.

    Raises OutputError where the name has no number for each picture of a sequence, or a file of
    that name exists.
    """
    sequence = path.suffix.lower() in SEQUENCES and not info.still
    if sequence and numbered(path, 0) == numbered(path, 1):
        raise OutputError(
            f"{path.name} is one name for many pictures; give one with a number, such as "
            f"{path.stem}_%06d{path.suffix}."
        )
    first = numbered(path, 0) if sequence else path
    if not sequence and not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}; create it first.")
    if first.exists():
        if not info.path.is_dir() and first.samefile(info.path):
            raise OutputError(f"{first} is the footage; give the output another name.")
        if not overwrite:
            raise OutputError(f"{first} exists already; use --overwrite or another name.")
    if sequence and info.path.is_dir() and path.parent.absolute() == info.path:
        raise OutputError(f"{path.parent} is the footage; write to another folder.")


def numbered(path: Path, number: int) -> Path:
    """``path`` with the number of a picture in place of %d or %06d.

    Raises OutputError where the name has another percent sign.
    """
    try:
        return path.with_name(path.name % number) if "%" in path.name else path
    except (TypeError, ValueError) as error:
        raise OutputError(
            f"{path.name} has a percent sign that is not %d or %06d; give another name."
        ) from error


class PictureOutput:
    """How stored pictures are written as files of the suffix of ``path``.

    Pictures of more than 8 bits keep them in PNG, TIFF and EXR (which is linear light, white at 1);
    in other formats HDR is tone-mapped. Sound and other streams are left out, which ``notices``
    says.

    deep: whether 16 bits are written. animated: whether ``path`` is one file with all of them.

    Raises OutputError as ``check_picture_output``.
    """

    def __init__(
        self,
        path: Path,
        info: VideoInfo,
        label: OutputLabel = _DEFAULT_LABEL,
        *,
        deep: bool = False,
        overwrite: bool = False,
    ) -> None:
        check_picture_output(path, info, overwrite=overwrite)
        self.path, self.info, self.made = path, info, label.made
        suffix = path.suffix.lower()
        planar = PixelFormat.named(planar_format(info.pixel_format))
        self.deep = suffix == ".exr" or (suffix in _DEEP and (deep or planar.bits > 8))
        self.animated = suffix in ANIMATIONS and not info.still
        lost = [f"{len(info.audio)} sound track(s)"] if info.audio else []
        lost += [track.text() for track in info.tracks]
        self.notices = (f"Pictures hold no other streams; left out: {', '.join(lost)}.",) * bool(
            lost
        )
        if suffix in SEQUENCES and not info.still:
            make_folder(path.parent)

    def file(self, number: int) -> Path:
        """The file of the picture with this number, from 0; not of an animation."""
        return self.path if self.info.still else numbered(self.path, number)


class PictureSegment:
    """Writes some of the pictures of ``output``, from ``number`` on.

    frames: the folder to put those of an animation into, until ``join_animation``; created.
    """

    def __init__(self, output: PictureOutput, number: int, frames: Path) -> None:
        self._output, self._number, self._frames = output, number, frames
        self._blend = PatchBlender(output.info)
        self._to_rgb, self._to_rgb16 = YuvToRgb(output.info), YuvToRgb16(output.info)
        self._stamps: list[int] = []
        self._end = 0
        self._written: list[Path] = []
        if output.animated:
            make_folder(frames)

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Write a stored picture with ``patches`` blended in.

        The picture may be changed. Raises OutputError when it cannot be written.
        """
        picture = self._blend(footage.picture, list(patches))
        place = len(self._stamps)
        self._stamps.append(footage.pts)
        self._end = footage.pts + footage.duration
        path = self._output.file(self._number + place)
        if self._output.animated:
            path = self._frames / f"{place:06d}.png"
        self._written.append(path)
        if not self._output.deep:
            self._save(path, self._to_rgb(picture))
            return
        codes, made = self._to_rgb16(picture), self._output.made
        if path.suffix.lower() == ".exr":
            data = encode_exr(to_linear(codes, self._output.info.colour), made)
        elif path.suffix.lower() == ".png":
            data = encode_png(codes, made)
        else:
            data = encode_tiff(codes, made)
        write_atomically(path, data)

    def _save(self, path: Path, image: UInt8Image) -> None:
        quality: dict[str, Any] = (
            {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}
        )
        try:
            save_picture(image, path, self._output.made, **quality)
        except OSError as error:
            raise output_error(path, error) from error

    def finish(self) -> Pictures:
        """Sync the pictures to disk. Raises OutputError."""
        try:
            for path in self._written:
                fsync_file(path)
            fsync_folder(self._written[-1].parent)
        except OSError as error:
            raise output_error(self._output.path, error) from error
        stamps = tuple(self._stamps) if self._output.animated else ()
        return Pictures(
            frames=len(self._stamps),
            last_pts=self._stamps[-1],
            end_pts=self._end,
            stamps=stamps,
        )

    def discard(self) -> None:
        """Do nothing: the same pictures are written again under the same names."""


def join_animation(
    output: PictureOutput,
    segments: Sequence[Segment],
    path_of: Callable[[Segment], Path],
    report: ReportProgress = no_report,
    *,
    before_rename: Callable[[Path], object] | None = None,
) -> None:
    """Make the animation of its segments' pictures; ``path_of``: their folder.

    report: progress in frames. before_rename: called with the complete file under its partial
    name. Raises OutputError.
    """
    stamps = [stamp for segment in segments for stamp in segment.pictures.stamps]

    def pictures() -> Iterator[Image.Image]:
        done = 0
        for segment in segments:
            for place in range(len(segment.pictures.stamps)):
                with Image.open(path_of(segment) / f"{place:06d}.png") as page:
                    yield page.convert("RGB")
                done += 1
                report(done, len(stamps))

    frames = pictures()
    with atomic_file(output.path) as part:
        next(frames).save(
            part,
            save_all=True,
            append_images=frames,
            duration=_durations(output.info, stamps, segments[-1].pictures.end_pts),
            loop=0,
            **_animation(output.path, output.made),
        )
        if before_rename is not None:
            fsync_file(part)
            before_rename(part)


def _durations(info: VideoInfo, stamps: Sequence[int], end: int) -> list[int]:
    """Milliseconds of each frame; GIF rounds to hundredths of a second."""
    base = info.time_base * 1000
    typical = math.ceil(1 / (info.rate * info.time_base))
    ticks = np.diff([*stamps, max(end, stamps[-1] + typical)])
    return [max(10, round(int(tick) * base)) for tick in ticks]


def _animation(path: Path, made: Provenance) -> dict[str, Any]:
    if path.suffix.lower() == ".gif":
        return {"format": "GIF", "comment": f"{made.text} {made.code}".strip().encode()}
    return {"format": "WEBP", "quality": 90, "method": 2, **animation_options(made)}
