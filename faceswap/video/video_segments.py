"""Segments of an output video: each encoded by an encoder of its own, joined without another one.

An encoder begins with a key frame and refers to nothing before it, so the packets of segments
behind one another are a video. A video that was made without a break has the same segments, hence
the same packets, as one that was resumed.
"""

import contextlib
import hashlib
import io
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from faceswap.background import ReportProgress, no_report, uninterruptible
from faceswap.errors import InputError
from faceswap.video.encoding import OutputLabel
from faceswap.video.output_file import output_error
from faceswap.video.output_plan import OutputPlan
from faceswap.video.output_video import OutputVideo, add_pictures
from faceswap.video.packet_file import PacketFile, PacketIndex, read_packets
from faceswap.video.patch import Patch
from faceswap.video.picture_encoder import PictureEncoder
from faceswap.video.reader import Footage
from faceswap.video.segments import Pictures, Segment

_DEFAULT_LABEL = OutputLabel()


class VideoSegment:
    """Encodes one segment of a video to the file ``path``. Raises OutputError."""

    def __init__(self, plan: OutputPlan, path: Path) -> None:
        self._plan, self._path = plan, path
        self._frames = self._end = 0
        with self._errors():
            # Encoders depend on the container; nothing is written to this one.
            self._container = av.open(io.BytesIO(), "w", format=plan.container.format)
            self._stream = add_pictures(self._container, plan)
            self._encoder = PictureEncoder(plan, self._stream)
            self._file = PacketFile(path)

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Encode a stored picture, which may be changed, with ``patches`` blended in.

        Raises ValueError when its timestamp does not increase, OutputError when the disk is full.
        """
        with self._errors():
            for packet in self._encoder.footage(footage, patches):
                self._file.add(packet)
        self._frames += 1
        self._end = footage.pts + footage.duration

    def finish(self) -> Pictures:
        """Flush the encoder and sync to disk. Raises OutputError."""
        assert self._encoder.last_pts is not None
        with self._errors():
            for packet in self._encoder.rest():
                self._file.add(packet)
            index = self._file.finish(self._stream.codec_context.extradata or b"")
            self._container.close()
        return Pictures(
            frames=self._frames,
            last_pts=self._encoder.last_pts,
            end_pts=self._end,
            packets=index,
        )

    def discard(self) -> None:
        """Remove an unfinished file. May be called twice."""
        with contextlib.suppress(OSError):
            self._file.discard()
        self._container.close()

    @contextlib.contextmanager
    def _errors(self) -> Generator[None, None, None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise output_error(self._path, error) from error


def decoding_times(pts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The dts of packets, int64 (N,), from their pts in decoding order.

    That of a packet is the pts of the picture that is shown as many places before as pictures are
    reordered at most; that many at the beginning are before the first pts. x264 does the same.
    """
    ordered = np.sort(pts)
    numbers = np.arange(len(pts))
    delay = int(max(0, (numbers - np.searchsorted(ordered, pts)).max()))
    if not delay:
        return ordered
    lead = ordered[delay] - ordered[0] if delay < len(ordered) else np.int64(delay)
    return np.concatenate([ordered[:delay] - lead, ordered[:-delay]])


def join_video(
    plan: OutputPlan,
    segments: Sequence[Segment],
    path_of: Callable[[Segment], Path],
    report: ReportProgress = no_report,
    *,
    overwrite: bool,
    before_rename: Callable[[Path], object] | None = None,
    label: OutputLabel = _DEFAULT_LABEL,
) -> str | None:
    """Join segments, in order, to the video of ``plan``, with its other streams.

    path_of: the file of a segment. report: progress in frames. before_rename: called with the
    complete file under its partial name. Returns what of the sound was lost, in one sentence.
    Raises DamagedSegmentError, OutputError.
    """
    indices = [_packets_of(segment) for segment in segments]
    stamps = decoding_times(np.concatenate([np.array(i.pts, np.int64) for i in indices]))
    video = OutputVideo(plan, label, overwrite=overwrite)
    try:
        number = 0
        for segment, index in zip(segments, indices, strict=True):
            with video.errors():
                for place, data in enumerate(_data_of(segment, path_of(segment), index)):
                    packet = cast("Packet[VideoStream]", Packet(data))
                    packet.stream, packet.time_base = video.stream, plan.info.time_base
                    packet.pts, packet.dts = index.pts[place], int(stamps[number])
                    packet.duration, packet.is_keyframe = index.durations[place], index.keys[place]
                    video.mux(packet)
                    number += 1
            header = video.stream.codec_context.extradata or b""
            if hashlib.sha256(header).hexdigest() != index.header:
                raise DamagedSegmentError(segment, "it was encoded by another encoder")
            report(number, len(stamps))
        with uninterruptible():
            end = float(segments[-1].pictures.end_pts * plan.info.time_base)
            video.finish(end, before_rename)
    finally:
        video.close()
    return video.damage


class DamagedSegmentError(InputError):
    """A segment that can't be used: ``segment``, and why."""

    def __init__(self, segment: Segment, reason: str) -> None:
        super().__init__(
            f"Segment {segment.number} can't be used ({reason}); run the same command again: only "
            "that segment is made anew."
        )
        self.segment = segment


def _packets_of(segment: Segment) -> PacketIndex:
    packets = segment.pictures.packets
    assert packets is not None  # a segment of pictures has another key
    return packets


def _data_of(segment: Segment, path: Path, index: PacketIndex) -> Generator[bytes, None, None]:
    try:
        yield from read_packets(path, index)
    except InputError as error:
        raise DamagedSegmentError(segment, str(error).rstrip(".")) from error
