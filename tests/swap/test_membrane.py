"""The membrane is harmonic, meets the frame at the edge, and is not pulled by what is no skin."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.swap.compositing.membrane import apply_membrane, measure_membrane, stretched

Y, X = (np.mgrid[:64, :64] - 31.5).astype(np.float32)
RADIUS = np.hypot(X, Y)
INSIDE = np.asarray(RADIUS < 26, np.float32)
RING = np.asarray((RADIUS < 26) & (RADIUS > 23), np.float32)
MASK = np.asarray(np.clip((26 - RADIUS) / 6, 0, 1), np.float32)


def rgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(values[..., None], 3, 2).astype(np.float32)


def test_inside_it_is_the_harmonic_function_of_its_edge() -> None:
    for harmonic in (0.2 + X / 100, (X * X - Y * Y) / 2000, X * Y / 1000):
        noise = np.random.default_rng(0).normal(0, 1, (64, 64))
        values = np.where(RING > 0, harmonic, noise).astype(np.float32)
        found = stretched(rgb(values), RING, INSIDE)
        assert_allclose(found[INSIDE > 0], rgb(harmonic)[INSIDE > 0], atol=0.02)


def test_where_it_is_not_held_nothing_pulls() -> None:
    left = RING * (X < 0)
    found = stretched(rgb(0 * X + 0.3), left, INSIDE)
    assert_allclose(found, 0.3, atol=1e-4)
    assert_array_equal(stretched(rgb(X), 0 * RING, INSIDE), 0)


def test_a_face_meets_the_frame_at_its_edge_and_keeps_its_relief() -> None:
    relief = 1 + 0.1 * np.sin(X / 2)
    face = rgb(0.5 * relief)
    frame = np.asarray(rgb(relief * (0.46 + X / 800)) * np.array([1, 0.97, 0.94]), np.float32)
    met = apply_membrane(face, measure_membrane(face, frame, MASK, MASK))
    edge = (MASK > 0.1) & (MASK < 0.4)
    assert np.abs(face - frame)[edge].mean() > 0.05
    assert np.abs(met - frame)[edge].mean() < 0.01
    ratio = met[28:36, 16:48, 0] / face[28:36, 16:48, 0]
    assert np.abs(np.diff(ratio, axis=1)).max() < 0.02


def test_hair_across_the_edge_does_not_tint_the_face_and_black_stays_black() -> None:
    face = rgb(0 * X + 0.5)
    face[30:34, 30:34] = 0
    frame = rgb(0 * X + 0.45)
    frame[:, :20] = (0.1, 0.05, 0.02)
    skin = np.where(X < -10, 0, MASK).astype(np.float32)
    met = apply_membrane(face, measure_membrane(face, frame, MASK, skin))
    assert_allclose(met[10, 40], 0.45, atol=0.01)
    assert_allclose(met[32, 20], 0.45, atol=0.02)
    assert_array_equal(met[31:33, 31:33], 0)
