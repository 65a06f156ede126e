"""Decide how an output is made, and find what it would lose, before any work begins."""

from dataclasses import dataclass, replace
from pathlib import Path

import av.error

from faceswap.errors import InputError, OutputError
from faceswap.video.containers import CONTAINERS, Container
from faceswap.video.encoders import SOFTWARE, Encoder, best_format, working_hardware
from faceswap.video.encoding import Encoding
from faceswap.video.info import VideoInfo
from faceswap.video.pixel_formats import PixelFormat, planar_format
from faceswap.video.pyav import open_input
from faceswap.video.span import WHOLE, Span
from faceswap.video.track_plan import TrackPlan, plan_others, plan_sound


@dataclass(frozen=True)
class OutputPlan:
    """How an output is made.

    info: of the pictures that are encoded. size: of the encoded pictures, which have one more row
    or column where the codec needs even sizes. tracks: the other streams. notices: what a person
    should know of it. deinterlaced: whether the pictures must be made progressive.
    """

    path: Path
    info: VideoInfo
    encoding: Encoding
    container: Container
    encoder: Encoder
    pixel_format: str
    size: tuple[int, int]
    tracks: tuple[TrackPlan, ...]
    notices: tuple[str, ...]
    span: Span = WHOLE
    deinterlaced: bool = False

    @property
    def options(self) -> dict[str, str]:
        """libav's options of the encoder."""
        return self.encoder.options(self.encoding, self.info)

    def with_crf(self, crf: float) -> "OutputPlan":
        """The same with another quality."""
        return replace(self, encoding=replace(self.encoding, crf=crf))


def plan_output(path: Path, info: VideoInfo, encoding: Encoding, span: Span = WHOLE) -> OutputPlan:
    """The plan for a video at ``path`` of pictures with ``info`` and the streams of its file.

    Raises OutputError where the suffix, codec or pixel format do not fit together, InputError when
    the footage cannot be read.
    """
    container = _container(path)
    interlaced = bool(info.fields)
    notices: list[str] = []
    info, told = _progressive_or_not(container, info, encoding)
    notices += told
    codec, told = _codec(container, info, encoding)
    notices += told
    encoder, told = _encoder(codec, encoding, info)
    notices += told
    if info.fields and not encoder.interlaced:
        info = replace(info, fields="")
    pixel_format = _pixel_format(encoder, info, encoding)
    size = _even_size(encoder, pixel_format, info.stored)
    if size != info.stored:
        notices.append(
            f"{info.path.name} has an odd size, {info.stored[0]} × {info.stored[1]}; its last row "
            f"or column is repeated ({size[0]} × {size[1]}), so that it plays everywhere."
        )
    if info.sample_aspect != 1 and codec in ("vp9", "ffv1"):
        notices.append(
            f"The pixels of {info.path.name} are not square, which {codec} in {container.suffix} "
            "cannot say; players show them as square. .mp4 and .mov keep their shape."
        )
    tracks, told = _tracks(container, info, encoding, editing=codec in ("prores", "ffv1"))
    notices += told
    if len(info.clock) > 1:
        notices.append(
            f"{info.path.name} has recordings joined, or a clock that jumps, {len(info.clock) - 1} "
            "times; the times go on without a gap."
        )
    return OutputPlan(
        path=path,
        info=info,
        encoding=encoding,
        container=container,
        encoder=encoder,
        pixel_format=pixel_format,
        size=size,
        tracks=tracks,
        notices=tuple(notices),
        span=span,
        deinterlaced=interlaced and not info.fields,
    )


def _container(path: Path) -> Container:
    try:
        return CONTAINERS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(CONTAINERS)
        raise OutputError(
            f"{path.name} does not have the suffix of a video; use one of {known}."
        ) from None


def _progressive_or_not(
    container: Container, info: VideoInfo, encoding: Encoding
) -> tuple[VideoInfo, list[str]]:
    if not info.fields:
        return info, []
    if encoding.deinterlace:
        return replace(info, fields=""), [f"{info.path.name} is interlaced and is deinterlaced."]
    codec, _ = _codec(container, info, encoding)
    if SOFTWARE[codec].interlaced and not encoding.hardware:
        told = "stays so; --deinterlace makes it progressive."
        return info, [f"{info.path.name} is interlaced and {told}"]
    # The fields stay: only the writer's info tells that the pictures it gets are progressive.
    return info, [f"{info.path.name} is interlaced, which {codec} is not; it is deinterlaced."]


def _codec(container: Container, info: VideoInfo, encoding: Encoding) -> tuple[str, list[str]]:
    if encoding.codec != "auto":
        if encoding.codec not in container.codecs:
            fitting = ", ".join(s for s, c in CONTAINERS.items() if encoding.codec in c.codecs)
            raise OutputError(
                f"{container.suffix} files are not made with {encoding.codec}; use one of {fitting}"
                " or another codec."
            )
        return encoding.codec, []
    footage = PixelFormat.named(planar_format(info.pixel_format))
    transparent = footage.alpha and info.codec != "gif"
    for codec in ("ffv1", "prores"):
        if codec in container.codecs and (info.codec == codec or (transparent and not info.still)):
            return codec, []
    told = []
    if transparent:
        told.append(
            f"The transparency of {info.path.name} is left out; .mov (ProRes) and .mkv (FFV1) "
            "keep it."
        )
    default = container.codecs[0]
    if default == "h264" and not footage.rgb and footage.bits > 8:
        return "h265", told
    if default == "vp9" and footage.bits > 8:
        return "av1", told
    return default, told


def _encoder(codec: str, encoding: Encoding, info: VideoInfo) -> tuple[Encoder, list[str]]:
    if encoding.hardware and codec in ("h264", "h265", "av1"):
        found = working_hardware(codec, encoding, info)
        if found is not None:
            return found, []
        return SOFTWARE[codec], [
            f"No graphics card here encodes {codec} of {info.stored[0]} × {info.stored[1]}; "
            "the processor does."
        ]
    return SOFTWARE[codec], []


def _pixel_format(encoder: Encoder, info: VideoInfo, encoding: Encoding) -> str:
    if encoding.pixel_format != "auto":
        if encoding.pixel_format not in encoder.formats:
            known = ", ".join(encoder.formats)
            raise OutputError(
                f"{encoder.codec} has no pixel format {encoding.pixel_format}; use one of {known}."
            )
        return encoding.pixel_format
    return best_format(encoder.formats, PixelFormat.named(planar_format(info.pixel_format)))


def _even_size(encoder: Encoder, pixel_format: str, size: tuple[int, int]) -> tuple[int, int]:
    if not encoder.even:
        return size
    across, down = (2, 2) if pixel_format == "p010le" else PixelFormat.named(pixel_format).chroma
    return size[0] + size[0] % across, size[1] + size[1] % down


def _tracks(
    container: Container, info: VideoInfo, encoding: Encoding, *, editing: bool
) -> tuple[tuple[TrackPlan, ...], list[str]]:
    if not info.audio and not info.tracks:
        return (), []
    try:
        with open_input(info.path) as source:
            plans, notices = plan_sound(container, source, info, encoding.audio, editing)
            others, told = plan_others(container, source, info)
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"The sound of {info.path.name} cannot be read.") from error
    return (*plans, *others), [*notices, *told]
