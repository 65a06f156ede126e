"""Eyes and teeth get A's light and not the difference of two skins."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from faceswap.swap.compositing.complexion import complexion_of, without_complexion

PALE, BROWN = (0.65, 0.415, 0.305), (0.24, 0.13, 0.08)
"""Albedos of skin, linear RGB."""


def gain(wanted: tuple[float, ...], own: tuple[float, ...]) -> np.ndarray:
    """Logarithm of the gain of code values from one linear colour to another."""
    return np.asarray(np.log(np.array(wanted) / np.array(own)) / 2.4, np.float32)


def chroma(values: np.ndarray) -> np.ndarray:
    """Red and blue over green."""
    return np.asarray(values[[0, 2]] - values[1])


@pytest.mark.parametrize("skins", [(PALE, BROWN), (BROWN, PALE)])
def test_eyes_stay_white_between_skins_under_white_light(
    skins: tuple[tuple[float, ...], tuple[float, ...]],
) -> None:
    moved = gain(*skins)
    left = chroma(moved - complexion_of(moved))
    assert np.abs(left).max() < 0.15 * np.abs(chroma(moved)).max()


def test_green_light_falls_on_eyes_in_full() -> None:
    light = np.array([-0.1, 0.1, -0.1], np.float32)
    assert_allclose(complexion_of(light), 0, atol=0.01)


def test_strong_warm_light_is_no_complexion() -> None:
    warm = gain((1.0, 0.4, 0.12), (1.0, 1.0, 1.0))
    left = chroma(warm - complexion_of(warm))
    assert np.linalg.norm(left) > 0.75 * np.linalg.norm(chroma(warm))


def test_only_features_change_and_keep_their_brightness() -> None:
    face = np.full((8, 8, 3), 0.5, np.float32)
    features = np.zeros((8, 8), np.float32)
    features[2:4] = 1
    moved = without_complexion(face, features, gain(PALE, BROWN), 1.0)
    assert_allclose(moved[4:], face[4:])
    assert moved[2, 0, 2] < 0.47
    assert moved[2, 0, 0] > 0.5
    assert_allclose(moved[2, 0] @ np.array([0.299, 0.587, 0.114]), 0.5, atol=0.005)
    assert_allclose(without_complexion(face, features, gain(PALE, BROWN), 0.0), face)
