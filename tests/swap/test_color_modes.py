"""Each way to move colours does what its paper says: closed forms."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from faceswap.swap.compositing import color_modes

Pixels = NDArray[np.float32]

COUNT = 3000


def normal(mean: tuple[float, ...], deviations: tuple[float, ...], seed: int) -> Pixels:
    """Normally distributed colours with correlated channels."""
    rng = np.random.default_rng(seed)
    mixed = np.array([[1, 0.6, 0.3], [0, 0.8, 0.5], [0, 0, 0.7]])
    scatter = rng.standard_normal((COUNT, 3)) * np.array(deviations) @ mixed
    return np.asarray(np.array(mean) + scatter, np.float32)


FACE = normal((0.6, 0.45, 0.4), (0.04, 0.03, 0.02), 1)
SKIN = normal((0.4, 0.42, 0.5), (0.03, 0.04, 0.03), 2)


def moved(pixels: Pixels, mode: str, own: Pixels = FACE, wanted: Pixels = SKIN) -> Pixels:
    values = getattr(color_modes, f"measure_{mode}")(own, wanted)
    return np.asarray(getattr(color_modes, f"apply_{mode}")(pixels[None], values)[0], np.float32)


def lab(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels[None], cv2.COLOR_RGB2LAB)[0], np.float32)


def test_reinhard_matches_mean_and_deviation_in_lab() -> None:
    got, wanted = lab(moved(FACE, "reinhard")), lab(SKIN)
    assert_allclose(got.mean(0), wanted.mean(0), atol=0.15)
    assert_allclose(got.std(0), wanted.std(0), rtol=0.02)


def test_mkl_matches_mean_and_covariance_by_a_symmetric_map() -> None:
    got = moved(FACE, "mkl")
    assert_allclose(got.mean(0), SKIN.mean(0), atol=1e-4)
    assert_allclose(np.cov(got.T), np.cov(SKIN.T), atol=2e-6)
    linear = color_modes.measure_mkl(FACE, SKIN)[:, :3]
    assert_allclose(linear, linear.T, atol=1e-4)
    assert np.linalg.eigvalsh(linear).min() > 0


def test_mkl_of_independent_channels_scales_each_by_its_deviation() -> None:
    rng = np.random.default_rng(3)
    own = np.asarray(rng.normal(0.5, [0.02, 0.04, 0.05], (200_000, 3)), np.float32)
    wanted = np.asarray(rng.normal(0.4, [0.04, 0.04, 0.01], (200_000, 3)), np.float32)
    assert_allclose(color_modes.measure_mkl(own, wanted)[:, :3], np.diag([2, 1, 0.2]), atol=0.02)


def test_a_histogram_finds_the_curve_that_was_applied() -> None:
    own = np.random.default_rng(4).uniform(0.2, 0.8, (COUNT, 3)).astype(np.float32)
    curved = np.asarray(own**1.5 * np.array([1, 0.9, 1.1]), np.float32)
    assert_allclose(moved(own, "histogram", own, curved), curved, atol=0.012)


@pytest.mark.parametrize("mode", ["histogram", "transport"])
def test_a_shift_of_all_colors_is_found(mode: str) -> None:
    shift = np.array([0.1, -0.05, 0.02], np.float32)
    got = moved(FACE, mode, FACE, FACE + shift)
    assert_allclose(got, FACE + shift, atol=2e-3)


def test_transport_between_normal_distributions_is_the_linear_one() -> None:
    got = moved(FACE, "transport")
    assert_allclose(got.mean(0), SKIN.mean(0), atol=2e-3)
    assert_allclose(np.cov(got.T), np.cov(SKIN.T), atol=2e-4)
    wanted = moved(FACE, "mkl")
    middle = np.linalg.norm((FACE - FACE.mean(0)) / FACE.std(0), axis=1) < 1.5
    assert_allclose(got[middle], wanted[middle], atol=0.02)


def test_transport_reaches_a_distribution_that_no_linear_map_does() -> None:
    rng = np.random.default_rng(5)
    own = np.asarray(rng.normal(0.5, 0.05, (COUNT, 3)), np.float32)
    sides = np.where(rng.random((COUNT, 1)) < 0.5, 0.35, 0.65)
    two = np.asarray(sides + rng.normal(0, 0.02, (COUNT, 3)), np.float32)

    def between(pixels: Pixels) -> float:
        grey = pixels.mean(1)
        return float(((grey > 0.43) & (grey < 0.57)).mean())

    assert between(two) < 0.02
    assert between(moved(own, "transport", own, two)) < 0.25 < between(moved(own, "mkl", own, two))


@pytest.mark.parametrize("mode", ["reinhard", "mkl", "histogram", "transport"])
def test_the_same_colors_stay(mode: str) -> None:
    assert_allclose(moved(FACE, mode, FACE, FACE), FACE, atol=2e-3)


@pytest.mark.parametrize("mode", ["reinhard", "mkl", "histogram", "transport"])
def test_skin_of_one_color_is_moved_and_no_noise_is_raised(mode: str) -> None:
    flat = np.full((50, 3), 0.5, np.float32)
    got = moved(flat, mode, flat, flat - 0.1)
    assert_allclose(got, flat - 0.1, atol=2e-2)
