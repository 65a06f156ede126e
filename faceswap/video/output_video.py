"""The file of an output video: header, packets of the pictures, other streams, metadata."""

import contextlib
import math
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import cast

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from faceswap.io.orientation import UPRIGHT, display_matrix
from faceswap.video.encoded_pictures import encoded_colour
from faceswap.video.encoding import OutputLabel
from faceswap.video.output_file import OutputFile, output_error
from faceswap.video.output_plan import OutputPlan
from faceswap.video.provenance import with_provenance
from faceswap.video.pyav import fraction
from faceswap.video.tracks import TrackCopy

_FIELD_ORDERS = {"tff": 2, "bff": 3}  # libav's AVFieldOrder

# Written by the muxer itself for every file.
_NOT_COPIED = ("encoder", "major_brand", "minor_version", "compatible_brands")


class OutputVideo:
    """Takes the packets of the pictures of ``plan``, and writes them with the other streams.

    It has a hidden partial name until ``finish`` has written and synced all of it; ``close``
    removes an unfinished one.

    stream: of the pictures, with an encoder of the plan. damage: what of the sound was lost, in
    one sentence, once it is finished; else None.

    Raises OutputError when the file cannot be written or the container cannot hold the codec.
    """

    def __init__(self, plan: OutputPlan, label: OutputLabel, *, overwrite: bool) -> None:
        self.path = plan.path.absolute()
        self.damage: str | None = None
        self._plan = plan
        self._tracks: TrackCopy | None = None
        self._done = False
        self._file = OutputFile(self.path, overwrite=overwrite)
        known = plan.info.metadata.items()
        entries = {k: v for k, v in known if k.lower() not in _NOT_COPIED}
        entries |= label.metadata
        with self.errors():
            try:
                self._container = self._open(with_provenance(entries, label.made))
                self.stream = add_pictures(self._container, plan)
                if plan.tracks or plan.info.chapters:
                    self._tracks = TrackCopy(plan, self._container)
            except BaseException:
                self.close()
                raise

    def mux(self, packet: "Packet[VideoStream]") -> None:
        """Write a packet of ``stream``, and before it those of other streams up to its time."""
        base = fraction(packet.time_base)
        if self._tracks is not None and packet.dts is not None and base is not None:
            self._tracks.copy_until(float(packet.dts * base))
        self._container.mux(packet)

    def finish(self, end: float, before_rename: Callable[[Path], object] | None = None) -> None:
        """Write the rest of the other streams, sync to disk and rename.

        end: seconds of the footage at which the pictures end. before_rename: called with the
        complete file under its partial name. Raises OutputError.
        """
        if self._done:
            return
        with self.errors():
            if self._tracks is not None:
                self._tracks.copy_until(None)
                self._tracks.check_end(end)
                self.damage = self._tracks.damage
            self._container.close()
            if before_rename is not None:
                before_rename(self._file.partial)
            self._done = True  # also where the file must be kept under another name
            self._file.complete()
        self.close()

    def close(self) -> None:
        """Close all files; removes an unfinished video. May be called twice."""
        if self._tracks is not None:
            self._tracks.close()
        # On a full disk, closing the container fails again as it writes its trailer.
        with contextlib.suppress(av.error.FFmpegError, OSError):
            if hasattr(self, "_container"):  # opening it may have failed
                self._container.close()
        self._file.discard()

    @contextlib.contextmanager
    def errors(self) -> Generator[None, None, None]:
        """Context in which an error of libav or the system is raised as OutputError."""
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self.close()
            raise output_error(self.path, error) from error

    def _open(self, metadata: Mapping[str, str]) -> OutputContainer:
        muxer = self._plan.container.format
        options = {} if muxer in ("matroska", "webm") else _mov_options(self._plan)
        container = av.open(str(self._file.partial), "w", format=muxer, container_options=options)
        container.metadata.update(metadata)
        return container


def add_pictures(container: OutputContainer, plan: OutputPlan) -> VideoStream:
    """Add the stream of the pictures of ``plan``, with its encoder, to ``container``."""
    info = plan.info
    stream = cast(VideoStream, container.add_stream(plan.encoder.name, info.rate, plan.options))
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
