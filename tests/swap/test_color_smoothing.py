"""The average of colours over time: how far it reaches, and what it looks at."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from faceswap.swap.compositing.color import ColorShift
from faceswap.swap.compositing.color_smoothing import (
    ColorHistory,
    anchors_before,
    exponential_average,
    window_frames,
)
from faceswap.swap.compositing.swapper import AlignedFace

NOWHERE = AlignedFace(0, np.zeros((68, 2), np.float32), np.zeros((13, 2), np.float32), np.eye(2, 3))


def shift(value: float) -> ColorShift:
    return ColorShift(np.array([value, 0, -value], np.float32))


def face(frame: int, track: int = 0, shot: int = 0, *, anchor: bool = True) -> AlignedFace:
    return replace(NOWHERE, frame=frame, track=track, shot=shot, anchor=anchor)


def recursive(values: np.ndarray, decay: float) -> float:
    """The exponential average as it is defined."""
    result = values[0]
    for value in values[1:]:
        result = (1 - decay) * value + decay * result
    return float(result)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.99])
def test_what_lies_before_the_window_hardly_counts(decay: float) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 1500)
    begin = len(values) - 1 - window_frames(decay)
    seen = {n: shift(values[n]) for n in range(begin, len(values))}
    off = exponential_average(seen, decay).offset[0] - recursive(values, decay)
    # Two percent of how far the oldest frame is from the average before it.
    assert abs(off) <= 0.0201 * abs(values[begin] - recursive(values[:begin], decay))


def test_windows_are_as_they_are_told() -> None:
    assert [window_frames(decay) for decay in (0.0, 0.5, 0.9, 0.99)] == [0, 6, 38, 390]


def test_between_anchors_a_shift_changes_evenly() -> None:
    every = np.concatenate([np.linspace(0, 8, 5), np.linspace(8, 2, 5)[1:], [3.0]])
    known = {n: shift(every[n]) for n in (0, 4, 8, 9)}
    assert_allclose(exponential_average(known, 0.8).offset[0], recursive(every, 0.8), rtol=1e-5)
    assert exponential_average({7: shift(3)}, 0.9).offset[0] == 3
    assert exponential_average(known, 0).offset[0] == 3


def test_a_face_is_averaged_with_its_own_anchors_of_its_own_shot() -> None:
    tones = ColorHistory()
    for other in (face(50, track=1), face(52, shot=40), face(10), face(53, anchor=False)):
        tones.add(other, shift(100))
    assert tones.has_shift(face(50, track=1))
    assert not tones.has_shift(face(50))
    assert not tones.has_shift(face(53, anchor=False))
    now = face(54)
    assert tones.smoothed_shift(now, shift(5), 0.9).offset[0] == 5
    tones.add(face(53), shift(15))
    assert_allclose(tones.smoothed_shift(now, shift(5), 0.9).offset[0], 14, rtol=1e-6)
    tones.drop_before(54)
    assert tones.smoothed_shift(now, shift(5), 0.9).offset[0] == 5


def test_the_anchors_before_a_frame_are_those_that_count() -> None:
    places = {n: [face(n, track=3, anchor=n % 4 == 0)] for n in range(100)}
    for n in range(60, 100):
        places[n] = [face(n, 7, 60, anchor=n % 4 == 0), face(n, 8, 60, anchor=n % 4 == 1)]
    assert [*anchors_before(places, 50, 0.9)] == [*range(12, 50, 4)]
    assert [*anchors_before(places, 8, 0.9)] == [0, 4]
    assert anchors_before(places, 60, 0.9) == {}
    found = anchors_before(places, 64, 0.9)
    assert {n: [f.track for f in faces] for n, faces in found.items()} == {60: [7], 61: [8]}
    assert anchors_before(places, 200, 0.9) == {}
    assert anchors_before(places, 50, 0.0) == {}
