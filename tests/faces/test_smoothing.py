"""Smoothing of a track's similarity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceswap.faces.smoothing import LOOK_AHEAD, Smoother, smooth

Matrix = NDArray[np.float64]
UNIT = 100.0
"""Pixels of one eye distance."""


def track(x: NDArray[np.float64], angle: NDArray[np.float64] | float = 0.0) -> list[Matrix]:
    """A face at x (frames,), in eye distances, turned by angle."""
    angles = np.broadcast_to(angle, x.shape)
    matrices = []
    for place, turn in zip(x, angles, strict=True):
        linear = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / UNIT
        matrices.append(np.hstack([linear, -linear @ np.array([[place * UNIT], [50.0]])]))
    return matrices


def place(matrices: list[Matrix]) -> NDArray[np.float64]:
    return np.array([-np.linalg.inv(m[:, :2]) @ m[:, 2] for m in matrices])[:, 0] / UNIT


@settings(max_examples=25)
@given(
    frames=st.integers(0, 60),
    strength=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_a_stream_gives_the_identical_result(frames: int, strength: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.02, (2, frames))
    matrices = track(np.linspace(0, 3, frames) + noise[0], noise[1])
    smoother, streamed = Smoother(strength), []
    for number, matrix in enumerate(matrices):
        streamed += smoother.push(matrix)
        expected = number + 1 if strength == 0 else max(0, number + 1 - LOOK_AHEAD)
        assert len(streamed) == expected
    streamed += smoother.flush()
    whole = smooth(matrices, strength)
    assert len(whole) == frames
    for one, other in zip(streamed, whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_long_stream_forgets_and_still_agrees() -> None:
    matrices = track(np.random.default_rng(0).normal(0, 0.02, 400))
    smoother = Smoother()
    streamed = [done for matrix in matrices for done in smoother.push(matrix)] + smoother.flush()
    np.testing.assert_array_equal(np.stack(streamed), np.stack(smooth(matrices)))


def test_noise_is_calmed_to_less_than_half() -> None:
    rng = np.random.default_rng(1)
    matrices = track(rng.normal(0, 0.005, 300), rng.normal(0, 0.005, 300))
    before, after = place(matrices), place(smooth(matrices))
    jitter = [np.median(np.abs(np.diff(x, n=2))) for x in (before, after)]
    assert jitter[1] < 0.25 * jitter[0]


@pytest.mark.parametrize(("hertz", "amplitude", "kept"), [(0.5, 0.3, 0.99), (2, 0.4, 0.97)])
def test_motion_neither_lags_nor_shrinks(hertz: float, amplitude: float, kept: float) -> None:
    seconds = np.arange(200) / 25
    x = amplitude * np.sin(2 * np.pi * hertz * seconds)
    calm = place(smooth(track(x)))
    assert kept < calm @ x / (x @ x) < 1.02
    lag = np.argmax(np.correlate(calm, x, "full")) - (len(x) - 1)
    assert lag == 0


def test_a_fast_turn_of_the_head_keeps_its_end_points() -> None:
    x = np.concatenate([np.zeros(30), np.linspace(0, 2, 6), np.full(30, 2.0)])
    calm = place(smooth(track(x)))
    assert np.abs(calm - x).max() < 0.12
    np.testing.assert_allclose(calm[:18], 0, atol=0.02)
    np.testing.assert_allclose(calm[-18:], 2, atol=0.02)


def test_steady_motion_is_left_as_it_is() -> None:
    x = np.linspace(0, 5, 40)
    np.testing.assert_allclose(place(smooth(track(x))), x, atol=1e-6)


def test_turning_through_half_a_circle_does_not_jump() -> None:
    angle = np.linspace(np.pi - 0.3, np.pi + 0.3, 40)
    calm = smooth(track(np.zeros(40), angle))
    turns = np.unwrap([np.arctan2(m[1, 0], m[0, 0]) for m in calm])
    np.testing.assert_allclose(np.diff(turns), np.diff(angle), atol=1e-6)


def test_off_and_flush_reset() -> None:
    matrices = track(np.random.default_rng(0).normal(0, 1, 20))
    np.testing.assert_array_equal(np.stack(smooth(matrices, 0)), np.stack(matrices))
    smoother = Smoother()
    for matrix in track(np.full(20, 9.0)):
        smoother.push(matrix)
    smoother.flush()
    second = [done for matrix in matrices for done in smoother.push(matrix)] + smoother.flush()
    np.testing.assert_array_equal(np.stack(second), np.stack(smooth(matrices)))


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_short_tracks(frames: int) -> None:
    matrices = track(np.arange(frames, dtype=np.float64))
    calm = smooth(matrices)
    assert len(calm) == frames
    if frames:
        np.testing.assert_allclose(np.stack(calm), np.stack(matrices), atol=1e-9)


def test_strength_is_checked() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        Smoother(1.5)
