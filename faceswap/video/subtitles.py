"""Subtitles of text as MPEG-4 timed text ("mov_text"), the only ones that MP4 and MOV hold.

Source: 3GPP TS 26.245: a sample is the length of its text in two bytes, and the text in UTF-8.
"""

import re
import struct
from fractions import Fraction

import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle

from faceswap.video.pyav import fraction

TIMED_TEXT = "mov_text"
TEXT_CODECS = ("subrip", "srt", "text", "webvtt", "ass", "ssa")
"""Codecs of text, by all of libav's names for them; styles and places are lost."""
_MOST_BYTES = 65535
_STYLES = re.compile(rb"\{\\[^}]*\}")


def add_timed_text(container: OutputContainer) -> SubtitleStream:
    """Add a stream of timed text in the default style."""
    made = container.add_stream(TIMED_TEXT)
    assert isinstance(made, SubtitleStream)
    made.codec_context.subtitle_header = b""
    made.codec_context.time_base = made.time_base = Fraction(1, 1000)
    return made


class TimedText:
    """The text of each packet, without its styles, in packets for a stream of timed text."""

    def __init__(self, made: SubtitleStream) -> None:
        self._made = made

    def take(self, packet: "Packet[Stream]", origin: Fraction) -> "list[Packet[Stream]]":
        """The packet of timed text, moved by ``origin`` seconds; none for a damaged one."""
        base = fraction(packet.time_base)
        if base is None or packet.pts is None:
            return []
        try:
            shown = packet.decode()
        except (av.error.FFmpegError, UnicodeDecodeError):
            return []
        lines = [_STYLES.sub(b"", one.dialogue) for one in shown if isinstance(one, AssSubtitle)]
        text = b"\n".join(lines)[:_MOST_BYTES].decode(errors="ignore").encode()
        made: Packet[Stream] = Packet(struct.pack(">H", len(text)) + text)
        made.stream, made.time_base, made.duration = self._made, base, packet.duration
        made.pts = made.dts = max(0, packet.pts - round(origin / base))
        return [made]

    def finish(self) -> "list[Packet[Stream]]":
        """Nothing is kept back."""
        return []
