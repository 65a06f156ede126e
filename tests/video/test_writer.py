"""VideoWriter: everything but the pixels that were changed stays as it was."""

import os
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import MakeClip, write_clip
from skimage.metrics import peak_signal_noise_ratio

from faceswap.errors import OutputError
from faceswap.io.provenance import DRAWN, SWAPPED, Provenance
from faceswap.lab.task_registry import TASKS
from faceswap.video import provenance
from faceswap.video.encoding import Encoding, OutputLabel
from faceswap.video.info import VideoInfo
from faceswap.video.output_file import check_output
from faceswap.video.reader import Frame, VideoReader
from faceswap.video.writer import VideoWriter, expected_size


def sounds(path: Path) -> list[tuple[int, int | None, int | None, int | None, bytes]]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        return [
            (packet.stream.index, packet.pts, packet.dts, packet.duration, bytes(packet))
            for packet in container.demux(container.streams.audio)
            if packet.size
        ]


def copy(path: Path, out: Path, **options: object) -> VideoReader:
    video = VideoReader(path)
    with VideoWriter(out, video.info, **options) as writer:  # type: ignore[arg-type]
        for frame in video:
            writer.write(frame.image, frame.pts, frame.duration)
    return VideoReader(out)


def psnr(a: Frame, b: Frame) -> float:
    return float(peak_signal_noise_ratio(a.image, b.image))


def test_a_copy_keeps_size_time_sound_and_rate(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tracks=2, frames=60)
    result, original = copy(path, tmp_path / "out.mp4"), VideoReader(path)
    a, b = original.info, result.info
    assert (b.width, b.height, b.time_base, b.rate) == (a.width, a.height, a.time_base, a.rate)
    assert (b.duration, b.frames, b.colour) == (a.duration, a.frames, a.colour)
    assert [(f.pts, f.duration) for f in result] == [(f.pts, f.duration) for f in original]
    assert sounds(result.path) == sounds(path)
    assert {index for index, *_ in sounds(path)} == {1, 2}
    quality = [psnr(*pair) for pair in zip(original, result, strict=True)]
    assert min(quality) > 38
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("first", [0, 7685])
def test_variable_rate_is_kept(make_clip: MakeClip, tmp_path: Path, first: int) -> None:
    steps = np.random.default_rng(0).integers(200, 9000, 39)
    pts = [first, *(first + np.cumsum(steps)).tolist()]
    path = make_clip(pts=pts, time_base=Fraction(1, 90000), suffix=".ts" if first else ".mp4")
    stamps = VideoReader(path).timestamps().tolist()
    result = copy(path, tmp_path / "out.mp4")
    assert result.timestamps().tolist() == stamps
    assert [f.pts for f in result] == stamps
    assert np.diff(stamps).tolist() == steps.tolist()
    # A transport stream puts a header before each packet, which the mp4 has once for all.
    for old, new in zip(sounds(path), sounds(result.path), strict=True):
        assert old[-1].endswith(new[-1])


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".m4v"])
def test_other_containers(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    path = make_clip()
    result = copy(path, tmp_path / f"out{suffix}")
    times = np.array([f.time for f in result])
    # Matroska has no times before zero: there the picture waits for sound that begins earlier.
    times -= times[0] if suffix == ".mkv" else 0
    assert times == pytest.approx([f.time for f in VideoReader(path)])
    assert [entry[-1] for entry in sounds(result.path)] == [entry[-1] for entry in sounds(path)]
    assert provenance.is_marked_synthetic(result.path)


@pytest.mark.parametrize("size", [(97, 75), (96, 75), (97, 76)])
def test_odd_sizes_are_kept(make_clip: MakeClip, tmp_path: Path, size: tuple[int, int]) -> None:
    path = make_clip(width=size[0], height=size[1], pixel_format="yuv444p", tracks=0)
    result = copy(path, tmp_path / "out.mp4")
    assert (result.info.width, result.info.height) == size
    assert min(psnr(*pair) for pair in zip(VideoReader(path), result, strict=True)) > 38


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_is_written_upright(
    make_clip: MakeClip, tmp_path: Path, rotation: int
) -> None:
    path = make_clip(rotation=rotation)
    result, original = copy(path, tmp_path / "out.mp4"), VideoReader(path)
    assert result.info.turn == (False, False, False)
    assert (result.info.width, result.info.height) == (original.info.width, original.info.height)
    assert psnr(next(original.frames()), next(result.frames())) > 38


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (1, 1, 1, 2), (6, 6, 6, 1), (5, 5, 6, 2)])
def test_colours_are_kept_and_tagged(
    make_clip: MakeClip, tmp_path: Path, colour: tuple[int, int, int, int]
) -> None:
    path = make_clip(colour=colour, tracks=0)
    result, original = copy(path, tmp_path / "out.mp4"), VideoReader(path)
    assert result.info.colour == original.info.colour
    error = next(result.frames()).image.astype(float) - next(original.frames()).image
    assert abs(error.mean()) < 0.5


def test_ten_bits_hdr_and_pictures_without_yuv(make_clip: MakeClip, tmp_path: Path) -> None:
    ten = make_clip(pixel_format="yuv420p10le", tracks=0, frames=5)
    result = copy(ten, tmp_path / "ten.mp4")
    assert result.info.pixel_format == "yuv420p"
    assert psnr(next(VideoReader(ten).frames()), next(result.frames())) > 38
    hdr = make_clip(pixel_format="yuv420p10le", tracks=0, frames=5, colour=(9, 9, 16, 1))
    result = copy(hdr, tmp_path / "hdr.mp4")
    assert not result.info.colour.hdr
    assert psnr(next(VideoReader(hdr).frames()), next(result.frames())) > 30
    rgb = make_clip(suffix=".mkv", codec="ffv1", pixel_format="bgr0", tracks=0, frames=5)
    result = copy(rgb, tmp_path / "rgb.mp4")
    assert result.info.colour.matrix == 1
    assert psnr(next(VideoReader(rgb).frames()), next(result.frames())) > 30


def test_the_result_says_that_it_is_synthetic(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip()
    assert not provenance.is_marked_synthetic(path)
    label = OutputLabel(metadata={"made with": "größe 1", "comment": "mine"})
    first = copy(path, tmp_path / "one.mp4", label=label)
    with av.open(str(first.path)) as container:
        entries = dict(container.metadata)
    assert entries[provenance.SOURCE_TYPE_KEY] == SWAPPED.code
    assert entries["made with"] == "größe 1"
    assert entries["comment"] == f"{SWAPPED.text} mine"
    assert provenance.is_marked_synthetic(first.path)
    again = copy(first.path, tmp_path / "two.mp4")
    assert again.info.metadata["comment"] == entries["comment"]
    assert again.info.metadata["made with"] == "größe 1"


def test_what_was_done_before_is_told_too(make_clip: MakeClip, tmp_path: Path) -> None:
    path, quiet = make_clip(), TASKS["denoise"].provenance
    clean = copy(path, tmp_path / "clean.mp4", label=OutputLabel(quiet)).path
    assert provenance.provenance_of(clean) == quiet
    assert not provenance.is_marked_synthetic(clean)
    swapped = copy(clean, tmp_path / "swapped.mkv").path
    assert provenance.provenance_of(swapped) == Provenance(
        f"{SWAPPED.text} {quiet.text}", SWAPPED.code
    )
    # Noise taken off a swap does not make it less of a swap, nor do points drawn on it.
    again = copy(swapped, tmp_path / "again.mp4", label=OutputLabel(quiet)).path
    assert provenance.provenance_of(again) == provenance.provenance_of(swapped)
    drawn = copy(swapped, tmp_path / "drawn.mp4", label=OutputLabel(DRAWN)).path
    assert provenance.provenance_of(drawn).code == SWAPPED.code
    plain = provenance.provenance_of(
        copy(path, tmp_path / "plain.mp4", label=OutputLabel(DRAWN)).path
    )
    assert plain == DRAWN


def test_sound_that_the_container_cannot_hold(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(suffix=".mkv", audio_codec="wavpack")
    with VideoWriter(tmp_path / "told.mp4", VideoReader(path).info) as writer:
        assert any("wavpack" in told and "becomes AAC" in told for told in writer.notices)
        writer.write(next(VideoReader(path).frames()).image, 0)
    made = copy(path, tmp_path / "out.mp4")
    assert made.info.audio[0].codec == "aac"
    result = copy(path, tmp_path / "out.mkv")
    assert [entry[-1] for entry in sounds(result.path)] == [entry[-1] for entry in sounds(path)]


def test_spaces_and_other_scripts_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "mit Leerzeichen: ż ü 100% 東京"
    folder.mkdir()
    path = write_clip(folder / "видео 1.mp4", frames=3)
    assert len(list(copy(path, folder / "результат 2.mp4"))) == 3


def test_places_that_cannot_be_written_are_refused_at_once(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    path = make_clip()
    info = VideoReader(path).info
    (tmp_path / "there.mp4").write_text("precious")
    (tmp_path / "folder.mp4").mkdir()
    refused = {
        tmp_path / "there.mp4": "--overwrite",
        tmp_path / "folder.mp4": "is a folder",
        tmp_path / "missing" / "out.mp4": "no folder",
        tmp_path / "out.txt": "use one of",
        path: "is the video being read",
        Path("/proc/out.mp4"): "writable|cannot be written|full",
    }
    for out, message in refused.items():
        with pytest.raises(OutputError, match=message):
            VideoWriter(out, info)
    with pytest.raises(OutputError, match="is the video being read"):
        check_output(path, overwrite=True, source=info.path)
    assert (tmp_path / "there.mp4").read_text() == "precious"
    copy(path, tmp_path / "there.mp4", overwrite=True)
    assert (tmp_path / "there.mp4").stat().st_size > 100


def test_until_it_is_finished_nothing_has_the_final_name(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    video = VideoReader(make_clip())
    out.write_text("precious")
    stopping = RuntimeError("stop")

    def stop_half_way() -> None:
        with VideoWriter(out, video.info, overwrite=True) as writer:
            for frame in video.frames(0, 20):
                writer.write(frame.image, frame.pts)
            assert out.read_text() == "precious"
            raise stopping

    with pytest.raises(RuntimeError, match="stop"):
        stop_half_way()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]
    with (
        pytest.raises(OutputError, match="no frames"),
        VideoWriter(tmp_path / "none.mp4", video.info),
    ):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


def test_a_video_whose_name_is_held_by_a_player_is_kept_beside_it(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, video = tmp_path / "out.mp4", VideoReader(make_clip())
    out.write_text("being played")
    replace_by = os.replace

    def refused(one: Path, other: Path) -> None:  # as Windows does
        if Path(other) == out:
            raise PermissionError(13, "Access is denied")
        replace_by(one, other)

    monkeypatch.setattr(os, "replace", refused)
    with VideoWriter(out, video.info, overwrite=True) as writer:
        for frame in video.frames(0, 5):
            writer.write(frame.image, frame.pts)
        with pytest.raises(OutputError, match=r"is open in another program .*/out 2\.mp4"):
            writer.finish()
        monkeypatch.undo()
    assert out.read_text() == "being played"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out 2.mp4", "out.mp4"]
    assert len(list(VideoReader(tmp_path / "out 2.mp4").frames())) == 5


def test_frames_that_do_not_fit_are_refused(make_clip: MakeClip, tmp_path: Path) -> None:
    info = VideoReader(make_clip()).info
    with VideoWriter(tmp_path / "out.mp4", info) as writer:
        writer.write(np.zeros((96, 128, 3), np.uint8), 0)
        with pytest.raises(ValueError, match="they must increase"):
            writer.write(np.zeros((96, 128, 3), np.uint8), 0)
        with pytest.raises(ValueError, match="frame"):
            writer.write(np.zeros((96, 64, 3), np.uint8), 512)


def write_noise(out: Path, info: VideoInfo) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (3, info.height, info.width, 3), np.uint8)
    with VideoWriter(out, info) as writer:
        for number in range(200):
            writer.write(images[number % 3], number * 512)


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit on Windows")
def test_a_full_disk_is_an_error_and_leaves_nothing(make_clip: MakeClip, tmp_path: Path) -> None:
    info = replace(VideoReader(make_clip()).info, width=320, height=240)
    import resource  # not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(OutputError, match="is full; free some space"):
            write_noise(tmp_path / "out.mp4", info)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_from_the_start(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = VideoReader(make_clip()).info
    assert expected_size(info) > info.path.stat().st_size
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OutputError, match="is full"):
        VideoWriter(tmp_path / "out.mp4", info)


@pytest.mark.real
def test_real_clips_keep_frames_timestamps_and_sound(clips: Path, tmp_path: Path) -> None:
    for path in sorted(clips.glob("*.mp4")):
        result = copy(path, tmp_path / path.name, encoding=Encoding(preset="ultrafast"))
        original = VideoReader(path)
        assert result.timestamps().tolist() == original.timestamps().tolist()
        assert result.info.time_base == original.info.time_base
        assert result.info.rate == original.info.rate
        assert sounds(result.path) == sounds(path)
        pairs = zip(original.frames(0, 25), result.frames(0, 25), strict=True)
        assert np.mean([psnr(*pair) for pair in pairs]) > 38
