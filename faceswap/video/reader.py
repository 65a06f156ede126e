"""Decode the frames of a video: in presentation order, upright, RGB.

::

    with VideoReader(path) as video:
        for frame in video.frames():
            process(frame.image, frame.time)
"""

import math
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
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
from faceswap.video.clock import Clock
from faceswap.video.color import YuvToRgb
from faceswap.video.info import VideoInfo
from faceswap.video.picture_source import (
    decoded_pictures,
    is_photographs,
    is_picture_source,
    photograph_files,
    picture_stamps,
    probe_pictures,
    read_photograph,
)
from faceswap.video.probe import opened, probe, stream_duration
from faceswap.video.uniform import UniformPictures, deinterlaced

_PICTURE_RATE = Fraction(25)


@dataclass(frozen=True)
class Footage:
    """One frame of a video as it is stored.

    index: number in presentation order, from 0.
    pts, duration: in ticks of the stream's time base; duration 0: unknown.
    picture: of the stream's stored size, in its planar pixel format and colours.
    """

    index: int
    pts: int
    duration: int
    picture: VideoFrame
    convert: Callable[[VideoFrame], UInt8Image]

    @cached_property
    def image(self) -> UInt8Image:
        """What detection and the network see: uint8 RGB (H, W, 3), upright, square pixels.

        Converted when it is first asked for.
        """
        return self.convert(self.picture)


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    index: number in presentation order, from 0.
    pts, duration: in ticks of the stream's time base; duration 0: unknown.
    time: seconds, ``pts`` × time base.
    image: uint8 RGB (H, W, 3), upright, pixels square, owned by the frame and writable.
    """

    index: int
    pts: int
    duration: int
    time: float
    image: UInt8Image


class VideoReader:
    """Reads the frames of a video, of a folder of numbered pictures, or of one picture.

    ``info``: properties of the file. Every pass opens the file separately, so passes can be
    interleaved; memory use does not depend on the length of the video (except 8 bytes per frame
    once a pass has started in the middle). ``footage`` gives the pictures as they are stored;
    ``frames`` 8-bit RGB: HDR (PQ, HLG) is tone-mapped, other depths above 8 bits are rounded, and
    pixels that are not square are stretched. Pictures of another size than the first are fitted
    into it, on black.

    picture_rate: frames per second of a folder's pictures.
    photographs: the pictures are single ones, each of a size of its own, whose time is 0. Those
        that cannot be read are skipped with ``tolerate_damage``; they count in the index.
    deinterlace: whether later passes make interlaced pictures progressive; may be set.
    resized: that pictures changed their size, in one sentence, once one did.

    With ``tolerate_damage`` packets that cannot be decoded are skipped and a truncated file just
    ends early; ``damage`` then describes it in one sentence. Without, InputError is raised after
    the frames before the damage.

    Raises InputError when ``path`` is missing, empty, a folder, or not a video.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        tolerate_damage: bool = False,
        picture_rate: Fraction = _PICTURE_RATE,
        photographs: bool = False,
    ) -> None:
        self.path = Path(path)
        self._photographs = photographs
        self._pictures_only = photographs or is_picture_source(self.path)
        self.info: VideoInfo = (
            probe_pictures(self.path, picture_rate, photographs=photographs)
            if self._pictures_only
            else probe(self.path)
        )
        self.damage: str | None = None
        self.resized: str | None = None
        self.deinterlace = False
        self._tolerate_damage = tolerate_damage
        self._table: _PacketIndex | None = None
        self._passes: weakref.WeakSet[Generator[Frame | Footage, None, None]] = weakref.WeakSet()

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
        """End every pass and close its file. May be called twice."""
        for one in list(self._passes):
            one.close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(
        self, start: int = 0, stop: int | None = None, step: int = 1
    ) -> Generator[Frame, None, None]:
        """The frames ``start``, ``start + step``, … before ``stop``, counted from 0.

        Frames are bit-identical to those of a pass from the beginning. Frames skipped by ``step``
        are decoded but not converted. Timestamps always increase; missing or repeated ones are
        replaced by the next possible.

        Raises InputError where the file is damaged or truncated.
        """
        if start < 0 or step < 1:
            raise ValueError(f"start must be at least 0 and step at least 1, not {start}, {step}")
        one = self._frames(self._pass(start, stop, step))
        self._passes.add(one)
        return one

    def footage(self, start: int = 0, stop: int | None = None) -> Generator[Footage, None, None]:
        """As ``frames``, but pictures as they are stored; RGB only for those that are asked."""
        one = self._pass(start, stop, 1)
        self._passes.add(one)
        return one

    @property
    def seekable(self) -> bool:
        """Whether a pass can begin in the middle without decoding all before it."""
        return not self.info.clock and self._packets().reliable

    def timestamps(self) -> npt.NDArray[np.int64]:
        """The pts of every frame, int64 (N,), in presentation order, from the packets.

        Decodes the frames where the packets' timestamps are unreliable.
        """
        table = self._packets()
        if table.reliable:
            return np.array(table.pts, dtype=np.int64)
        return np.array([pts for _, pts, _ in self._decoded(0)], dtype=np.int64)

    def first_index(self, time: Fraction) -> int:
        """Index of the first frame that is shown at ``time`` seconds or later."""
        ticks = time / self.info.time_base
        return int(np.searchsorted(self.timestamps(), math.ceil(ticks), side="left"))

    def index_at(self, time: float) -> int:
        """Index of the frame shown at ``time`` seconds (the nearest where there is none)."""
        stamps = self.timestamps()
        ticks = Fraction(time).limit_denominator(10**9) / self.info.time_base
        return max(0, int(np.searchsorted(stamps, int(ticks), side="right")) - 1)

    def _frames(self, pictures: Generator[Footage, None, None]) -> Generator[Frame, None, None]:
        try:
            for one in pictures:
                time = 0.0 if self._photographs else float(one.pts * self.info.time_base)
                yield Frame(one.index, one.pts, one.duration, time, one.image)
        finally:
            pictures.close()

    def _pass(self, start: int, stop: int | None, step: int) -> Generator[Footage, None, None]:
        if self._photographs:
            yield from self._photograph_pass(start, stop, step)
            return
        convert = YuvToRgb(self.info)
        decoded = self._decoded(start)
        try:
            for index, (picture, pts, duration) in enumerate(decoded, start):
                if stop is not None and index >= stop:
                    return
                if (index - start) % step == 0:
                    yield Footage(index, pts, duration, picture, convert)
        finally:
            decoded.close()

    def _photograph_pass(
        self, start: int, stop: int | None, step: int
    ) -> Generator[Footage, None, None]:
        for index, file in list(enumerate(photograph_files(self.path)))[start:stop:step]:
            image = read_photograph(file)
            if image is None:
                self._report(f"{file} cannot be read; replace or remove it.")
                continue
            picture = VideoFrame.from_ndarray(image, format="rgb24")
            yield Footage(index, index, 1, picture, _as_array)

    def _decoded(self, start: int) -> Generator[tuple[VideoFrame, int, int], None, None]:
        """Decode pictures from index ``start`` on, each with pts and duration."""
        if self._pictures_only:
            uniform = UniformPictures(self.info)
            for picture in decoded_pictures(self.path, start):
                yield uniform(picture), picture.pts or 0, picture.duration or 0
            return
        # A file whose clock jumps can't be entered by time.
        if start and not self.info.clock:
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
                            break  # not a real key frame: decode from the beginning instead
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
        uniform = UniformPictures(self.info)
        pictures = self._pictures(container, stream, start)
        if self.deinterlace and self.info.fields:
            pictures = deinterlaced(pictures)
        last: int | None = None
        duration = 0
        for picture in pictures:
            pts = picture.pts
            if pts is None:
                pts = 0 if last is None else last + (duration or ticks)
            if last is not None and pts <= last:
                pts = last + 1
            last, duration = pts, picture.duration or 0
            yield uniform(picture), pts, duration
            if uniform.resized is not None and self.resized is None:
                self.resized = (
                    f"{self.path.name} changes its size at {uniform.resized:.2f} s; pictures of "
                    "another size are fitted in with black bars."
                )
        self._check_end(stream, None if last is None else last + max(duration, ticks))

    def _pictures(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Iterator[VideoFrame]:
        count = start
        packets = container.demux(stream)
        clock = Clock(self.info.clock)
        while True:
            broken: av.error.FFmpegError | None = None
            packet: Packet[VideoStream] | None = None
            pictures: list[VideoFrame] = []
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                clock.correct(packet)
                pictures = packet.decode()
            except av.error.FFmpegError as error:
                broken = error
                if packet is None:
                    pictures = stream.decode(None)  # flush the pictures decoded before
            count += len(pictures)
            yield from pictures
            if broken is not None:
                reason = broken.strerror or "cannot be decoded"
                self._report(f"{self.path.name} is damaged after frame {count}: {reason}.", broken)

    def _check_end(self, stream: VideoStream, end: int | None) -> None:
        """Report truncation: the frames end well before the duration in the header."""
        duration = stream_duration(stream)
        if end is None or duration is None or self.info.still:
            return
        missing = duration - float((end - self.info.start) * self.info.time_base)
        if missing > max(0.25, 3 / float(self.info.rate)):
            seconds = float(end * self.info.time_base)
            self._report(
                f"{self.path.name} is truncated at {seconds:.2f} s, {missing:.2f} s before its "
                "end; copy or download it again."
            )

    def _report(self, message: str, cause: Exception | None = None) -> None:
        if not self._tolerate_damage:
            raise InputError(message) from cause
        self.damage = self.damage or message

    def _packets(self) -> "_PacketIndex":
        if self._table is None and self._pictures_only:
            self._table = _PacketIndex(array("q", picture_stamps(self.path)), (), True)
        if self._table is None:
            with opened(self.path) as (container, stream):
                self._table = _PacketIndex.read(container, stream, Clock(self.info.clock))
        return self._table


def _as_array(picture: VideoFrame) -> UInt8Image:
    return np.asarray(picture.to_ndarray(), np.uint8)


def open_footage(path: Path) -> VideoReader:
    """Open a video, a film of pictures, photographs or a picture; damaged parts are skipped.

    Raises InputError when it cannot be read.
    """
    return VideoReader(path, tolerate_damage=True, photographs=is_photographs(path))


def read_image(path: Path | str) -> UInt8Image:
    """Read the picture at ``path`` (or a video's first frame): uint8 RGB (H, W, 3), upright.

    Raises InputError when it cannot be read.
    """
    with VideoReader(path, tolerate_damage=True) as reader:
        return next(reader.frames()).image


@dataclass(frozen=True)
class _PacketIndex:
    """Packet index of a stream: sorted timestamps, and key frames to seek to."""

    pts: "array[int]"
    keys: tuple[tuple[int, int], ...]  # (pts, dts) of each key frame
    reliable: bool

    @classmethod
    def read(cls, container: InputContainer, stream: VideoStream, clock: Clock) -> "_PacketIndex":
        stamps = array("q")
        keys: list[tuple[int, int]] = []
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:
                    continue
                clock.correct(packet)
                if packet.pts is None or packet.dts is None:
                    return cls(stamps, (), False)
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    keys.append((packet.pts, packet.dts))
        except av.error.FFmpegError:
            return cls(stamps, (), False)
        ordered = array("q", sorted(stamps))
        unique = all(a < b for a, b in pairwise(ordered))
        # A stream that starts with frames without reference (open GOP) must be decoded to count.
        starts_with_key = bool(keys) and bool(ordered) and keys[0][0] == ordered[0]
        return cls(ordered, tuple(sorted(keys)), unique and starts_with_key)

    def dts_of_key_before(self, pts: int) -> int:
        """The dts of the last key frame with a presentation time up to ``pts``."""
        return self.keys[max(0, bisect_left(self.keys, (pts + 1, -(2**63))) - 1)][1]
