"""The sound of one file into another, packet for packet."""

from collections.abc import Iterator
from pathlib import Path

import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard

from faceswap.errors import InputError, OutputError
from faceswap.video.pyav import fraction, open_input, printable_metadata


class AudioCopy:
    """Copies every audio stream of ``path`` into ``container``, bytes and timestamps unchanged.

    Made before the container's header is written. The packets are fetched as they are needed,
    so that sound and picture lie side by side in the file and neither waits in memory.

    Raises OutputError when the container's format cannot hold the sound, InputError when the
    file cannot be opened.
    """

    def __init__(self, path: Path, container: OutputContainer) -> None:
        try:
            self._input = open_input(path)
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"The sound of {path.name} cannot be read again.") from error
        self._container = container
        self._pairs: dict[int, AudioStream] = {}
        for stream in self._input.streams:
            stream.discard = Discard.default if stream.type == "audio" else Discard.all
        for stream in self._input.streams.audio:
            self._pairs[stream.index] = self._paired(stream, path)
        self._packets: Iterator[Packet[AudioStream]] = self._input.demux(self._input.streams.audio)
        self._next: Packet[AudioStream] | None = None

    def _paired(self, stream: AudioStream, path: Path) -> AudioStream:
        try:
            copy = self._container.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError) as error:
            codec = stream.codec_context.name if stream.codec_context else "unknown"
            raise OutputError(
                f"The sound of {path.name} ({codec}) cannot be kept in this kind of file; "
                "name the output .mkv."
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
            packet.stream = self._pairs[packet.stream.index]
            self._container.mux(packet)

    def _fetch(self) -> "Packet[AudioStream] | None":
        try:
            for packet in self._packets:
                if packet.size and packet.dts is not None:
                    return packet
        except av.error.FFmpegError:
            return None  # the sound ends where the file is damaged
        return None

    def close(self) -> None:
        """Let go of the file."""
        self._input.close()
