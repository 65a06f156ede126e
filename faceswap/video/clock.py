"""Continuous timestamps for files whose clock jumps.

An MPEG stream has a clock of 33 bits that wraps after 26.5 hours, and recordings that were joined
by copying one behind the other have a clock that begins anew. All streams of a file jump together:
after its n-th jump a stream is in the n-th stretch, and all streams of a stretch get one offset, so
that sound stays in step with the picture.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeVar

from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from faceswap.video.pyav import fraction

_BACK = 0.3  # seconds; packets without a decoding time are reordered by less
_FORWARD = 10.0  # seconds; a recording without packets for longer has a new clock
_JUMPING_FORMATS = ("mpegts", "mpeg")

AnyStream = TypeVar("AnyStream", bound=Stream)


class Clock:
    """Adds the offset of its stretch to each packet of one pass through a file.

    offsets: seconds, one for each stretch; none leaves timestamps as they are.
    """

    def __init__(self, offsets: tuple[Fraction, ...]) -> None:
        self._offsets = offsets
        self._last: dict[int, float] = {}
        self._stretch: dict[int, int] = {}

    def correct(self, packet: "Packet[AnyStream]") -> None:
        """Move a packet's timestamps; packets of a stream must come in the file's order."""
        base = fraction(packet.time_base)
        if not self._offsets or base is None:
            return
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return
        stretch = self._stretch.setdefault(packet.stream_index, 0)
        last, now = self._last.get(packet.stream_index), float(stamp * base)
        if last is not None and is_jump(last, now):
            stretch = self._stretch[packet.stream_index] = stretch + 1
        self._last[packet.stream_index] = now
        ticks = round(self._offsets[min(stretch, len(self._offsets) - 1)] / base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks


def is_jump(last: float, now: float) -> bool:
    """Whether a clock jumped between two consecutive packets, at ``last`` and ``now`` seconds."""
    return now < last - _BACK or now > last + _FORWARD


def clock_offsets(
    container: InputContainer, stream: VideoStream, rate: Fraction
) -> tuple[Fraction, ...]:
    """Offsets in seconds of each stretch of the file's clock; empty where none is needed.

    Reads the packets of ``stream``, so the container must be read by nothing else. rate: frames
    per second.
    """
    if container.format.name not in _JUMPING_FORMATS:
        return ()
    base = fraction(stream.time_base)
    if base is None:
        return ()
    starts = [
        (other.start_time or 0) * (fraction(other.time_base) or Fraction(0))
        for other in (*container.streams.video, *container.streams.audio)
    ]
    first = -min([Fraction(0), *starts])
    offsets = [first]
    for last, now in _jumps(container.demux(stream), base):
        offsets.append(last + offsets[-1] + 1 / rate - now)
    return tuple(offsets) if any(offsets) else ()


def _jumps(
    packets: "Iterable[Packet[VideoStream]]", base: Fraction
) -> Iterable[tuple[Fraction, Fraction]]:
    """The times in seconds before and after each jump."""
    last: Fraction | None = None
    for packet in packets:
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or not packet.size:
            continue
        now = stamp * base
        if last is not None and is_jump(float(last), float(now)):
            yield last, now
        last = now
