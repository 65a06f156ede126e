"""VideoReader: every frame, once, upright, in the right colours; and what is not a video."""

import random
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import PIL.Image
import pytest
from made_clips import MakeClip, picture, write_clip

from faceswap.errors import InputError
from faceswap.types import UInt8Image
from faceswap.video.reader import Frame, VideoReader, read_image


def content(frames: Iterable[Frame]) -> list[tuple[int, int, int, bytes]]:
    return [(f.index, f.pts, f.duration, f.image.tobytes()) for f in frames]


def test_info_says_what_the_file_is(make_clip: MakeClip) -> None:
    path = make_clip(tracks=2)
    info = VideoReader(path).info
    assert (info.width, info.height, info.frames, info.rate) == (128, 96, 40, Fraction(25))
    assert info.duration == pytest.approx(1.6)
    assert (info.codec, info.pixel_format, info.still) == ("h264", "yuv420p", False)
    assert [sound.codec for sound in info.audio] == ["aac", "aac"]
    assert info.audio[0].rate == 16000


def test_frames_are_numbered_timed_and_owned(make_clip: MakeClip) -> None:
    with VideoReader(make_clip()) as video:
        frames = list(video)
    assert [f.index for f in frames] == list(range(40))
    assert [f.time for f in frames] == [n / 25 for n in range(40)]
    image = frames[3].image
    assert image.shape == (96, 128, 3)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert image.flags.c_contiguous
    error = np.abs(image.astype(int) - picture(3, 128, 96))
    assert np.median(error) <= 4


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_pass_from_the_middle_gives_the_same_frames(make_clip: MakeClip, codec: str) -> None:
    gop = {"g": "12", "bf": "2"}
    video = VideoReader(make_clip(codec=codec, frames=60, options=gop, tracks=0))
    whole = content(video.frames())
    for start in (0, 1, 11, 12, 13, 37, 59):
        assert content(video.frames(start)) == whole[start:], start
    assert content(video.frames(20, 31)) == whole[20:31]
    assert content(video.frames(5, 50, 7)) == whole[5:50:7]
    assert content(video.frames(60)) == []


def test_open_groups_of_pictures_are_entered_exactly(make_clip: MakeClip) -> None:
    options = {"x264-params": "keyint=10:open-gop=1:bframes=3:scenecut=0"}
    video = VideoReader(make_clip(frames=60, options=options, tracks=0))
    whole = content(video.frames())
    for start in random.Random(0).sample(range(60), 12):
        assert content(video.frames(start, start + 3)) == whole[start : start + 3]


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".ts", ".mov"])
def test_other_containers(make_clip: MakeClip, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    path = make_clip(suffix=suffix, codec=codec, tracks=0, options={"bf": "2"})
    video = VideoReader(path)
    whole = content(video.frames())
    assert len(whole) == 40
    assert content(video.frames(17)) == whole[17:]
    assert video.timestamps().tolist() == [pts for _, pts, _, _ in whole]


def test_variable_rate_keeps_every_timestamp(make_clip: MakeClip) -> None:
    pts = [0, *np.cumsum(np.random.default_rng(0).integers(200, 9000, 29)).tolist()]
    video = VideoReader(make_clip(frames=30, pts=pts, time_base=Fraction(1, 90000)))
    assert video.info.time_base == Fraction(1, 90000)
    assert [f.pts for f in video] == pts
    assert video.timestamps().tolist() == pts
    assert [f.pts for f in video.frames(11, 13)] == pts[11:13]
    assert video.index_at(pts[7] / 90000) == 7
    assert video.index_at((pts[8] - 1) / 90000) == 7
    assert video.index_at(-1.0) == 0


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_rotated_video_is_upright(make_clip: MakeClip, rotation: int, turns: int) -> None:
    plain = next(VideoReader(make_clip(tracks=0)).frames()).image
    video = VideoReader(make_clip(tracks=0, rotation=rotation))
    image = next(video.frames()).image
    assert image.shape == (video.info.height, video.info.width, 3)
    assert np.array_equal(image, np.rot90(plain, turns))


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (1, 1, 1, 2), (5, 5, 6, 1), (6, 6, 6, 2)])
def test_matrix_and_range_are_respected(
    make_clip: MakeClip, colour: tuple[int, int, int, int]
) -> None:
    video = VideoReader(make_clip(colour=colour, tracks=0, options={"crf": "1"}))
    assert video.info.colour.full_range == (colour[3] == 2)
    assert video.info.colour.matrix == colour[0]
    image = next(video.frames()).image.astype(float)
    assert np.abs(np.mean(image - picture(0, 128, 96), axis=(0, 1))).max() < 1


def test_ten_bits_and_hdr_become_eight_bit_rgb(make_clip: MakeClip) -> None:
    ten = VideoReader(make_clip(pixel_format="yuv420p10le", tracks=0, options={"crf": "1"}))
    assert ten.info.pixel_format == "yuv420p10le"
    error = next(ten.frames()).image.astype(float) - picture(0, 128, 96)
    assert abs(error.mean()) < 0.6
    options = {"crf": "1"}
    hdr = make_clip(
        pixel_format="yuv420p10le", tracks=0, colour=(9, 9, 16, 1), options=options, frames=3
    )
    assert VideoReader(hdr).info.colour.hdr
    mapped = next(VideoReader(hdr).frames()).image
    # The test picture's code values mean up to thousands of candela in PQ: bright, not black.
    assert mapped.mean() > picture(0, 128, 96).mean()


def test_passes_are_independent_and_close_their_files(make_clip: MakeClip) -> None:
    with VideoReader(make_clip()) as video:
        first, second = video.frames(), video.frames(10)
        assert [next(first).index, next(second).index, next(first).index] == [0, 10, 1]
    assert next(first, None) is None


@pytest.mark.parametrize("name", ["picture.png", "100% größe.png", "picture.jpg"])
def test_a_picture_is_a_video_of_one_frame(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frame = av.VideoFrame.from_ndarray(picture(0, 65, 43), format="rgb24")
    plain = tmp_path / f"plain{path.suffix}"
    frame.save(str(plain))
    plain.rename(path)
    video = VideoReader(path)
    assert video.info.still
    assert (video.info.frames, len(list(video))) == (1, 1)
    error = read_image(path).astype(int) - picture(0, 65, 43)
    assert np.abs(error).mean() < (0.01 if path.suffix == ".png" else 12)


ORIENTATIONS: dict[int, Callable[[UInt8Image], UInt8Image]] = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda image: np.rot90(image),
}
"""What EXIF's orientations ask for."""


def with_exif(path: Path, image: UInt8Image, orientation: int | None) -> Path:
    """A picture with the name of a camera, and how it was held."""
    page = PIL.Image.fromarray(image)
    exif = page.getexif()
    exif[0x0110] = "A camera"
    if orientation is not None:
        exif[0x0112] = orientation
    page.save(path, exif=exif, lossless=path.suffix == ".webp")
    return path


@pytest.mark.parametrize("orientation", [None, 9, *ORIENTATIONS])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_camera_s_picture_is_upright(
    suffix: str, orientation: int | None, tmp_path: Path
) -> None:
    stored = picture(0, 64, 40)
    path = with_exif(tmp_path / f"p{suffix}", stored, orientation)
    upright = ORIENTATIONS.get(orientation or 1, ORIENTATIONS[1])(stored)
    video = VideoReader(path)
    assert (video.info.height, video.info.width) == upright.shape[:2]
    error = np.abs(read_image(path).astype(int) - upright)
    assert error.mean() < (8 if suffix == ".jpg" else 0.01)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_video_of_a_camera_s_pictures_is_upright(
    orientation: int, turns: int, tmp_path: Path
) -> None:
    # libav gives such frames side data of a kind that PyAV may not know.
    stored = picture(0, 64, 40)
    one = with_exif(tmp_path / "p.jpg", stored, orientation).read_bytes()
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", 10)
        stream.width, stream.height, stream.pix_fmt = 64, 40, "yuvj420p"
        container.start_encoding()
        for number in range(3):
            packet = av.Packet(one)
            packet.stream, packet.is_keyframe = stream, True
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, 10)
            container.mux(packet)
    frames = list(VideoReader(path))
    assert len(frames) == 3
    assert np.abs(frames[2].image.astype(int) - np.rot90(stored, turns)).mean() < 8


def test_spaces_and_other_scripts_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "mit Leerzeichen: ż ü 東京"
    folder.mkdir()
    path = write_clip(folder / "видео 1.mp4", frames=3)
    assert len(list(VideoReader(path))) == 3


def test_a_truncated_file_gives_its_frames_and_then_says_so(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    whole = make_clip(frames=200, options={"crf": "10", "movflags": "faststart"})
    path = tmp_path / "short.mkv"
    matroska = make_clip(frames=200, suffix=".ts")
    path.write_bytes(matroska.read_bytes()[: matroska.stat().st_size // 2])
    assert 20 < len(list(VideoReader(path, tolerate_damage=True))) < 180
    # In an mp4 the table of contents has to come first, or nothing can be read at all.
    first = tmp_path / "first.mp4"
    with av.open(str(whole)) as a, av.open(str(first), "w", options={"movflags": "faststart"}) as b:
        out = b.add_stream_from_template(a.streams.video[0], opaque=True)
        for packet in a.demux(a.streams.video[0]):
            if packet.size:
                packet.stream = out
                b.mux(packet)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
    seen: list[Frame] = []
    with pytest.raises(InputError, match=r"cut\.mp4 is (truncated|damaged)"):
        seen.extend(VideoReader(cut))
    complete = content(VideoReader(whole).frames())
    assert 20 < len(seen) < 180
    assert content(seen[:-1]) == complete[: len(seen) - 1]
    tolerant = VideoReader(cut, tolerate_damage=True)
    assert len(list(tolerant)) >= len(seen)
    assert tolerant.damage is not None


def test_damage_in_the_middle_never_crashes(make_clip: MakeClip, tmp_path: Path) -> None:
    data = bytearray(make_clip(frames=100, codec="mpeg4").read_bytes())
    place = len(data) // 3
    data[place : place + 3000] = random.Random(1).randbytes(3000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    assert len(list(VideoReader(path, tolerate_damage=True))) >= 90


def test_what_is_not_a_video_is_said_in_a_sentence(make_clip: MakeClip, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("hello\n" * 100)
    (tmp_path / "noise.mp4").write_bytes(random.Random(0).randbytes(5000))
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(make_clip().read_bytes()[:9000])
    sound = tmp_path / "sound.m4a"
    with av.open(str(sound), "w", format="mp4") as container:
        stream = container.add_stream("aac", 16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    expected = {
        "empty.mp4": "is empty",
        "notes.txt": "not a video|cannot be read",
        "noise.mp4": "cannot be read",
        "headless.mp4": "cannot be read",
        "sound.m4a": "only sound",
        "missing.mp4": "There is no file",
        ".": "has no pictures",
    }
    for name, message in expected.items():
        with pytest.raises(InputError, match=message) as caught:
            VideoReader(tmp_path / name)
        assert str(caught.value).endswith(".")


def test_a_codec_that_nobody_knows_is_said(make_clip: MakeClip, tmp_path: Path) -> None:
    """PyAV 18.0 ended the process here."""
    data = make_clip(suffix=".mkv", frames=5).read_bytes()
    assert data.count(b"V_MPEG4/ISO/AVC") == 1
    path = tmp_path / "future.mkv"
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_NOT/YET/KNOWN"))
    with pytest.raises(InputError, match=r"future\.mkv cannot be read as a video .*[Dd]ecoder"):
        VideoReader(path)


@pytest.mark.real
def test_real_clips_are_read_exactly_from_anywhere(clips: Path) -> None:
    for path in sorted(clips.glob("*.mp4")):
        video = VideoReader(path)
        stamps = video.timestamps().tolist()
        assert len(stamps) == video.info.frames
        whole = content(video.frames(0, 60))
        assert [pts for _, pts, _, _ in whole] == stamps[:60]
        assert content(video.frames(41, 60)) == whole[41:]
