"""Frames out of a video: in order of presentation, upright, in RGB.

::

    with VideoReader(path) as video:
        for frame in video.frames():
            look(frame.image, frame.time)
"""

import weakref
from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceswap.errors import InputError
from faceswap.types import UInt8Image
from faceswap.video.color import YuvToRgb
from faceswap.video.info import VideoInfo, opened, probe, stream_duration


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    index: its number in order of presentation, from 0.
    pts, duration: in ticks of the stream's time base; a duration of 0 is unknown.
    time: seconds, ``pts`` × time base.
    image: uint8 RGB (H, W, 3), upright, owned by the frame and writable.
    """

    index: int
    pts: int
    duration: int
    time: float
    image: UInt8Image


class VideoReader:
    """Reads the frames of a video, or a picture as a video of one frame.

    ``info`` says what is known of the file. Every pass opens the file for itself, so passes can
    be interleaved; memory does not grow with the length of the video (but for 8 bytes a frame
    once a pass has begun in the middle). HDR (PQ, HLG) is mapped to BT.709; depths above 8 bits
    are rounded to 8.

    With ``tolerate_damage`` a packet that cannot be decoded is left out and a truncated file
    simply ends early; ``damage`` then says so in one sentence. Without, the frames before the
    damage are delivered and then InputError is raised.

    Raises InputError when ``path`` is missing, empty, a folder, or not a video.
    """

    def __init__(self, path: Path | str, *, tolerate_damage: bool = False) -> None:
        self.path = Path(path)
        self.info: VideoInfo = probe(self.path)
        self.damage: str | None = None
        self._tolerate_damage = tolerate_damage
        self._table: _Table | None = None
        self._passes: weakref.WeakSet[Generator[Frame, None, None]] = weakref.WeakSet()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every pass and close its file. Closing twice is fine."""
        for one in list(self._passes):
            one.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Generator[Frame, None, None]:
        """The frames ``start``, ``start + step``, … before ``stop``, counted from 0.

        The frames are the same, bit for bit, as those of a pass from the beginning. Frames
        that ``step`` leaves out are decoded but not converted. Timestamps always increase; one
        that is missing or repeated in the file is replaced by the next possible.

        Raises InputError at the place where the file is damaged or ends too early.
        """
        if start < 0 or step < 1:
            raise ValueError(f"start must be at least 0 and step at least 1, not {start}, {step}")
        one = self._pass(start, stop, step)
        self._passes.add(one)
        return one

    def timestamps(self) -> npt.NDArray[np.int64]:
        """The pts of every frame, int64 (N,), in order of presentation, without decoding.

        Where a file's packets do not tell, the frames are decoded to find out.
        """
        table = self._packets()
        if table.reliable:
            return np.array(table.pts, dtype=np.int64)
        return np.array([pts for _, pts, _ in self._decoded(0)], dtype=np.int64)

    def index_at(self, time: float) -> int:
        """The index of the frame on show at ``time`` seconds (the nearest where none is)."""
        stamps = self.timestamps()
        ticks = Fraction(time).limit_denominator(10**9) / self.info.time_base
        return max(0, int(np.searchsorted(stamps, int(ticks), side="right")) - 1)

    def _pass(self, start: int, stop: int | None, step: int) -> Generator[Frame, None, None]:
        convert = YuvToRgb(self.info)
        decoded = self._decoded(start)
        try:
            for index, (picture, pts, duration) in enumerate(decoded, start):
                if stop is not None and index >= stop:
                    return
                if (index - start) % step == 0:
                    time = float(pts * self.info.time_base)
                    yield Frame(index, pts, duration, time, convert(picture))
        finally:
            decoded.close()

    def _decoded(self, start: int) -> Generator[tuple[VideoFrame, int, int], None, None]:
        """Decoded pictures from index ``start`` on, each with its pts and duration."""
        if start:
            table = self._packets()
            if table.reliable and start >= len(table.pts):
                return
            if table.reliable:
                target = table.pts[start]
                with opened(self.path) as (container, stream):
                    container.seek(table.dts_of_key_before(target), stream=stream)
                    pictures = self._stamped(container, stream, start)
                    for item in pictures:
                        if item[1] > target:
                            break  # the key frame was not one: begin at the beginning instead
                        if item[1] == target:
                            yield item
                            yield from pictures
                            return
        with opened(self.path) as (container, stream):
            for number, item in enumerate(self._stamped(container, stream, 0)):
                if number >= start:
                    yield item

    def _stamped(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Generator[tuple[VideoFrame, int, int], None, None]:
        ticks = max(1, round(1 / (self.info.rate * self.info.time_base)))
        last: int | None = None
        duration = 0
        for picture in self._pictures(container, stream, start):
            pts = picture.pts
            if pts is None:
                pts = 0 if last is None else last + (duration or ticks)
            if last is not None and pts <= last:
                pts = last + 1
            last, duration = pts, picture.duration or 0
            yield picture, pts, duration
        self._check_end(stream, None if last is None else last + max(duration, ticks))

    def _pictures(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Iterator[VideoFrame]:
        count = start
        packets = container.demux(stream)
        while True:
            broken: av.error.FFmpegError | None = None
            packet: Packet[VideoStream] | None = None
            pictures: list[VideoFrame] = []
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                pictures = packet.decode()
            except av.error.FFmpegError as error:
                broken = error
                if packet is None:
                    pictures = stream.decode(None)  # what was read before is still whole
            count += len(pictures)
            yield from pictures
            if broken is not None:
                reason = broken.strerror or "cannot be decoded"
                self._report(f"{self.path.name} is damaged after frame {count}: {reason}.", broken)

    def _check_end(self, stream: VideoStream, end: int | None) -> None:
        """Compare where the frames ended with where the header says that they should."""
        duration = stream_duration(stream)
        if end is None or duration is None or self.info.still:
            return
        missing = duration - float((end - (stream.start_time or 0)) * self.info.time_base)
        if missing > max(0.25, 3 / float(self.info.rate)):
            seconds = float(end * self.info.time_base)
            self._report(
                f"{self.path.name} breaks off at {seconds:.2f} s, {missing:.2f} s before its end; "
                "copy or download it again."
            )

    def _report(self, message: str, cause: Exception | None = None) -> None:
        if not self._tolerate_damage:
            raise InputError(message) from cause
        self.damage = self.damage or message

    def _packets(self) -> "_Table":
        if self._table is None:
            with opened(self.path) as (container, stream):
                self._table = _Table.read(container, stream)
        return self._table


def read_image(path: Path | str) -> UInt8Image:
    """The picture at ``path`` (or a video's first frame), uint8 RGB (H, W, 3), upright.

    Raises InputError when it cannot be read.
    """
    with VideoReader(path, tolerate_damage=True) as reader:
        return next(reader.frames()).image


@dataclass(frozen=True)
class _Table:
    """The timestamps of a stream's packets, sorted, and where one can begin to decode."""

    pts: "array[int]"
    keys: tuple[tuple[int, int], ...]  # (pts, dts) of each key frame
    reliable: bool

    @classmethod
    def read(cls, container: InputContainer, stream: VideoStream) -> "_Table":
        stamps = array("q")
        keys: list[tuple[int, int]] = []
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                if packet.pts is None or packet.dts is None:
                    return cls(stamps, (), False)
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    keys.append((packet.pts, packet.dts))
        except av.error.FFmpegError:
            return cls(stamps, (), False)
        ordered = array("q", sorted(stamps))
        unique = all(a < b for a, b in pairwise(ordered))
        # A stream that begins with frames that lack their reference is counted by decoding.
        begins = bool(keys) and bool(ordered) and keys[0][0] == ordered[0]
        return cls(ordered, tuple(sorted(keys)), unique and begins)

    def dts_of_key_before(self, pts: int) -> int:
        """The decoding timestamp of the last key frame that is shown no later than ``pts``."""
        return self.keys[max(0, bisect_left(self.keys, (pts + 1, -(2**63))) - 1)][1]
