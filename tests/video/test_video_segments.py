"""Segments of a video: joined they are the video that one encoder would have made, and play."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import MakeClip
from numpy.testing import assert_array_equal

from faceswap.video.encoding import Encoding
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.reader import VideoReader
from faceswap.video.segments import Segment
from faceswap.video.span import Span
from faceswap.video.video_segments import (
    DamagedSegmentError,
    VideoSegment,
    decoding_times,
    join_video,
)
from faceswap.video.writer import VideoWriter

UNEVEN = [0, 1, 2, 7, 8, 9, 20, 21, 40, 41, 42, 43, 44, 70, 71, 72, 73, 90, 91, 92]


def segmented(video: VideoReader, plan: OutputPlan, folder: Path, length: int) -> list[Segment]:
    """The footage in segments of ``length`` frames."""
    segments: list[Segment] = []
    frames = list(video.footage())
    video.deinterlace = plan.deinterlaced
    for number, first in enumerate(range(0, len(frames), length)):
        made = VideoSegment(plan, folder / f"{number}.pictures")
        for one in video.footage(first, first + length):
            made.write_footage(one)
        last = first + length >= len(frames)
        segments.append(
            Segment(number=number, key="k", pictures=made.finish(), swapped=0, last=last)
        )
    return segments


def joined(plan: OutputPlan, segments: list[Segment], folder: Path) -> Path:
    join_video(plan, segments, lambda one: folder / f"{one.number}.pictures", overwrite=True)
    return plan.path


def packets(path: Path) -> list[tuple[int | None, int | None, int | None, bytes]]:
    with av.open(str(path)) as container:
        found = container.demux(container.streams.video[0])
        return [(p.pts, p.dts, p.duration, bytes(p)) for p in found if p.size]


def sound(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts, bytes(p)) for p in container.demux(container.streams.audio[0]) if p.size]


@pytest.mark.parametrize(
    ("codec", "suffix", "pixel_format"),
    [
        ("h264", ".mp4", "yuv420p"),
        ("h264", ".mkv", "yuv420p"),
        ("h265", ".mov", "yuv420p10le"),
        ("av1", ".mp4", "yuv420p"),
        ("vp9", ".webm", "yuv420p"),
        ("prores", ".mov", "yuv422p10le"),
        ("ffv1", ".mkv", "yuv420p"),
    ],
)
def test_segments_of_any_codec_are_one_video(
    make_clip: MakeClip, tmp_path: Path, codec: str, suffix: str, pixel_format: str
) -> None:
    clip = make_clip(frames=20, pixel_format=pixel_format)
    video = VideoReader(clip)
    encoding = Encoding(codec=codec, audio="auto")  # type: ignore[arg-type]
    plan = plan_output(tmp_path / f"o{suffix}", video.info, encoding)
    segments = segmented(video, plan, tmp_path, 8)
    made = VideoReader(joined(plan, segments, tmp_path))
    assert made.info.pixel_format == plan.pixel_format
    before = video.timestamps() * float(video.info.time_base)
    after = made.timestamps() * float(made.info.time_base)
    assert np.abs(before - after - (before[0] - after[0])).max() < 1.1e-3
    assert abs(before[0] - after[0]) < 0.1
    frames = list(made.footage())
    assert len(frames) == 20
    for one in (0, 7, 8, 15, 16, 19):
        whole = next(video.frames(one, one + 1)).image.astype(int)
        assert np.abs(whole - frames[one].image).mean() < 4, one
    # Any segment can be entered, as by a player that jumps.
    for begin in (8, 16):
        entered = list(made.footage(begin, begin + 2))
        assert_array_equal(entered[0].image, frames[begin].image)
        assert_array_equal(entered[1].image, frames[begin + 1].image)


@pytest.mark.parametrize("pts", [None, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("length", [1, 2, 7, 20])
def test_times_are_those_of_one_encoder(
    make_clip: MakeClip, tmp_path: Path, pts: list[int] | None, length: int
) -> None:
    video = VideoReader(make_clip(frames=20, pts=pts))
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding())
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage():
            writer.write_footage(one)
    whole, heard = packets(plan.path), sound(plan.path)
    made = joined(plan, segmented(video, plan, tmp_path, length), tmp_path)
    found = packets(made)
    assert sorted(p[0] or 0 for p in found) == sorted(p[0] or 0 for p in whole)
    decoded = [p[1] or 0 for p in found]
    assert all(a < b for a, b in pairwise(decoded))
    assert all((dts or 0) <= (pts or 0) for pts, dts, *_ in found)
    assert sound(made) == heard
    assert VideoReader(made).info.frames == 20
    if length == 20:
        assert found == whole


def test_the_same_frames_are_the_same_bytes(make_clip: MakeClip, tmp_path: Path) -> None:
    video = VideoReader(make_clip(frames=20, width=150, height=98))
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding())
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        segmented(video, plan, folder, 8)
    for name in ("0.pictures", "1.pictures", "2.pictures"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_part_keeps_its_sound(make_clip: MakeClip, tmp_path: Path) -> None:
    video = VideoReader(make_clip(frames=40))
    span = Span(video.info.time_base * 0 + 1, None)
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding(), span)
    segments = []
    for number, first in enumerate((25, 33)):
        made = VideoSegment(plan, tmp_path / f"{number}.pictures")
        for one in video.footage(first, first + 8):
            made.write_footage(one)
        segments.append(
            Segment(number=number, key="k", pictures=made.finish(), swapped=0, last=False)
        )
    part = VideoReader(joined(plan, segments, tmp_path))
    assert len(part.timestamps()) == 15
    assert part.timestamps()[0] == 0
    assert sound(part.path)


@pytest.mark.parametrize("how", ["shorter", "changed", "missing"])
def test_a_damaged_segment_is_named(make_clip: MakeClip, tmp_path: Path, how: str) -> None:
    video = VideoReader(make_clip(frames=20))
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding())
    segments = segmented(video, plan, tmp_path, 8)
    data = tmp_path / "1.pictures"
    whole = data.read_bytes()
    if how == "missing":
        data.unlink()
    else:
        data.write_bytes(whole[:-9] if how == "shorter" else whole[:-9] + bytes(9))
    with pytest.raises(DamagedSegmentError, match=r"Segment 1.*run the same command again") as told:
        joined(plan, segments, tmp_path)
    assert told.value.segment == segments[1]
    assert not plan.path.exists()
    assert not list(tmp_path.glob(".*"))


def test_decoding_times_are_before_those_of_showing() -> None:
    stamps = np.array([0, 8, 4, 2, 6, 10, 16, 12, 14])
    found = decoding_times(stamps)
    assert (found <= stamps).all()
    assert (np.diff(found) > 0).all()
    assert_array_equal(decoding_times(np.array([5, 9, 30])), [5, 9, 30])
    assert_array_equal(decoding_times(np.array([5])), [5])
