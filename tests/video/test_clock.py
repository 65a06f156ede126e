"""Clocks that wrap or begin anew are made continuous, for all streams alike."""

from fractions import Fraction
from pathlib import Path

import camera_clips
import pytest

from faceswap.video.clock import is_jump
from faceswap.video.reader import VideoReader


def test_small_steps_either_way_are_no_jumps() -> None:
    assert not is_jump(5.0, 5.04)
    assert not is_jump(5.0, 4.9)
    assert not is_jump(5.0, 14.0)
    assert is_jump(5.0, 0.1)
    assert is_jump(5.0, 40.0)


def test_a_join_has_one_offset_for_each_recording(tmp_path: Path) -> None:
    info = VideoReader(camera_clips.joined(tmp_path)).info
    assert info.clock == (Fraction(0), Fraction(1))
    plain = VideoReader(tmp_path / "part.ts").info
    assert plain.clock == ()


def test_a_wrapped_clock_begins_at_zero(tmp_path: Path) -> None:
    video = VideoReader(camera_clips.wrapped(tmp_path))
    stamps = [one.pts for one in video.footage()]
    assert 0 <= stamps[0] < 0.2 * 90000
    assert video.timestamps().tolist() == stamps
    assert [one.pts for one in video.footage(30)] == stamps[30:]
    assert float((stamps[-1] - stamps[0]) / 90000) == pytest.approx(49 / 25, abs=1e-3)
