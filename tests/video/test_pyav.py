"""What PyAV's versions do differently is the same behind ``faceswap.video.pyav``."""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from made_clips import write_clip

from faceswap.video.compare import audio_digests
from faceswap.video.provenance import is_marked_synthetic
from faceswap.video.pyav import fraction, open_input, printable, printable_metadata
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter


@dataclass(frozen=True)
class Ratio:
    """As PyAV's AVRational: 0/1 where unset, and a denominator of 0 is allowed."""

    numerator: int
    denominator: int


def test_rates_are_fractions_whatever_pyav_gives() -> None:
    assert fraction(None) is None
    assert fraction(Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert fraction(Fraction(0)) is None
    kinds: list[Any] = [Ratio, *([vars(av)["AVRational"]] if "AVRational" in vars(av) else [])]
    for kind in kinds:
        known = fraction(kind(30000, 1001))
        assert known == Fraction(30000, 1001)
        assert type(known) is Fraction
        assert [fraction(kind(*unset)) for unset in ((0, 1), (0, 0), (1, 0))] == [None] * 3


def test_what_is_not_utf_8_becomes_a_replacement_character() -> None:
    assert printable("größe") == "größe"
    assert printable(b"caf\xe9 \xff".decode("utf-8", "surrogateescape")) == "caf� �"
    assert printable_metadata({"t\udce9": "\udcff"}) == {"t�": "�"}


@pytest.fixture
def latin(tmp_path: Path) -> Path:
    """A video with sound whose title and author are Latin-1, as old cameras write them."""
    path, marked = write_clip(tmp_path / "clip.mp4", frames=5), tmp_path / "latin.mkv"
    with av.open(str(path)) as old, av.open(str(marked), "w") as new:
        new.metadata.update({"title": "caf0 Z0rich"})
        pairs = {}
        for stream in (old.streams.video[0], old.streams.audio[0]):
            pairs[stream.index] = new.add_stream_from_template(stream)
            pairs[stream.index].metadata["author"] = "Z0rich caf0"
        for packet in old.demux(*old.streams.video, *old.streams.audio):
            if packet.dts is not None:
                packet.stream = pairs[packet.stream.index]
                new.mux(packet)
    data = marked.read_bytes()
    assert data.count(b"caf0 Z0rich") == 1
    assert data.count(b"Z0rich caf0") == 2
    data = data.replace(b"caf0 Z0rich", b"caf\xe9 Z\xfcrich")
    marked.write_bytes(data.replace(b"Z0rich caf0", b"Z\xfcrich caf\xe9"))
    return marked


def test_metadata_in_another_encoding_does_not_stop_a_video(latin: Path, tmp_path: Path) -> None:
    with open_input(latin) as container:
        title = container.metadata["title"]
    assert title.encode("utf-8", "surrogateescape") == b"caf\xe9 Z\xfcrich"
    video = VideoReader(latin)
    assert video.info.metadata["title"] == "caf� Z�rich"
    assert b"caf" in json.dumps(dict(video.info.metadata), ensure_ascii=False).encode()
    assert not is_marked_synthetic(latin)
    assert audio_digests(latin)
    for suffix in (".mp4", ".mkv"):
        with VideoWriter(tmp_path / f"copy{suffix}", video.info) as writer:
            for frame in video:
                writer.write(frame.image, frame.pts, frame.duration)
        copy = VideoReader(writer.path)
        assert copy.info.metadata["title"] == "caf� Z�rich"
        assert is_marked_synthetic(copy.path)
    with open_input(tmp_path / "copy.mkv") as container:
        written = {key.lower(): value for key, value in container.streams.audio[0].metadata.items()}
    assert written["author"] == "Z�rich caf�"
