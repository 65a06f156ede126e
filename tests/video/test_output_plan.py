"""What an output would lose is told before any work, for each kind of camera file."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import camera_clips
import numpy as np
import pytest
from av.audio.stream import AudioStream
from made_clips import MakeClip, write_clip

from faceswap.errors import OutputError
from faceswap.video import encoders
from faceswap.video.encoding import AudioMode, Encoding
from faceswap.video.info import VideoInfo
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.reader import VideoReader
from faceswap.video.span import Span
from faceswap.video.writer import VideoWriter


def planned(path: Path, out: Path, encoding: Encoding | None = None) -> OutputPlan:
    return plan_output(out, VideoReader(path).info, encoding or Encoding(audio="auto"))


def copied(path: Path, out: Path, encoding: Encoding | None = None) -> VideoReader:
    """``path`` through the writer without a patch."""
    video = VideoReader(path, tolerate_damage=True)
    plan = planned(path, out, encoding)
    video.deinterlace = plan.deinterlaced
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage():
            writer.write_footage(one)
    return VideoReader(out)


def sound_seconds(path: Path) -> tuple[float, float]:
    """When the first sound track begins and ends."""
    with av.open(str(path)) as container:
        base = container.streams.audio[0].time_base
        assert base is not None
        packets = [p for p in container.demux(container.streams.audio[0]) if p.size]
        begin = min(p.pts for p in packets if p.pts is not None)
        end = max(p.pts + (p.duration or 0) for p in packets if p.pts is not None)
        return float(begin * base), float(end * base)


def sound_packets(path: Path, number: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[number]) if p.size]


def test_a_second_sound_track_without_a_codec_is_left_out_and_said(tmp_path: Path) -> None:
    path = camera_clips.spatial_sound(tmp_path)
    (told,) = planned(path, tmp_path / "o.mp4").notices
    assert "Sound track 2" in told
    assert "left out" in told
    made = copied(path, tmp_path / "o.mp4")
    assert [sound.codec for sound in made.info.audio] == ["aac"]
    assert sound_packets(made.path) == sound_packets(path)


@pytest.mark.parametrize(
    ("codec", "suffix", "out", "mode", "expected"),
    [
        ("wmav2", ".asf", ".mkv", "auto", "aac"),
        ("pcm_mulaw", ".mov", ".mkv", "auto", "aac"),
        ("pcm_s16le", ".mov", ".mp4", "auto", "aac"),
        ("pcm_s16le", ".mov", ".mov", "copy", "pcm_s16le"),
        ("libopus", ".mkv", ".mp4", "auto", "aac"),
        ("libopus", ".mkv", ".mp4", "copy", "opus"),
        ("libopus", ".mkv", ".mkv", "auto", "opus"),
        ("flac", ".mkv", ".webm", "auto", "opus"),
        ("ac3", ".mkv", ".mp4", "auto", "ac3"),
        ("ac3", ".mkv", ".mp4", "aac", "aac"),
        ("aac", ".mp4", ".mp4", "none", None),
    ],
)
def test_sound_is_copied_where_it_plays_else_converted_and_said(
    tmp_path: Path, codec: str, suffix: str, out: str, mode: AudioMode, expected: str | None
) -> None:
    path = with_sound(tmp_path / f"in{suffix}", codec)
    video = VideoReader(path)
    plan = planned(path, tmp_path / f"o{out}", Encoding(audio=mode, preset="ultrafast"))
    made = copied(path, plan.path, plan.encoding)
    assert [sound.codec for sound in made.info.audio] == ([expected] if expected else [])
    same = expected == video.info.audio[0].codec
    assert bool(plan.notices) == (expected is not None and not same)
    if same:
        assert sound_packets(made.path) == sound_packets(path)
    elif expected:
        before, after = sound_seconds(path), sound_seconds(made.path)
        assert after == pytest.approx(before, abs=0.08)


def with_sound(path: Path, codec: str) -> Path:
    """A second of 48 kHz stereo in ``codec``, with 25 frames."""
    with av.open(str(path), "w", container_options={"strict": "-2"}) as made:
        video = made.add_stream("libx264", 25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        sound = made.add_stream(codec, 48000, layout="stereo", bit_rate=96000)
        assert isinstance(sound, AudioStream)
        for number in range(25):
            image = np.full((64, 64, 3), 8 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(image).reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            made.mux(video.encode(frame))
        made.mux(video.encode(None))
        wave = np.sin(np.arange(48000) / 20).astype(np.float32) * 0.3
        for start in range(0, 48000, 960):
            block = av.AudioFrame.from_ndarray(
                np.stack([wave[start : start + 960]] * 2), format="fltp", layout="stereo"
            )
            block.sample_rate, block.pts, block.time_base = 48000, start, Fraction(1, 48000)
            made.mux(sound.encode(block))
        made.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(
    ("make", "frames"), [(camera_clips.joined, 50), (camera_clips.wrapped, 50)]
)
def test_a_clock_that_jumps_goes_on_without_a_gap(
    tmp_path: Path, make: Callable[[Path], Path], frames: int
) -> None:
    made = copied(make(tmp_path), tmp_path / "o.mp4")
    times = made.timestamps() * float(made.info.time_base)
    assert len(times) == len(list(made)) == frames
    assert np.diff(times) == pytest.approx(0.04, abs=1e-4)
    begin, end = sound_seconds(made.path)
    assert begin == pytest.approx(times[0], abs=0.12)
    assert end == pytest.approx(times[-1] + 0.04, abs=0.12)


def test_sound_stays_in_step_after_a_join(tmp_path: Path) -> None:
    path = camera_clips.joined(tmp_path)
    made = copied(path, tmp_path / "o.mp4")
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        lead = ((sound.start_time or 0) - (video.start_time or 0)) / 90000
    with av.open(str(made.path)) as container:
        base = float(container.streams.audio[0].time_base or 0)
        packets = [p for p in container.demux(container.streams.audio[0]) if p.size]
    second = made.timestamps()[25] * float(made.info.time_base)
    starts = np.array([(p.pts or 0) * base for p in packets])
    # A packet of the second recording begins as long after its pictures as in the file.
    nearest = np.abs(starts - (second + lead)) % (1024 / 16000)
    assert min(nearest.min(), (1024 / 16000) - nearest.max()) < 0.002


def test_the_moving_stream_is_the_footage(tmp_path: Path) -> None:
    path = camera_clips.thumbnail_first(tmp_path)
    made = copied(path, tmp_path / "o.mkv")
    assert made.info.stored == (128, 96)
    assert len(list(made)) == 25
    assert any("copied as they are" in told for told in planned(path, tmp_path / "p.mkv").notices)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [("libvpx-vp9", "yuv420p", (86, 48)), ("libx264", "yuv444p", (85, 47))],
)
def test_odd_sizes_play_everywhere_unless_the_source_has_full_chroma(
    tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    path = write_clip(
        tmp_path / "odd.mkv",
        width=85,
        height=47,
        codec=codec,
        pixel_format=pixel_format,
        tracks=0,
        frames=5,
        options={},
    )
    plan = planned(path, tmp_path / "o.mp4")
    assert plan.size == size
    assert plan.pixel_format == pixel_format
    assert any("odd size" in told for told in plan.notices) == (size != (85, 47))
    made = copied(path, plan.path)
    assert made.info.pixel_format == pixel_format
    a, b = next(VideoReader(path).frames()).image, next(made.frames()).image
    assert np.abs(a.astype(int) - b[:47, :85]).mean() < 3


def test_the_measured_rate_sets_the_level(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(suffix=".mkv", rate=1000, pts=list(range(0, 800, 40)), frames=20, tracks=0)
    info = VideoReader(path).info
    assert float(info.rate) == pytest.approx(25, rel=0.06)
    made = copied(path, tmp_path / "o.mp4")
    with av.open(str(made.path)) as container:
        assert container.streams.video[0].codec_context.level <= 31


def test_all_tracks_are_kept_where_the_container_can_else_named(tmp_path: Path) -> None:
    path = camera_clips.all_tracks(tmp_path)
    kept = copied(path, tmp_path / "o.mkv").info
    assert [track.kind for track in kept.tracks] == ["video", "subtitle", "attachment"]
    assert kept.chapters == 2
    assert [sound.language for sound in kept.audio] == ["deu", "eng"]
    plan = planned(path, tmp_path / "o.mp4")
    (lost,) = [told for told in plan.notices if "leaves out" in told]
    assert "font.ttf" in lost
    assert any("without their styles: subtitle track (srt)" in told for told in plan.notices)
    made = copied(path, tmp_path / "o.mp4")
    assert made.info.chapters == 2
    assert "subtitle" in [track.kind for track in made.info.tracks]


@pytest.mark.parametrize(
    ("codec", "lines", "shown"),
    [
        ("subrip", (b"<i>hello</i>", b"w\xc3\xb6rld\r\nand all"), ["hello", "w\u00f6rld\nand all"]),
        ("ass", (b"0,0,Default,,0,0,0,,{\\b1}hello, you", b"\xff"), ["hello, you"]),
    ],
)
def test_subtitles_of_text_are_timed_text_in_mp4(
    codec: str, lines: tuple[bytes, ...], shown: list[str], tmp_path: Path
) -> None:
    path = camera_clips.subtitled(tmp_path, codec, lines)
    with av.open(str(copied(path, tmp_path / "o.mp4").path)) as container:
        packets = [packet for packet in container.demux(subtitles=0) if packet.size > 2]
    texts = [bytes(packet)[2:].decode() for packet in packets]
    assert texts[: len(shown)] == shown
    first = packets[0]
    assert first.pts is not None
    assert first.duration is not None
    assert float(first.pts * first.time_base) == pytest.approx(0.1, abs=0.001)
    assert float(first.duration * first.time_base) == pytest.approx(0.3, abs=0.001)


def test_what_is_left_of_unfinished_sound_is_kept_and_the_rest_said(tmp_path: Path) -> None:
    path = camera_clips.unfinished(tmp_path)
    video = VideoReader(path, tolerate_damage=True)
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding(audio="auto"))
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage():
            writer.write_footage(one)
    assert video.damage is not None
    kept = sound_packets(plan.path)
    assert kept
    whole = sound_packets(tmp_path / "whole.mp4")
    assert kept == whole[: len(kept)]


def test_pictures_of_another_size_keep_their_aspect(tmp_path: Path) -> None:
    path = camera_clips.resized_midway(tmp_path)
    video = VideoReader(path)
    frames = list(video)
    assert video.resized is not None
    assert "0.60 s" in video.resized
    late = frames[-1].image
    assert late[:, :32].max() < 4  # 48 × 96 of 128 × 96
    assert late[:, 96:].max() < 4
    assert late[:, 48:80].mean() > 60


def test_interlaced_footage_stays_so_or_is_deinterlaced(tmp_path: Path) -> None:
    path = camera_clips.interlaced(tmp_path)
    stays = copied(path, tmp_path / "o.mp4")
    assert stays.info.fields == "tff"
    made = copied(path, tmp_path / "p.mp4", Encoding(deinterlace=True))
    assert made.info.fields == ""
    assert len(list(made)) == 25

    def combing(video: VideoReader) -> float:
        image = next(video.frames(12, 13)).image.astype(float)
        return float(np.abs(image[1:-1:2] - (image[:-2:2] + image[2::2]) / 2).mean())

    assert combing(made) < 0.7 * combing(stays)
    plan = planned(path, tmp_path / "q.mp4", Encoding(codec="h265"))
    assert plan.deinterlaced
    assert any("deinterlaced" in told for told in plan.notices)


@pytest.mark.parametrize(
    ("info", "suffix", "expected"),
    [
        ({}, ".mp4", ("libx264", "yuv420p")),
        ({"pixel_format": "yuv420p10le"}, ".mp4", ("libx265", "yuv420p10le")),
        ({"pixel_format": "yuv422p12le"}, ".mkv", ("libx265", "yuv422p12le")),
        ({"pixel_format": "yuv422p"}, ".mov", ("libx264", "yuv422p")),
        ({"pixel_format": "yuv411p"}, ".mp4", ("libx264", "yuv420p")),
        ({"pixel_format": "bgr0"}, ".mp4", ("libx264", "yuv420p")),
        ({"pixel_format": "bgr0", "codec": "ffv1"}, ".mkv", ("ffv1", "bgr0")),
        ({"pixel_format": "yuv422p10le", "codec": "prores"}, ".mov", ("prores_ks", "yuv422p10le")),
        ({"pixel_format": "yuva444p10le"}, ".mov", ("prores_ks", "yuva444p10le")),
        ({"pixel_format": "rgba"}, ".mkv", ("ffv1", "bgra")),
        ({"pixel_format": "yuv420p"}, ".webm", ("libvpx-vp9", "yuv420p")),
        ({"pixel_format": "yuv420p10le"}, ".webm", ("libsvtav1", "yuv420p10le")),
    ],
)
def test_depth_chroma_and_transparency_are_kept(
    make_clip: MakeClip,
    tmp_path: Path,
    info: dict[str, str],
    suffix: str,
    expected: tuple[str, str],
) -> None:
    like: VideoInfo = replace(VideoReader(make_clip(tracks=0)).info, **info)  # type: ignore[arg-type]
    plan = plan_output(tmp_path / f"o{suffix}", like, Encoding())
    assert (plan.encoder.name, plan.pixel_format) == expected


def test_what_does_not_fit_together_is_refused(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip()
    with pytest.raises(OutputError, match="not made with prores"):
        planned(path, tmp_path / "o.mp4", Encoding(codec="prores"))
    with pytest.raises(OutputError, match="no pixel format yuv999"):
        planned(path, tmp_path / "o.mp4", Encoding(pixel_format="yuv999"))
    told = planned(path, tmp_path / "o.mp4", Encoding(codec="av1", hardware=True)).notices
    assert any("the processor does" in text for text in told) or not told


def test_the_first_card_that_encodes_is_used_else_the_processor(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tracks=0)
    card = replace(encoders.SOFTWARE["h264"], formats=("yuv420p",), hardware=True)
    missing = replace(card, name="h264_of_no_card")
    refusing = replace(card, options=lambda *_: {"preset": "none"})
    for cards, expected in (((missing, refusing, card), card), ((missing, refusing), None)):
        monkeypatch.setattr(encoders, "HARDWARE", cards)
        plan = planned(path, tmp_path / "o.mp4", Encoding(hardware=True))
        assert plan.encoder == (expected or encoders.SOFTWARE["h264"])
        assert any("the processor does" in told for told in plan.notices) is (expected is None)
        with VideoWriter.of_footage(plan, overwrite=True) as writer:
            for one in VideoReader(path).footage(0, 3):
                writer.write_footage(one)
        assert len(list(VideoReader(plan.path))) == 3


def test_a_part_has_its_sound_and_begins_at_zero(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tracks=1, frames=60)
    video = VideoReader(path)
    span = Span(Fraction(4, 5), Fraction(2))
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding(), span)
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage(video.first_index(Fraction(4, 5)), 50):
            writer.write_footage(one)
    made = VideoReader(plan.path)
    assert [f.pts * made.info.time_base for f in made] == [Fraction(n, 25) for n in range(30)]
    begin, end = sound_seconds(plan.path)
    assert begin == pytest.approx(0, abs=0.07)
    assert end == pytest.approx(1.2, abs=0.07)
    kept = sound_packets(plan.path)
    whole = sound_packets(path)
    assert kept[5] in whole
