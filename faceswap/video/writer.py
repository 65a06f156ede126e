"""Encode frames to a video that keeps timing, colours, sound and metadata of its source.

::

    with VideoReader(a) as video, VideoWriter(out, video.info) as writer:
        for frame in video.frames():
            writer.write(process(frame.image), frame.pts, frame.duration)
"""

import contextlib
import errno
import math
import os
import shutil
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from faceswap.background import uninterruptible
from faceswap.errors import OutputError
from faceswap.io.atomic import free_name, replace_file
from faceswap.types import UInt8Image
from faceswap.video.audio import AudioCopy
from faceswap.video.color import RgbToYuv
from faceswap.video.encoding import Encoding, OutputLabel
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.partial_output import create_locked, partial_path, remove_abandoned
from faceswap.video.provenance import with_provenance
from faceswap.video.pyav import fraction

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
_DEFAULT_ENCODING, _DEFAULT_LABEL = Encoding(), OutputLabel()

_SPACE_TO_BEGIN = 8 * 2**20  # bytes
_FULL = (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC, errno.EFBIG)
# Written by the muxer itself for every file.
_NOT_COPIED = ("encoder", "major_brand", "minor_version", "compatible_brands")


def check_output(path: Path | str, *, overwrite: bool = False, source: Path | None = None) -> Path:
    """Check that a video can be written to ``path``, before long work; returns it absolute.

    Raises OutputError when it exists (without ``overwrite``), is the ``source`` itself, has an
    unknown suffix, or its folder is missing, not writable or full.
    """
    path = Path(path).absolute()
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise OutputError(f"{path.name} does not have the suffix of a video; use one of {known}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file to write.")
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}; create it first.")
    if path.exists():
        if source is not None and path.samefile(source):
            raise OutputError(f"{path} is the video being read; give the output another name.")
        if not overwrite:
            raise OutputError(f"{path} exists already; use --overwrite or another name.")
    free = shutil.disk_usage(path.parent).free
    if free < _SPACE_TO_BEGIN:
        raise OutputError(
            f"The disk of {path.parent} is full ({free / 2**20:.1f} MB left); free some space."
        )
    trial = partial_path(path)
    try:
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise _output_error(path, error) from error
    return path


def expected_size(info: VideoInfo) -> int:
    """Estimated size of an output video in bytes, on the high side."""
    return round(info.width * info.height * max(info.frames, 1) * 0.03) + 2**20


class VideoWriter:
    """Writes H.264 with the size, timestamps, rate, colours, sound and metadata of ``template``.

    ``write`` takes upright frames of the size of ``template``; their timestamps, in ticks of its
    time base, are kept (Matroska rounds them to milliseconds, and shifts video and audio
    together where audio starts before zero). Audio packets are copied unchanged. The file gets
    its name only when ``finish`` has written and synced all of it; until then it has a hidden
    partial name beside it, which ``close`` removes. As a context manager it finishes on success
    and closes on an exception.

    Raises OutputError when the file cannot be written or the container cannot hold the sound.
    """

    def __init__(
        self,
        path: Path | str,
        template: VideoInfo,
        encoding: Encoding = _DEFAULT_ENCODING,
        label: OutputLabel = _DEFAULT_LABEL,
        *,
        overwrite: bool = False,
    ) -> None:
        self.path = check_output(path, overwrite=overwrite, source=template.path)
        self._like, self._overwrite = template, overwrite
        remove_abandoned(self.path)
        self._partial = partial_path(self.path)
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._done = False
        self._sound: AudioCopy | None = None
        try:
            self._held = create_locked(self._partial)
        except OSError as error:
            raise _output_error(self.path, error) from error
        entries = {k: v for k, v in template.metadata.items() if k.lower() not in _NOT_COPIED}
        entries |= label.metadata
        with self._errors():
            self._container = self._open(with_provenance(entries, label.made))
            try:
                self._stream = self._add_video(encoding)
                if encoding.audio and template.audio:
                    self._sound = AudioCopy(template.path, self._container)
            except BaseException:
                self.close()
                raise
        self._picture = RgbToYuv(self._stream.codec_context.pix_fmt or "", self._colour)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self.close()

    def write(self, image: UInt8Image, pts: int, duration: int = 0) -> None:
        """Add the frame uint8 RGB (H, W, 3), shown at ``pts`` for ``duration`` ticks (0: open).

        Raises ValueError when its size differs or ``pts`` does not increase, OutputError when
        the disk is full.
        """
        if image.shape != (self._like.height, self._like.width, 3):
            raise ValueError(f"frame {image.shape} in a video of {self._like}")
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"timestamp {pts} after {self._last_pts}; they must increase")
        self._last_pts = pts
        picture = self._picture(image)
        picture.pts = pts
        picture.time_base = self._like.time_base
        if duration:
            self._durations[pts] = duration
        with self._errors():
            self._mux(self._stream.encode(picture))

    def finish(self) -> Path:
        """Flush encoder and audio, sync to disk and rename; returns the path.

        Not interruptible. Raises OutputError when there is no space, or nothing was
        written.
        """
        with uninterruptible():
            return self._finish()

    def _finish(self) -> Path:
        if self._done:
            return self.path
        if self._last_pts is None:
            self.close()
            raise OutputError(f"{self.path.name} would have no frames, so it was not written.")
        with self._errors():
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.copy_until(None)
            self._container.close()
            with open(self._partial, "rb+") as file:
                os.fsync(file.fileno())
            if self.path.exists() and not self._overwrite:
                raise FileExistsError(errno.EEXIST, "exists already", str(self.path))
            self._rename()
        self._done = True
        self.close()
        return self.path

    def _rename(self) -> None:
        """Rename the finished video; use another name if its own is locked (Windows)."""
        try:
            replace_file(self._partial, self.path)
        except PermissionError as error:
            if not self.path.exists():
                raise
            kept = free_name(self.path)
            os.replace(self._partial, kept)
            self._done = True
            raise OutputError(
                f"{self.path.name} is open in another program and can't be replaced; the finished "
                f"video is {kept}."
            ) from error

    def close(self) -> None:
        """Close all files; removes an unfinished video. May be called twice."""
        if self._sound is not None:
            self._sound.close()
        # On a full disk, closing the container fails again as it writes its trailer.
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if hasattr(self, "_container"):  # opening it may have failed
                self._container.close()
        if self._held is not None:
            self._held.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _open(self, metadata: Mapping[str, str]) -> OutputContainer:
        options = {} if self.path.suffix.lower() == ".mkv" else _mov_options(self._like)
        container = av.open(str(self._partial), "w", container_options=options)
        container.metadata.update(metadata)
        return container

    def _add_video(self, encoding: Encoding) -> VideoStream:
        like = self._like
        # 4:2:0 needs even sizes: use 4:4:4 for odd ones.
        odd = like.width % 2 or like.height % 2
        # Fidelity rather than perceived quality: 1.5 dB more than x264's default tuning.
        options = {"crf": str(encoding.crf), "preset": encoding.preset, "tune": "psnr"}
        if encoding.deterministic:
            options["threads"] = "1"
            # x264's SIMD code reads past rows that are no multiple of its widest register, and
            # the bytes there affect decisions for the last macroblocks.
            if like.width % 128:
                options["x264-params"] = "asm=0"
        stream = self._container.add_stream("libx264", like.rate, options)
        context: VideoCodecContext = stream.codec_context
        context.width, context.height = like.width, like.height
        context.pix_fmt = "yuv444p" if odd else "yuv420p"
        context.time_base = stream.time_base = like.time_base
        context.sample_aspect_ratio = like.sample_aspect
        self._colour = like.colour.standard()
        if like.pixel_format.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "pal", "gray")):
            self._colour = Colour(1, 1, 1)
        context.color_range = self._colour.range
        context.colorspace = self._colour.matrix
        context.color_primaries = self._colour.primaries
        context.color_trc = self._colour.transfer
        return stream

    def _mux(self, packets: "list[Packet[VideoStream]]") -> None:
        for packet in packets:
            if packet.pts is not None and packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            base = fraction(packet.time_base)
            if self._sound is not None and packet.dts is not None and base is not None:
                self._sound.copy_until(float(packet.dts * base))
            self._container.mux(packet)

    @contextlib.contextmanager
    def _errors(self) -> Generator[None, None, None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self.close()
            raise _output_error(self.path, error) from error


def _mov_options(like: VideoInfo) -> dict[str, str]:
    options = {"movflags": "use_metadata_tags+faststart"}
    base = like.time_base
    if base.numerator == 1 and base.denominator < 2**31:
        options["video_track_timescale"] = str(base.denominator)
    if like.start or any(sound.start for sound in like.audio):
        # Start offsets are stored in the movie's time scale, by default milliseconds.
        scale = math.lcm(base.denominator, *(sound.time_base.denominator for sound in like.audio))
        options["movie_timescale"] = str(scale if scale < 2**31 else base.denominator)
    return options


def _output_error(path: Path, error: Exception) -> OutputError:
    number = getattr(error, "errno", None)
    if number in _FULL:
        return OutputError(f"The disk of {path.parent} is full; free some space and start again.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"The folder {path.parent} is not writable; choose another output.")
    if number == errno.EEXIST:
        return OutputError(f"{path} exists already; use --overwrite or another name.")
    reason = getattr(error, "strerror", None) or error
    return OutputError(f"{path} cannot be written ({reason}); choose another output.")
