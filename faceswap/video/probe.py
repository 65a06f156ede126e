"""Open a video and find out its properties."""

import contextlib
import struct
import warnings
from collections.abc import Generator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import cast

import av.error
from av.buffer import Buffer
from av.codec.context import ThreadType
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream
from PIL import Image

from faceswap.errors import InputError
from faceswap.io.orientation import (
    UPRIGHT,
    Orientation,
    display_matrix_orientation,
    exif_orientation,
)
from faceswap.video.clock import clock_offsets
from faceswap.video.info import (
    AudioInfo,
    Colour,
    Fields,
    HdrMetadata,
    TrackInfo,
    VideoInfo,
    display_size,
)
from faceswap.video.pyav import fraction, open_input, printable, printable_metadata

_TIME_BASE = Fraction(1, 90000)
"""Default where a stream has none: the 90 kHz clock of MPEG, the finest in common use."""

_QUARTERS = {1: (True, False, True), 2: (False, True, True), 3: (True, True, False)}
"""Orientation that undoes a rotation by n × 90° counter-clockwise."""

_PLAUSIBLE_RATE = 120
"""Frames per second up to which a file is believed; beyond, its packets are asked."""
_MEASURED_PACKETS = 100

_FIELD_ORDERS: dict[int, Fields] = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
"""From libav's AVFieldOrder."""


@contextlib.contextmanager
def opened(path: Path) -> Generator[tuple[InputContainer, VideoStream], None, None]:
    """Context: the file at ``path`` opened for reading, and its video stream.

    Raises InputError when it is missing, empty, a folder, not a video, or has no video stream.
    """
    path = path.absolute()
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video; give the file inside it.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty; copy or download it again.")
        with _open(path) as container:
            # FFmpeg's tty demuxer would render a text file as terminal output.
            if container.format.name == "tty":
                raise InputError(f"{path.name} is not a video; give a file such as an mp4 or mov.")
            yield container, _video_stream(container, path)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}; check the name and the folder.") from error
    except PermissionError as error:
        raise InputError(f"No permission to read {path}; check its permissions.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path.name} cannot be read as a video ({_reason(error)}); "
            "if it plays elsewhere, convert it to mp4 first, otherwise copy it again."
        ) from error


def _open(path: Path) -> InputContainer:
    # FFmpeg takes a percent sign in a picture's name for a numbered sequence.
    if "%" in path.name and path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".webp"):
        return open_input(path, format="image2", options={"pattern_type": "none"})
    return open_input(path)


_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & _PICTURES]
    if not streams:
        what = "only sound" if container.streams.audio else "no video"
        raise InputError(f"{path.name} has {what}; give a file with a video stream.")
    stream = max(streams, key=_importance)
    stream.thread_type = ThreadType.AUTO
    return stream


def _importance(stream: VideoStream) -> tuple[bool, bool, int, int]:
    """Order of video streams: one that moves, the default one, that of most frames, the largest."""
    context = stream.codec_context
    if context is None:  # a codec that libav does not know
        return False, False, 0, 0
    frames = stream.frames or int(_tagged_frames(stream))
    default = bool(stream.disposition & Disposition.default)
    return frames != 1, default, frames, context.width * context.height


def _tagged_frames(stream: VideoStream) -> str:
    """The number of frames that Matroska's statistics tags give; "0" where there are none."""
    tags = [v for k, v in stream.metadata.items() if k.startswith("NUMBER_OF_FRAMES")]
    return next((value for value in tags if value.isdigit()), "0")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")


def probe(path: Path) -> VideoInfo:
    """Open ``path``, decode its first frame and return its properties.

    Raises InputError when it is not a video that can be decoded.
    """
    with opened(path) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise InputError(f"{path.name} has no frames; copy or download it again.")
        still = container.format.name.endswith("_pipe") or container.format.name == "image2"
        turn = _turn(first, path if still else None)
        stored = first.width, first.height
        aspect = fraction(stream.sample_aspect_ratio) or Fraction(1)
        if still or aspect <= 0 or container.format.name == "gif":
            aspect = Fraction(1)  # pictures say a print resolution there
        width, height = display_size(stored, aspect)
        if turn[0]:
            width, height = height, width
        duration = _duration(container, stream)
        rate = _rate(path, stream)
        base = fraction(stream.time_base) or _TIME_BASE
        clock = _clock(path, rate)
        return VideoInfo(
            path=path.absolute(),
            width=width,
            height=height,
            turn=turn,
            time_base=base,
            rate=rate,
            start=(stream.start_time or 0) + (round(clock[0] / base) if clock else 0),
            duration=duration,
            frames=1 if still else stream.frames or round(duration * rate),
            codec=stream.codec_context.name,
            pixel_format=first.format.name,
            colour=_colour(first),
            sample_aspect=aspect,
            still=still,
            audio=_audio(container),
            metadata=printable_metadata(container.metadata),
            stored=stored,
            fields=_fields(stream, first),
            hdr=_hdr_metadata(first),
            clock=clock,
            tracks=_tracks(container, stream),
            chapters=len(container.chapters()),
            bit_rate=_bit_rate(container, stream, duration),
        )


def _rate(path: Path, stream: VideoStream) -> Fraction:
    """Frames per second; measured where the file says too many or nothing."""
    rate = fraction(stream.average_rate) or fraction(stream.guessed_rate)
    if rate is not None and 0 < rate <= _PLAUSIBLE_RATE:
        return rate
    with opened(path) as (container, again):
        stamps: list[int] = []
        try:
            for packet in container.demux(again):
                if packet.pts is not None and packet.size:
                    stamps.append(packet.pts)
                if len(stamps) == _MEASURED_PACKETS:
                    break
        except av.error.FFmpegError:
            pass  # what was read until then is enough
        base = fraction(again.time_base) or _TIME_BASE
    ticks = max(stamps) - min(stamps) if stamps else 0
    if not ticks:
        return rate or Fraction(25)
    return ((len(stamps) - 1) / (ticks * base)).limit_denominator(1001)


def _clock(path: Path, rate: Fraction) -> tuple[Fraction, ...]:
    with opened(path) as (container, stream):
        try:
            return clock_offsets(container, stream, rate)
        except av.error.FFmpegError:
            return ()  # damaged: reading tells


def _bit_rate(container: InputContainer, stream: VideoStream, duration: float) -> int:
    """Bits per second of the pictures: the stream's, or else the file's without its sound."""
    known = stream.codec_context.bit_rate
    if known:
        return int(known)
    if duration <= 0 or not container.size:  # None for one picture
        return 0
    rates = [s.codec_context.bit_rate for s in container.streams.audio if s.codec_context]
    sound = sum(rate or 0 for rate in rates)
    return max(0, round(container.size * 8 / duration - sound))


def _fields(stream: VideoStream, first: VideoFrame) -> Fields:
    if not first.interlaced_frame:
        return ""
    return _FIELD_ORDERS.get(int(stream.codec_context.field_order), "tff")


def _hdr_metadata(frame: VideoFrame) -> HdrMetadata:
    data = _side_data(frame)
    mastering = data.get(SideDataType.MASTERING_DISPLAY_METADATA)
    light = data.get(SideDataType.CONTENT_LIGHT_LEVEL)
    return HdrMetadata(
        b"" if mastering is None else bytes(mastering), b"" if light is None else bytes(light)
    )


def _tracks(container: InputContainer, footage: VideoStream) -> tuple[TrackInfo, ...]:
    """All streams but the footage and the sound."""
    return tuple(
        TrackInfo(stream.index, stream.type, _codec_name(stream), printable(_title(stream)))
        for stream in container.streams
        if stream.index != footage.index and stream.type not in ("audio", "unknown")
    )


def _title(stream: Stream) -> str:
    return stream.metadata.get("title") or stream.metadata.get("filename") or stream.language or ""


def _codec_name(stream: Stream) -> str:
    return stream.codec_context.name if stream.codec_context else ""


def stream_duration(stream: VideoStream) -> float | None:
    """Duration of the stream in seconds; from a tag in Matroska, None where unknown."""
    base = fraction(stream.time_base)
    if stream.duration is not None and base is not None:
        return float(stream.duration * base)
    hours, colon, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds) if colon else None
    except ValueError:
        return None


def _duration(container: InputContainer, stream: VideoStream) -> float:
    known = stream_duration(stream)
    if known is not None:
        return known
    if container.duration is not None:
        return container.duration / 1_000_000  # libav: microseconds
    return 0.0


def _audio(container: InputContainer) -> tuple[AudioInfo, ...]:
    return tuple(
        AudioInfo(
            index=stream.index,
            codec=stream.codec_context.name if stream.codec_context else "unknown",
            rate=stream.codec_context.sample_rate if stream.codec_context else 0,
            channels=stream.codec_context.channels if stream.codec_context else 0,
            language=printable(stream.language) if stream.language else None,
            start=stream.start_time or 0,
            time_base=fraction(stream.time_base) or _TIME_BASE,
        )
        for stream in container.streams.audio
    )


def _colour(frame: VideoFrame) -> Colour:
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return Colour(frame.colorspace, frame.color_primaries, frame.color_trc, full)


def _turn(frame: VideoFrame, picture: Path | None) -> Orientation:
    """Orientation that makes a frame upright; ``picture``: path of a still picture, or None."""
    turn = None if picture is None else _exif_turn(picture)
    if turn is not None:
        return turn
    matrix = _side_data(frame).get(SideDataType.DISPLAYMATRIX)
    if matrix is None:
        # Also where the side data can't be read: the angle lacks only mirroring.
        return _QUARTERS.get(round(frame.rotation / 90) % 4, UPRIGHT)
    return display_matrix_orientation(bytes(matrix))


def _side_data(frame: VideoFrame) -> Mapping[SideDataType, Buffer]:
    """A frame's side data; empty where it has kinds that PyAV does not know.

    PyAV 18 converts all side data at once, and fails on newer kinds (EXIF, stereo views).
    """
    try:
        return cast("Mapping[SideDataType, Buffer]", frame.side_data)
    except ValueError:
        return {}


def _exif_turn(path: Path) -> Orientation | None:
    """Orientation from a picture's EXIF; None where Pillow, unlike libav, can't read the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about large pictures
        try:
            with Image.open(path) as picture:
                return exif_orientation(picture)
        except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
            return None
