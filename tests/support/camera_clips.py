"""Small files as cameras, phones, recorders and editing programs leave them."""

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.stream import VideoStream
from made_clips import picture, write_clip

TICKS = Fraction(1, 90000)
STEP = 3600  # ticks between frames
WRAP = 2**33


def joined(folder: Path) -> Path:
    """Two recordings of 25 frames, copied one behind the other: the clock goes back."""
    part = write_clip(folder / "part.ts", frames=25)
    path = folder / "joined.ts"
    path.write_bytes(part.read_bytes() * 2)
    return path


def wrapped(folder: Path) -> Path:
    """50 frames during which the 33-bit clock wraps; the muxer begins 0.7 s after the offset."""
    seconds = WRAP // 90000 - 1
    return write_clip(folder / "wrap.ts", frames=50, rate=25, offset=seconds)


def spatial_sound(folder: Path) -> Path:
    """A second sound track of a codec that libav does not know, as newer iPhones write it."""
    plain = write_clip(folder / "two.mov", tracks=1, frames=25)
    path = folder / "apac.mov"
    data = io.BytesIO()
    with av.open(str(plain)) as source, av.open(data, "w", format="mov") as made:
        streams = {s.index: made.add_stream_from_template(s) for s in source.streams}
        other = made.add_stream("ac3", 48000, layout="stereo")
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
        for start in range(0, 48000, 1536):
            block = av.AudioFrame.from_ndarray(
                np.zeros((2, 1536), np.float32), format="fltp", layout="stereo"
            )
            block.sample_rate, block.pts, block.time_base = 48000, start, Fraction(1, 48000)
            made.mux(other.encode(block))
        made.mux(other.encode(None))
    path.write_bytes(data.getvalue().replace(b"ac-3", b"apac"))
    return path


def thumbnail_first(folder: Path) -> Path:
    """A picture that is not flagged as a thumbnail, before the moving stream."""
    plain = write_clip(folder / "plain.mp4", frames=25)
    path = folder / "thumbnail.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as made:
        still = made.add_stream("mjpeg", 25, options={"strict": "unofficial"})
        still.width, still.height, still.pix_fmt = 320, 320, "yuvj420p"
        still.disposition = Disposition(0)
        streams = {s.index: made.add_stream_from_template(s) for s in source.streams}
        frame = av.VideoFrame.from_ndarray(picture(0, 320, 320)).reformat(format="yuvj420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        made.mux(still.encode(frame))
        made.mux(still.encode(None))
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return path


def resized_midway(folder: Path) -> Path:
    """A video call: 15 frames of 128 × 96, then 15 upright ones of 64 × 128."""
    one = write_clip(folder / "one.ts", frames=15, tracks=0)
    pts = [15 * STEP + n * STEP for n in range(15)]
    other = write_clip(
        folder / "other.ts", frames=15, tracks=0, width=64, height=128, pts=pts, time_base=TICKS
    )
    path = folder / "call.ts"
    path.write_bytes(one.read_bytes() + other.read_bytes())
    return path


def unfinished(folder: Path) -> Path:
    """A fragmented mp4 whose recorder was killed."""
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    whole = write_clip(
        folder / "whole.mp4",
        frames=60,
        options={"g": "10", "crf": "10"},
        container_options=options,
    )
    data = whole.read_bytes()
    path = folder / "unfinished.mp4"
    path.write_bytes(data[: int(len(data) * 0.7)])
    return path


def subtitled(folder: Path, codec: str, lines: Sequence[bytes]) -> Path:
    """Subtitles of text in Matroska, a line every half second, the first from 0.1 to 0.4 s."""
    plain = write_clip(folder / "plain.mkv", tracks=0, frames=25)
    path = folder / "subtitled.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as made:
        pictures = made.add_stream_from_template(source.streams.video[0])
        text = made.add_mux_stream(codec)
        text.time_base = Fraction(1, 1000)
        made.start_encoding()
        for number, line in enumerate(lines):
            packet = av.Packet(line)
            packet.stream, packet.duration, packet.time_base = text, 300, Fraction(1, 1000)
            packet.pts = packet.dts = 100 + 500 * number
            made.mux(packet)
        for one in source.demux(video=0):
            if one.size:
                one.stream = pictures
                made.mux(one)
    return path


def all_tracks(folder: Path) -> Path:
    """Two sound tracks, subtitles, chapters, a font and a second video track in Matroska."""
    plain = write_clip(folder / "sounds.mkv", tracks=2, frames=25)
    path = folder / "tracks.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as made:
        streams = {s.index: made.add_stream_from_template(s) for s in source.streams}
        for stream, language in zip(list(streams.values())[1:], ("deu", "eng"), strict=True):
            stream.metadata["language"] = language
        second = made.add_stream_from_template(source.streams.video[0])
        second.metadata["title"] = "behind the scenes"
        second.disposition = Disposition(0)
        text = made.add_mux_stream("subrip")
        text.time_base = Fraction(1, 1000)
        made.add_attachment("font.ttf", "application/x-truetype-font", b"not a font")
        chapters: list[Any] = [  # versions of PyAV differ in the type of a time base
            {
                "id": number,
                "start": 500 * number,
                "end": 500 * number + 500,
                "time_base": Fraction(1, 1000),
                "metadata": {"title": title},
            }
            for number, title in enumerate(("one", "two"))
        ]
        made.set_chapters(chapters)
        line = av.Packet(b"hello")
        line.stream, line.pts, line.dts, line.duration = text, 100, 100, 500
        line.time_base = Fraction(1, 1000)
        made.start_encoding()
        made.mux(line)
        for packet in source.demux():
            if packet.size:
                pts, dts = packet.pts, packet.dts
                again = av.Packet(bytes(packet)) if packet.stream.type == "video" else None
                if again is not None:
                    again.pts, again.dts, again.time_base = pts, dts, packet.time_base
                    again.duration, again.is_keyframe = packet.duration, packet.is_keyframe
                    again.stream = second
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
                if again is not None:
                    made.mux(again)
    return path


def interlaced(folder: Path) -> Path:
    """25 interlaced pictures, top field first; a column moves between the fields."""
    path = folder / "interlaced.mts"
    with av.open(str(path), "w", format="mpegts") as made:
        stream = made.add_stream("libx264", 25, options={"flags": "+ilme+ildct", "crf": "5"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.field_order = 2
        for number in range(25):
            image = picture(number, 128, 96)
            image[1::2] = picture(number + 1, 128, 96)[1::2]
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return path
