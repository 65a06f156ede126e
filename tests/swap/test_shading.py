"""A's light falls on the face, B's relief stays."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.swap.compositing.shading import shading_gain

WHOLE = np.ones((64, 64), np.float32)


def face_of(tone: float, seed: int, spread: float = 0.06) -> NDArray[np.float32]:
    values = tone * (1 + np.random.default_rng(seed).normal(0, spread, (64, 64, 1)))
    return np.repeat(np.clip(values, 0, 1), 3, 2).astype(np.float32)


def relief(strength: float, seed: int) -> NDArray[np.float32]:
    """Logarithm of the light on a rough face, (64, 64, 3)."""
    noise = np.random.default_rng(seed).standard_normal((64, 64))
    rough = cv2.GaussianBlur(noise, (0, 0), 2.0) - cv2.GaussianBlur(noise, (0, 0), 6.0)
    return np.repeat((rough * strength / rough.std())[..., None], 3, 2).astype(np.float32)


def test_the_light_carries_a_ramp_but_no_detail() -> None:
    ramp = np.broadcast_to(np.linspace(0.7, 1.4, 64, dtype=np.float32)[None, :, None], (64, 64, 3))
    face = np.full((64, 64, 3), 0.5, np.float32)
    field = shading_gain(face, face * ramp, WHOLE, 0.1)
    assert_allclose(field[20:44, 20:44], ramp[20:44, 20:44], atol=0.04)
    speckle = face_of(0.5, 3, 0.2)
    field = shading_gain(face, speckle, WHOLE, 0.15)
    assert np.abs(field - 1).max() < 0.08


def test_colored_light_from_one_side_is_taken_over() -> None:
    across = np.linspace(0, 1, 64, dtype=np.float32)[None, :, None]
    light = (1 - across) * np.array([1.2, 0.8, 0.6]) + across * np.array([0.6, 0.8, 1.2])
    face = np.full((64, 64, 3), 0.5, np.float32)
    lit = np.asarray(face * light, np.float32)
    moved = face * shading_gain(face, lit, WHOLE, 0.15)
    assert_allclose(moved[20:44, 16:48], lit[20:44, 16:48], atol=0.04)


def test_black_stays_black_and_a_beard_changes_no_light_above_it() -> None:
    face, reference = face_of(0.6, 1), face_of(0.5, 2)
    face[20:26, 8:14] = 0
    plain = shading_gain(face, reference, WHOLE, 0.15)
    assert_array_equal((face * plain)[20:26, 8:14], 0)
    bearded = reference.copy()
    bearded[46:] = 0.1
    assert_allclose(shading_gain(face, bearded, WHOLE, 0.15)[16, 40], plain[16, 40], rtol=0.07)


@pytest.mark.parametrize(("hard", "change"), [(0.7, -0.3), (1.4, 0.0)])
def test_relief_is_softened_to_the_contrast_of_the_footage_and_never_raised(
    hard: float, change: float
) -> None:
    own, other = relief(0.12, 3), relief(0.12 * hard, 8)
    face, reference = (np.asarray(0.4 * np.exp(one), np.float32) for one in (own, other))
    moved = np.log(face * shading_gain(face, reference, WHOLE, 0.15)) - np.log(face)
    inside = np.s_[8:-8, 8:-8]
    along = (moved[inside] * own[inside]).mean() / np.square(own[inside]).mean()
    assert_allclose(along, change, atol=0.06)


def test_the_soft_edge_of_hair_darkens_no_skin() -> None:
    face = np.full((64, 64, 3), 0.5, np.float32)
    reference, skin = face.copy(), WHOLE.copy()
    reference[:20], skin[:20] = 0.05, 0
    reference[20], skin[20] = 0.38, 0.7
    gain = shading_gain(face, reference, skin, 0.1)
    assert gain[21:30, 20:44].min() > 0.995


def test_faint_colours_of_cheeks_are_no_light() -> None:
    face = np.full((64, 64, 3), 0.5, np.float32)
    pink = face * np.array([1.05, 1.0, 0.97], np.float32)
    gain = shading_gain(face, pink, WHOLE, 0.15)
    assert np.ptp(gain[20:44, 20:44], axis=2).max() < 0.03


def test_without_skin_there_is_no_light_to_take() -> None:
    face = face_of(0.6, 1)
    assert_allclose(shading_gain(face, face_of(0.3, 2), 0 * WHOLE, 0.15), np.float32(1))
