"""Encode frames to a video that keeps timing, colours, sound and metadata of its source.

::

    with VideoReader(a) as video, VideoWriter(out, video.info) as writer:
        for frame in video.frames():
            writer.write(process(frame.image), frame.pts, frame.duration)

A swap changes the stored pictures only where patches are (``VideoWriter.of_footage``)::

    with VideoWriter.of_footage(plan_output(out, video.info, Encoding())) as writer:
        for one in video.footage():
            writer.write_footage(one, patches(one.image))
"""

import contextlib
import math
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceswap.background import uninterruptible
from faceswap.errors import OutputError
from faceswap.io.orientation import UPRIGHT, display_matrix
from faceswap.types import UInt8Image
from faceswap.video.color import RgbToYuv
from faceswap.video.encoded_pictures import EncodedPictures, encoded_colour
from faceswap.video.encoding import Encoding, OutputLabel
from faceswap.video.info import VideoInfo
from faceswap.video.output_file import OutputFile, check_output, output_error
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.patch import Patch
from faceswap.video.provenance import with_provenance
from faceswap.video.pyav import fraction
from faceswap.video.reader import Footage
from faceswap.video.tracks import TrackCopy

_DEFAULT_ENCODING, _DEFAULT_LABEL = Encoding(), OutputLabel()
_FIELD_ORDERS = {"tff": 2, "bff": 3}  # libav's AVFieldOrder

# Written by the muxer itself for every file.
_NOT_COPIED = ("encoder", "major_brand", "minor_version", "compatible_brands")


def expected_size(info: VideoInfo) -> int:
    """Estimated size of an output video in bytes, on the high side."""
    return round(info.width * info.height * max(info.frames, 1) * 0.03) + 2**20


class VideoWriter:
    """Writes a video with timestamps, rate, colours, other streams and metadata of ``template``.

    ``write`` takes upright RGB frames of the size of ``template``; their timestamps, in ticks of
    its time base, are kept (Matroska rounds them to milliseconds, and shifts video and audio
    together where audio starts before zero). The file gets its name only when ``finish`` has
    written and synced all of it; until then it has a hidden partial name beside it, which ``close``
    removes. As a context manager it finishes on success and closes on an exception.

    damage: what of the sound was lost, in one sentence, once it is finished; else None.

    Raises OutputError when the file cannot be written or the container cannot hold the codec.
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
        path = check_output(path, overwrite=overwrite, source=template.path)
        self._begin(plan_output(path, template.as_frames(), encoding), label, overwrite)

    @classmethod
    def of_footage(
        cls, plan: OutputPlan, label: OutputLabel = _DEFAULT_LABEL, *, overwrite: bool = False
    ) -> Self:
        """A writer of stored pictures, by ``write_footage``; see ``plan_output``."""
        check_output(plan.path, overwrite=overwrite, source=plan.info.path)
        writer = cls.__new__(cls)
        writer._begin(plan, label, overwrite)
        return writer

    def _begin(self, plan: OutputPlan, label: OutputLabel, overwrite: bool) -> None:
        self.path = plan.path.absolute()
        self.damage: str | None = None
        self._plan, self._info = plan, plan.info
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._end = 0.0
        self._done = False
        self._tracks: TrackCopy | None = None
        self._file = OutputFile(self.path, overwrite=overwrite)
        entries = {k: v for k, v in self._info.metadata.items() if k.lower() not in _NOT_COPIED}
        entries |= label.metadata
        with self._errors():
            try:
                self._container = self._open(with_provenance(entries, label.made))
                self._stream = self._add_video()
                if plan.tracks or self._info.chapters:
                    self._tracks = TrackCopy(plan, self._container)
            except BaseException:
                self.close()
                raise
        self._pictures = EncodedPictures(plan)
        self._from_rgb = RgbToYuv(plan.pixel_format, encoded_colour(plan))

    @property
    def notices(self) -> tuple[str, ...]:
        """What the output loses or changes besides the frames, in sentences."""
        return self._plan.notices

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
        if image.shape != (self._info.height, self._info.width, 3):
            raise ValueError(f"frame {image.shape} in a video of {self._info}")
        self._check(pts)
        self._encode(self._pictures.padded(self._from_rgb(image)), pts, duration)

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Add a stored picture with ``patches`` blended in; the rest of it is not touched.

        The picture may be changed. Raises as ``write``.
        """
        self._check(footage.pts)
        self._encode(
            self._pictures.of_footage(footage.picture, patches), footage.pts, footage.duration
        )

    def _check(self, pts: int) -> None:
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"timestamp {pts} after {self._last_pts}; they must increase")
        self._last_pts = pts

    def _encode(self, picture: VideoFrame, pts: int, duration: int) -> None:
        base = self._info.time_base
        self._end = float((pts + duration) * base)
        pts -= round(self._plan.span.origin / base)
        picture.pts, picture.time_base = pts, base
        if duration:
            self._durations[pts] = duration
        with self._errors():
            self._mux(self._stream.encode(picture))

    def finish(self) -> Path:
        """Flush encoder and other streams, sync to disk and rename; returns the path.

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
            if self._tracks is not None:
                self._tracks.copy_until(None)
                self._tracks.check_end(self._end)
                self.damage = self._tracks.damage
            self._container.close()
            self._done = True  # also where the file must be kept under another name
            self._file.complete()
        self.close()
        return self.path

    def close(self) -> None:
        """Close all files; removes an unfinished video. May be called twice."""
        if self._tracks is not None:
            self._tracks.close()
        # On a full disk, closing the container fails again as it writes its trailer.
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if hasattr(self, "_container"):  # opening it may have failed
                self._container.close()
        self._file.discard()

    def _open(self, metadata: Mapping[str, str]) -> OutputContainer:
        muxer = self._plan.container.format
        options = {} if muxer in ("matroska", "webm") else _mov_options(self._plan)
        container = av.open(str(self._file.partial), "w", format=muxer, container_options=options)
        container.metadata.update(metadata)
        return container

    def _add_video(self) -> VideoStream:
        info, plan = self._info, self._plan
        stream = self._container.add_stream(plan.encoder.name, info.rate, plan.options)
        assert isinstance(stream, VideoStream)
        stream.disposition = Disposition.default
        context: VideoCodecContext = stream.codec_context
        context.width, context.height = plan.size
        context.pix_fmt = plan.pixel_format
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = info.sample_aspect
        colour = encoded_colour(plan)
        context.color_range = colour.range
        context.colorspace = colour.matrix
        context.color_primaries = colour.primaries
        context.color_trc = colour.transfer
        if info.fields:
            context.field_order = _FIELD_ORDERS[info.fields]
        if plan.encoder.codec == "h265" and plan.container.played:
            context.codec_tag = "hvc1"  # QuickTime and phones play no hev1
        if info.turn != UPRIGHT:
            stream.set_display_matrix(display_matrix(info.turn))
        return stream

    def _mux(self, packets: "list[Packet[VideoStream]]") -> None:
        for packet in packets:
            if packet.pts is not None and packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            base = fraction(packet.time_base)
            if self._tracks is not None and packet.dts is not None and base is not None:
                self._tracks.copy_until(float(packet.dts * base))
            self._container.mux(packet)

    @contextlib.contextmanager
    def _errors(self) -> Generator[None, None, None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self.close()
            raise output_error(self.path, error) from error


def _mov_options(plan: OutputPlan) -> dict[str, str]:
    options = {"movflags": "use_metadata_tags+faststart"}
    info = plan.info
    base = info.time_base
    if base.numerator == 1 and base.denominator < 2**31:
        options["video_track_timescale"] = str(base.denominator)
    if info.start or any(sound.start for sound in info.audio) or plan.span.start:
        # Start offsets are stored in the movie's time scale, by default milliseconds.
        scale = math.lcm(base.denominator, *(sound.time_base.denominator for sound in info.audio))
        options["movie_timescale"] = str(scale if scale < 2**31 else base.denominator)
    return options
