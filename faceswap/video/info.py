"""Open and probe a video: size, orientation, timing, colour, audio streams, metadata."""

import contextlib
import struct
import warnings
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av.error
from av.buffer import Buffer
from av.codec.context import ThreadType
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from faceswap.errors import InputError
from faceswap.io.orientation import (
    UPRIGHT,
    Orientation,
    display_matrix_orientation,
    exif_orientation,
)
from faceswap.video.pyav import fraction, open_input, printable, printable_metadata

UNSPECIFIED = 2
"""H.273 code for an unspecified matrix, primaries or transfer."""

_TIME_BASE = Fraction(1, 90000)
"""Default where a stream has none: the 90 kHz clock of MPEG, the finest in common use."""

_HDR_TRANSFERS = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}

_QUARTERS = {1: (True, False, True), 2: (False, True, True), 3: (True, True, False)}
"""Orientation that undoes a rotation by n × 90° counter-clockwise."""


@dataclass(frozen=True)
class Colour:
    """Colour tags of a YUV stream (ITU-T H.273 codes), 2 = unspecified.

    full_range: luma in 0 to 255 rather than 16 to 235.
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False

    @property
    def hdr(self) -> bool:
        """Whether the transfer is PQ or HLG; the reader converts such frames to BT.709."""
        return self.transfer in _HDR_TRANSFERS

    @property
    def range(self) -> ColorRange:
        """The range as PyAV's ColorRange."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG

    def conversion(self, width: int, height: int) -> Colorspace:
        """Matrix for the conversion; untagged HD streams are taken as BT.709, as players do."""
        guess = Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601
        return _MATRICES.get(self.matrix, guess)

    def standard(self) -> "Colour":
        """Colour tags to write the frames with: as here, but BT.709 for HDR."""
        if self.hdr:
            return Colour(1, ColorPrimaries.BT709, ColorTrc.BT709)
        return self


@dataclass(frozen=True)
class AudioInfo:
    """One audio stream: stream index, codec, sample rate in Hz, channels, language.

    start: first timestamp in ticks of time_base seconds; 0 where unknown.
    """

    index: int
    codec: str
    rate: int
    channels: int
    language: str | None
    start: int
    time_base: Fraction


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video file.

    width, height: of the upright frames in pixels, display matrix applied.
    turn: orientation that makes frames upright: transpose, flip x, flip y, in this order.
    time_base: seconds per tick of the presentation timestamps.
    rate: mean frames per second.
    start: first timestamp in ticks; 0 where unknown.
    duration: seconds; 0 where unknown.
    frames: estimated number of frames; 0 where unknown.
    still: a picture rather than a video.
    """

    path: Path
    width: int
    height: int
    turn: Orientation
    time_base: Fraction
    rate: Fraction
    start: int
    duration: float
    frames: int
    codec: str
    pixel_format: str
    colour: Colour
    sample_aspect: Fraction
    still: bool
    audio: tuple[AudioInfo, ...]
    metadata: Mapping[str, str]


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


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            stream.thread_type = ThreadType.AUTO
            return stream
    what = "only sound" if container.streams.audio else "no video"
    raise InputError(f"{path.name} has {what}; give a file with a video stream.")


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
        width, height = first.width, first.height
        aspect = fraction(stream.sample_aspect_ratio) or Fraction(1)
        if turn[0]:
            width, height, aspect = height, width, 1 / aspect
        duration = _duration(container, stream)
        rate = fraction(stream.average_rate) or fraction(stream.guessed_rate) or Fraction(25)
        return VideoInfo(
            path=path.absolute(),
            width=width,
            height=height,
            turn=turn,
            time_base=fraction(stream.time_base) or _TIME_BASE,
            rate=rate,
            start=stream.start_time or 0,
            duration=duration,
            frames=1 if still else stream.frames or round(duration * rate),
            codec=stream.codec_context.name,
            pixel_format=first.format.name,
            colour=_colour(first),
            sample_aspect=aspect if aspect > 0 else Fraction(1),
            still=still,
            audio=_audio(container),
            metadata=printable_metadata(container.metadata),
        )


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
    """Orientation that makes frames upright; ``picture``: path of a still picture, or None."""
    turn = None if picture is None else _exif_turn(picture)
    if turn is not None:
        return turn
    try:
        data = cast("Mapping[SideDataType, Buffer]", frame.side_data)
    except ValueError:
        # PyAV 18 converts all side data at once, and fails on newer kinds that it does not know
        # (EXIF, stereo views). It still has the angle, which lacks only mirroring.
        return _QUARTERS.get(round(frame.rotation / 90) % 4, UPRIGHT)
    matrix = data.get(SideDataType.DISPLAYMATRIX)
    return UPRIGHT if matrix is None else display_matrix_orientation(bytes(matrix))


def _exif_turn(path: Path) -> Orientation | None:
    """Orientation from a picture's EXIF; None where Pillow, unlike libav, can't read the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about large pictures
        try:
            with Image.open(path) as picture:
                return exif_orientation(picture)
        except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
            return None
