"""Colour statistics come from under the mask only."""

import cv2
import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from faceswap.swap.compositing.color import (
    apply_color_transfer,
    measure_color_transfer,
    shading_difference,
)


def noise(mean: tuple[float, float, float], spread: float, seed: int) -> NDArray[np.float32]:
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


def test_the_tone_follows_the_reference_under_the_mask() -> None:
    face, reference = noise((0.6, 0.5, 0.4), 0.04, 1), noise((0.4, 0.45, 0.5), 0.04, 2)
    inside = disc() > 0
    result = apply_color_transfer(face, measure_color_transfer(face, reference, disc()))
    got, wanted = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB)[inside] for p in (result, reference))
    assert_allclose(got.mean(0), wanted.mean(0), atol=1.0)


def test_a_beard_on_either_face_does_not_tint_the_skin() -> None:
    face, reference = noise((0.6, 0.5, 0.4), 0.03, 1), noise((0.5, 0.45, 0.4), 0.03, 2)
    plain = measure_color_transfer(face, reference, disc()).offset
    for one, other in ((bearded(face), reference), (face, bearded(reference))):
        assert_allclose(measure_color_transfer(one, other, disc()).offset, plain, atol=2.5)
        field = shading_difference(one, other, disc(), 0.15)
        assert_allclose(
            field[20, 32], shading_difference(face, reference, disc(), 0.15)[20, 32], atol=0.02
        )


def test_what_lies_outside_the_mask_has_no_say() -> None:
    face, reference = noise((0.6, 0.5, 0.4), 0.04, 1), noise((0.4, 0.45, 0.5), 0.05, 2)
    shift = measure_color_transfer(face, reference, disc())
    outside = disc()[..., None] == 0
    other = measure_color_transfer(
        np.where(outside, 0, face).astype(np.float32),
        np.where(outside, 1, reference).astype(np.float32),
        disc(),
    )
    assert_allclose(other.offset, shift.offset, rtol=1e-4, atol=1e-4)


def test_an_empty_mask_changes_nothing() -> None:
    face = noise((0.6, 0.5, 0.4), 0.04, 1)
    shift = measure_color_transfer(
        face, noise((0.1, 0.1, 0.1), 0.05, 2), np.zeros((64, 64), np.float32)
    )
    assert_allclose(apply_color_transfer(face, shift), face, atol=2e-3)


def test_the_light_field_carries_a_ramp_but_no_detail() -> None:
    ramp = np.broadcast_to(np.linspace(-0.2, 0.2, 64, dtype=np.float32)[None, :, None], (64, 64, 3))
    face = np.full((64, 64, 3), 0.5, np.float32)
    field = shading_difference(face, face + ramp, np.ones((64, 64), np.float32), 0.1)
    assert_allclose(field[20:44, 20:44], ramp[20:44, 20:44], atol=0.03)
    speckle = noise((0.5, 0.5, 0.5), 0.1, 3)
    field = shading_difference(face, speckle, np.ones((64, 64), np.float32), 0.15)
    assert np.abs(field).max() < 0.03
