"""Copy or convert the streams beside the footage into an output, interleaved with its pictures."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Disposition, Stream

from faceswap.errors import InputError, OutputError
from faceswap.video.clock import Clock
from faceswap.video.output_plan import OutputPlan
from faceswap.video.pyav import fraction, open_input, printable_metadata
from faceswap.video.subtitles import TIMED_TEXT, TimedText, add_timed_text
from faceswap.video.track_plan import TrackPlan

_BIT_RATE = 96_000  # of a channel: transparent
_OPUS_RATE = 48000
# Files with two channels or one often do not say which.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_MOST_ERRORS = 100
_GAP = 0.5  # seconds that sound may end before the pictures without a word


class _Track(Protocol):
    """Where the packets of one stream go."""

    def take(self, packet: "Packet[Stream]", origin: Fraction) -> "list[Packet[Stream]]":
        """What is written for a packet, whose timestamps are moved by ``origin`` seconds."""

    def finish(self) -> "list[Packet[Stream]]":
        """What is left to write at the end."""


class _Copy:
    """Packets unchanged but for their timestamps, which never go back."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._last = 0
        self._end: int | None = None

    def take(self, packet: "Packet[Stream]", origin: Fraction) -> "list[Packet[Stream]]":
        base = fraction(packet.time_base)
        if packet.dts is None or base is None:
            return []
        ticks = round(origin / base)
        packet.dts -= ticks
        if packet.pts is not None:
            packet.pts -= ticks
        if self._end is not None and packet.dts < self._end - packet_tolerance(packet):
            return []  # overlaps what came before, where two recordings are joined
        if self._end is not None and packet.dts <= self._last:
            packet.dts = self._last + 1
            packet.pts = max(packet.pts or packet.dts, packet.dts)
        self._last = packet.dts
        self._end = packet.dts + (packet.duration or 0)
        packet.stream = self._stream
        return [packet]

    def finish(self) -> "list[Packet[Stream]]":
        return []


def packet_tolerance(packet: "Packet[Stream]") -> int:
    """Ticks by which a packet may begin before the one before it ends: half its duration."""
    return max(1, (packet.duration or 0) // 2)


class _Conversion:
    """Sound decoded, and encoded anew."""

    def __init__(self, source: AudioStream, made: AudioStream) -> None:
        self._source, self._made = source, made

    def take(self, packet: "Packet[Stream]", origin: Fraction) -> "list[Packet[Stream]]":
        packets: list[Packet[Stream]] = []
        try:
            frames = self._source.codec_context.decode(packet)
        except av.error.FFmpegError:
            return []  # one damaged packet: silence until the next
        for frame in frames:
            base = fraction(frame.time_base)
            if frame.pts is not None and base is not None:
                frame.pts -= round(origin / base)
            packets += self._made.encode(frame)
        return packets

    def finish(self) -> "list[Packet[Stream]]":
        packets: list[Packet[Stream]] = []
        try:
            for frame in self._source.codec_context.decode(None):
                packets += self._made.encode(frame)
        except av.error.FFmpegError:
            pass  # the last packets were damaged
        return [*packets, *self._made.encode(None)]


class TrackCopy:
    """Writes the streams that ``plan`` keeps, but the footage, into ``container``.

    Create it before the container's header is written. Packets are read on demand, so that they
    are interleaved with the pictures and nothing accumulates in memory.

    damage: what of the sound was lost, in one sentence, once all is written.

    Raises OutputError when the format cannot hold a stream, InputError when the file cannot be
    opened.
    """

    def __init__(self, plan: OutputPlan, container: OutputContainer) -> None:
        path = plan.info.path
        try:
            self._input = open_input(path)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"The sound of {path.name} cannot be read.") from error
        self._plan, self._container = plan, container
        self._clock = Clock(plan.info.clock)
        self._tracks: dict[int, _Track] = {}
        for one in plan.tracks:
            stream = self._input.streams[one.index]
            try:
                self._add(stream, one)
            except (ValueError, av.error.FFmpegError) as error:
                raise OutputError(
                    f"Stream {one.index} of {path.name} cannot be copied to {plan.path.suffix}; "
                    "use an output ending in .mkv."
                ) from error
        wanted = [stream for stream in self._input.streams if stream.index in self._tracks]
        for stream in self._input.streams:
            stream.discard = Discard.default if stream in wanted else Discard.all
        self._packets: Iterator[Packet[Stream]] = self._input.demux(wanted) if wanted else iter(())
        self._next: Packet[Stream] | None = None
        self._ends: dict[int, float] = {}
        self.damage: str | None = None
        self._chapters()

    def _add(self, stream: Stream, plan: TrackPlan) -> None:
        if isinstance(stream, AttachmentStream):
            name = stream.metadata.get("filename", "attachment")
            kind = stream.mimetype or "application/octet-stream"
            self._container.add_attachment(name, kind, stream.data)
            return
        made: Stream
        if plan.codec == TIMED_TEXT:
            text = made = add_timed_text(self._container)
            self._tracks[stream.index] = TimedText(text)
        elif plan.action == "convert":
            assert isinstance(stream, AudioStream)
            made = self._encoded(stream, plan.codec)
            self._tracks[stream.index] = _Conversion(stream, made)
        else:
            made = self._container.add_stream_from_template(stream)
            self._tracks[stream.index] = _Copy(made)
        made.metadata.update(printable_metadata(stream.metadata))
        made.disposition = stream.disposition
        if stream.type == "video":
            made.disposition &= ~Disposition.default  # the footage is

    def _encoded(self, stream: AudioStream, codec: str) -> AudioStream:
        context = stream.codec_context
        rate = _OPUS_RATE if codec == "libopus" else min(context.sample_rate, 96000)
        made = self._container.add_stream(codec, rate)
        assert isinstance(made, AudioStream)
        channels = min(context.channels, max(_LAYOUTS))
        made.codec_context.layout = _LAYOUTS[channels]
        made.codec_context.bit_rate = _BIT_RATE * channels
        return made

    def _chapters(self) -> None:
        span = self._plan.span
        chapters = []
        for chapter in self._input.chapters():
            base = fraction(chapter["time_base"])
            if base is None:
                continue
            begin, end = chapter["start"] * base, chapter["end"] * base
            begin, end = max(begin, span.origin), end if span.stop is None else min(end, span.stop)
            if begin < end:
                shift = round(span.origin / base)
                start, stop = round(begin / base) - shift, round(end / base) - shift
                chapters.append({**chapter, "start": start, "end": stop})
        if chapters:
            self._container.set_chapters(chapters)  # type: ignore[arg-type]

    def copy_until(self, time: float | None) -> None:
        """Write the packets up to ``time`` in seconds of the output, or all that are left."""
        span = self._plan.span
        while True:
            if self._next is None:
                self._next = self._fetch()
            packet = self._next
            if packet is None:
                break
            base = fraction(packet.time_base) or Fraction(0)
            begin = (packet.dts or 0) * base
            if time is not None and begin - span.origin > time:
                return
            self._next = None
            self._ends[packet.stream_index] = float(begin + (packet.duration or 0) * base)
            if self._belongs(packet, base):
                for made in self._tracks[packet.stream_index].take(packet, span.origin):
                    self._container.mux(made)
        if time is None:
            for track in self._tracks.values():
                for made in track.finish():
                    self._container.mux(made)

    def _belongs(self, packet: "Packet[Stream]", base: Fraction) -> bool:
        """Whether a packet has a part in the span: it begins inside, or lasts until inside."""
        span = self._plan.span
        begin = (packet.pts if packet.pts is not None else packet.dts or 0) * base
        if span.stop is not None and begin >= span.stop:
            return False
        if span.start is None:
            return True
        if not self._plan.container.played:  # Matroska has no times before zero
            return begin >= span.start
        return begin + (packet.duration or 0) * base > span.start

    def _fetch(self) -> "Packet[Stream] | None":
        for _ in range(_MOST_ERRORS):
            try:
                for packet in self._packets:
                    if packet.size and packet.dts is not None:
                        self._clock.correct(packet)
                        return packet
                return None
            except av.error.FFmpegError:
                continue  # the file is damaged here; there may be more
        return None

    def check_end(self, seconds: float) -> None:
        """Set ``damage`` where sound ends long before the pictures, at ``seconds``."""
        for plan in self._plan.tracks:
            stream = self._input.streams[plan.index]
            if stream.type != "audio" or self._plan.span.stop is not None:
                continue
            end = self._ends.get(plan.index, 0.0)
            said = float((stream.duration or 0) * (fraction(stream.time_base) or 0))
            if end < min(seconds, said) - _GAP:
                name = self._plan.info.path.name
                self.damage = (
                    f"The sound of {name} ends at {end:.2f} s, {seconds - end:.2f} s before its "
                    "pictures: the rest is not in the file."
                )

    def close(self) -> None:
        """Close the input file."""
        self._input.close()
