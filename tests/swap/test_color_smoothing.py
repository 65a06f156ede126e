"""The average of colours over time: how far it reaches, and what it looks at."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from faceswap.swap.compositing.color import ColorTransfer
from faceswap.swap.compositing.color_smoothing import (
    ColorHistory,
    anchors_before,
    exponential_average,
    window_frames,
)
from faceswap.swap.compositing.swapper import AlignedFace

NOWHERE = AlignedFace(0, np.zeros((68, 2), np.float32), np.zeros((13, 2), np.float32), np.eye(2, 3))


def shift(value: float, light: float = 0) -> ColorTransfer:
    return ColorTransfer(np.array([value, 0, -value], np.float32), np.full(3, light, np.float32))


def first(transfer: ColorTransfer) -> float:
    assert transfer.values is not None
    return float(transfer.values[0])


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
    off = first(exponential_average(seen, decay)) - recursive(values, decay)
    # Two percent of how far the oldest frame is from the average before it.
    assert abs(off) <= 0.0201 * abs(values[begin] - recursive(values[:begin], decay))


def test_windows_are_as_they_are_told() -> None:
    assert [window_frames(decay) for decay in (0.0, 0.5, 0.9, 0.99)] == [0, 6, 38, 390]


def test_between_anchors_a_shift_changes_evenly() -> None:
    every = np.concatenate([np.linspace(0, 8, 5), np.linspace(8, 2, 5)[1:], [3.0]])
    known = {n: shift(every[n]) for n in (0, 4, 8, 9)}
    assert_allclose(first(exponential_average(known, 0.8)), recursive(every, 0.8), rtol=1e-5)
    assert first(exponential_average({7: shift(3)}, 0.9)) == 3
    assert first(exponential_average(known, 0)) == 3


def test_a_face_is_averaged_with_its_own_anchors_of_its_own_shot() -> None:
    tones = ColorHistory()
    for other in (face(50, track=1), face(52, shot=40), face(10), face(53, anchor=False)):
        tones.add(other, shift(100))
    assert tones.has_transfer(face(50, track=1))
    assert not tones.has_transfer(face(50))
    assert not tones.has_transfer(face(53, anchor=False))
    now = face(54)
    assert first(tones.smoothed(now, shift(5), 0.9)) == 5
    tones.add(face(53), shift(15))
    assert_allclose(first(tones.smoothed(now, shift(5), 0.9)), 14, rtol=1e-6)
    tones.drop_before(54)
    assert first(tones.smoothed(now, shift(5), 0.9)) == 5


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


def test_a_flash_is_followed_at_once_and_forgotten_at_once() -> None:
    flash = {n: shift(8, light=0.3) if n == 20 else shift(1) for n in range(21)}
    assert first(exponential_average(flash, 0.9)) == pytest.approx(8, abs=0.6)
    flash[21] = shift(1)
    assert first(exponential_average(flash, 0.9)) == pytest.approx(1, abs=0.05)


def test_a_fade_does_not_lag() -> None:
    light = -(np.linspace(0, 2, 26) ** 2)  # to 2 % of the code values, in a second
    fade = {n: ColorTransfer(*2 * [np.full(3, light[n], np.float32)]) for n in range(26)}
    last = first(exponential_average(fade, 0.9))
    assert last == pytest.approx(light[-1], abs=0.1)
    assert recursive(light, 0.9) > light[-1] + 1


def test_noise_of_the_measurement_is_averaged_as_much_as_before() -> None:
    noise = np.random.default_rng(1).normal(0, 0.008, 60).astype(np.float32)
    still = {n: ColorTransfer(*2 * [np.full(3, noise[n])]) for n in range(60)}
    assert first(exponential_average(still, 0.9)) == pytest.approx(recursive(noise, 0.9), abs=1e-3)


@pytest.mark.parametrize("nothing", [0, 30, 59])
def test_frames_without_skin_are_left_out(nothing: int) -> None:
    seen = {n: shift(4) for n in range(60)}
    seen[nothing] = ColorTransfer(None, np.zeros(3, np.float32))
    found = exponential_average(seen, 0.9)
    assert found.values is None if nothing == 59 else first(found) == pytest.approx(4)
