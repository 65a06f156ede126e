"""Colours are measured on skin only, and a gain leaves black black."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.swap.compositing.color import (
    apply_color_transfer,
    measure_color_transfer,
)
from faceswap.swap.compositing.options import ColorMode

MODES: tuple[ColorMode, ...] = ("gains", "reinhard", "mkl", "histogram", "transport", "off")
GAIN = np.array([0.7, 0.9, 1.2], np.float32)


def face_of(mean: tuple[float, float, float], spread: float, seed: int) -> NDArray[np.float32]:
    # Light, not colour, varies: the channels of such a face move together, as in Lab.
    values = np.array(mean) * (1 + np.random.default_rng(seed).normal(0, 2 * spread, (64, 64, 1)))
    return np.clip(values, 0, 1).astype(np.float32)


def disc() -> NDArray[np.float32]:
    y, x = np.mgrid[:64, :64] - 31.5
    return np.asarray(np.hypot(x, y) < 24, np.float32)


def bearded(face: NDArray[np.float32]) -> NDArray[np.float32]:
    """``face`` with a dark area over the lower third of the disc."""
    result = face.copy()
    result[42:] = (0.1, 0.08, 0.06)
    return result


def test_gains_are_found_and_nothing_else_is_changed() -> None:
    face = face_of((0.6, 0.5, 0.4), 0.04, 1)
    transfer = measure_color_transfer(face, face * GAIN, disc())
    assert transfer.values is not None
    assert_allclose(np.exp(transfer.values), GAIN, rtol=1e-4)
    assert_allclose(apply_color_transfer(face, transfer), face * GAIN, atol=1e-4)
    assert_allclose(
        apply_color_transfer(face, transfer, strength=0.5), face * (1 + GAIN) / 2, atol=1e-4
    )


def test_a_gain_of_code_values_is_a_gain_of_light() -> None:
    light = np.random.default_rng(0).uniform(0.05, 0.8, (64, 64, 3)).astype(np.float32)
    face, reference = light ** (1 / 2.4), (light * GAIN) ** (1 / 2.4)
    transfer = measure_color_transfer(face, reference, disc())
    assert_allclose(apply_color_transfer(face, transfer) ** 2.4, light * GAIN, rtol=1e-3)


def test_black_hair_and_pupils_stay_black() -> None:
    warm, cool = face_of((0.8, 0.6, 0.5), 0.02, 1), face_of((0.45, 0.55, 0.75), 0.02, 2)
    warm[20:30, 20:30] = 0
    moved = apply_color_transfer(warm, measure_color_transfer(warm, cool, disc()))
    assert_array_equal(moved[20:30, 20:30], 0)
    assert_allclose(np.median(moved[40:50, 30:40], (0, 1)), (0.45, 0.55, 0.75), atol=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_but_off_reaches_the_skin_and_strength_halves_it(mode: ColorMode) -> None:
    face, reference = face_of((0.6, 0.5, 0.4), 0.04, 1), face_of((0.4, 0.45, 0.5), 0.04, 2)
    inside = disc() > 0
    transfer = measure_color_transfer(face, reference, disc(), mode)
    got = apply_color_transfer(face, transfer, mode)[inside].mean(0)
    wanted = face[inside].mean(0) if mode == "off" else reference[inside].mean(0)
    assert_allclose(got, wanted, atol=0.01)
    half = apply_color_transfer(face, transfer, mode, 0.5)[inside].mean(0)
    assert_allclose(half, (face[inside].mean(0) + wanted) / 2, atol=0.01)


def test_a_beard_on_either_face_does_not_tint_the_skin() -> None:
    face, reference = face_of((0.6, 0.5, 0.4), 0.03, 1), face_of((0.5, 0.45, 0.4), 0.03, 2)
    plain = measure_color_transfer(face, reference, disc()).gain
    for one, other in ((bearded(face), reference), (face, bearded(reference))):
        assert_allclose(measure_color_transfer(one, other, disc()).gain, plain, atol=0.05)


def test_make_up_on_lids_and_cheeks_does_not_tint_the_skin() -> None:
    face = face_of((0.6, 0.5, 0.4), 0.03, 1)
    painted = face.copy()
    painted[18:26, 14:50] = (0.2, 0.15, 0.6)
    painted[34:42, 12:24] = painted[34:42, 40:52] = (0.8, 0.3, 0.35)
    found = measure_color_transfer(painted, face * GAIN, disc()).gain
    assert_allclose(np.exp(found), GAIN, rtol=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_skin_has_no_say(mode: ColorMode) -> None:
    face, reference = face_of((0.6, 0.5, 0.4), 0.04, 1), face_of((0.4, 0.45, 0.5), 0.05, 2)
    transfer = measure_color_transfer(face, reference, disc(), mode)
    outside = disc()[..., None] == 0
    other = measure_color_transfer(
        np.where(outside, 0, face).astype(np.float32),
        np.where(outside, 1, reference).astype(np.float32),
        disc(),
        mode,
    )
    moved = [apply_color_transfer(face, one, mode) for one in (transfer, other)]
    assert_allclose(moved[0], moved[1], atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_without_skin_nothing_changes(mode: ColorMode) -> None:
    face, nowhere = face_of((0.6, 0.5, 0.4), 0.04, 1), np.zeros((64, 64), np.float32)
    transfer = measure_color_transfer(face, face_of((0.1, 0.1, 0.1), 0.05, 2), nowhere, mode)
    assert_array_equal(apply_color_transfer(face, transfer, mode), face)


def test_a_face_fades_to_black_and_flashes_to_white_with_the_footage() -> None:
    face = face_of((0.5, 0.4, 0.3), 0.02, 1)
    for light in (0.0, 0.1, 2.0):
        faded = np.clip(face * np.float32(light), 0, 1)
        moved = apply_color_transfer(face, measure_color_transfer(face, faded, disc()))
        assert_allclose(moved, faded, atol=0.01)
