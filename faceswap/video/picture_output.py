"""Write converted footage as numbered pictures, one picture, or an animated GIF or WebP."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from faceswap.errors import OutputError
from faceswap.io.atomic import atomic_file, make_folder, write_atomically
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
    """Writes stored pictures, with patches, as files of the suffix of ``path``.

    Pictures of more than 8 bits keep them in PNG, TIFF and EXR (which is linear light, white at 1);
    in other formats HDR is tone-mapped. Sound and other streams are left out, which ``notices``
    says.

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
        self.path, self.damage = path, None
        self._info, self._made = info, label.made
        suffix = path.suffix.lower()
        planar = PixelFormat.named(planar_format(info.pixel_format))
        self._deep = suffix == ".exr" or (suffix in _DEEP and (deep or planar.bits > 8))
        self._blend = PatchBlender(info)
        self._to_rgb, self._to_rgb16 = YuvToRgb(info), YuvToRgb16(info)
        self._animated = suffix in ANIMATIONS and not info.still
        self._images: list[Image.Image] = []
        self._stamps: list[int] = []
        self._end = 0
        self._written = 0
        lost = [f"{len(info.audio)} sound track(s)"] if info.audio else []
        lost += [track.text() for track in info.tracks]
        self.notices = (f"Pictures hold no other streams; left out: {', '.join(lost)}.",) * bool(
            lost
        )
        if suffix in SEQUENCES and not info.still:
            make_folder(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Write, or add to the animation, a stored picture with ``patches`` blended in.

        The picture may be changed. Raises OutputError when it cannot be written.
        """
        picture = self._blend(footage.picture, list(patches))
        if self._animated:
            self._images.append(Image.fromarray(self._to_rgb(picture)))
            self._stamps.append(footage.pts)
            self._end = footage.pts + footage.duration
            return
        path = self.path if self._info.still else numbered(self.path, self._written)
        self._written += 1
        if not self._deep:
            self._save(path, self._to_rgb(picture))
            return
        codes = self._to_rgb16(picture)
        if path.suffix.lower() == ".exr":
            data = encode_exr(to_linear(codes, self._info.colour), self._made)
        elif path.suffix.lower() == ".png":
            data = encode_png(codes, self._made)
        else:
            data = encode_tiff(codes, self._made)
        write_atomically(path, data)

    def _save(self, path: Path, image: UInt8Image) -> None:
        quality: dict[str, Any] = (
            {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}
        )
        try:
            save_picture(image, path, self._made, **quality)
        except OSError as error:
            raise output_error(path, error) from error

    def finish(self) -> Path:
        """Write the animation; returns the path. Raises OutputError when nothing was added."""
        if self._animated and self._images:
            first, *others = self._images
            with atomic_file(self.path) as part:
                first.save(
                    part,
                    save_all=True,
                    append_images=others,
                    duration=self._durations(),
                    loop=0,
                    **_animation(self.path, self._made),
                )
            self._images = []
            self._written = len(self._stamps)
        if not self._written:
            raise OutputError(f"{self.path.name} would have no frames, so it was not written.")
        return self.path

    def _durations(self) -> list[int]:
        """Milliseconds of each frame; GIF rounds to hundredths of a second."""
        base = self._info.time_base * 1000
        typical = math.ceil(1 / (self._info.rate * self._info.time_base))
        end = max(self._end, self._stamps[-1] + typical)
        ticks = np.diff([*self._stamps, end])
        return [max(10, round(int(tick) * base)) for tick in ticks]


def _animation(path: Path, made: Provenance) -> dict[str, Any]:
    if path.suffix.lower() == ".gif":
        return {"format": "GIF", "comment": f"{made.text} {made.code}".strip().encode()}
    return {"format": "WEBP", "quality": 90, "method": 2, **animation_options(made)}
