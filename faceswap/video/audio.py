"""Copy audio streams from one file to another without re-encoding."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard

from faceswap.errors import InputError, OutputError
from faceswap.video.pyav import fraction, open_input, printable_metadata


def check_sound(path: Path, suffix: str) -> None:
    """Raise OutputError when a file with ``suffix`` cannot hold the sound of ``path``.

    Raises InputError when the sound cannot be read.
    """
    name = {".mkv": "matroska", ".mov": "mov"}.get(suffix.lower(), "mp4")
    with av.open(io.BytesIO(), "w", format=name) as container:
        AudioCopy(path, container).close()


class AudioCopy:
    """Copies every audio stream of ``path`` into ``container``, bytes and timestamps unchanged.

    Create it before the container's header is written. Packets are read on demand, so that audio
    and video are interleaved in the file and nothing accumulates in memory.

    Raises OutputError when the container's format cannot hold the audio codec, InputError when
    the file cannot be opened.
    """

    def __init__(self, path: Path, container: OutputContainer) -> None:
        try:
            self._input = open_input(path)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"The sound of {path.name} cannot be read.") from error
        self._container = container
        self._outputs: dict[int, AudioStream] = {}
        for stream in self._input.streams:
            stream.discard = Discard.default if stream.type == "audio" else Discard.all
        for stream in self._input.streams.audio:
            self._outputs[stream.index] = self._add_stream(stream, path)
        self._packets: Iterator[Packet[AudioStream]] = self._input.demux(self._input.streams.audio)
        self._next: Packet[AudioStream] | None = None

    def _add_stream(self, stream: AudioStream, path: Path) -> AudioStream:
        try:
            copy = self._container.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError) as error:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            raise OutputError(
                f"The sound of {path.name} ({codec}) cannot be copied to this format; "
                "use an output file ending in .mkv."
            ) from error
        copy.metadata.update(printable_metadata(stream.metadata))
        copy.disposition = stream.disposition
        return copy

    def copy_until(self, time: float | None) -> None:
        """Write the packets up to ``time`` in seconds, or all that are left."""
        while True:
            if self._next is None:
                self._next = self._fetch()
            packet = self._next
            if packet is None:
                return
            base = fraction(packet.time_base)
            if time is not None and base is not None and (packet.dts or 0) * base > time:
                return
            self._next = None
            packet.stream = self._outputs[packet.stream.index]
            self._container.mux(packet)

    def _fetch(self) -> "Packet[AudioStream] | None":
        try:
            for packet in self._packets:
                if packet.size and packet.dts is not None:
                    return packet
        except av.error.FFmpegError:
            return None  # the file is damaged from here on
        return None

    def close(self) -> None:
        """Close the input file."""
        self._input.close()
