"""A soft face becomes as sharp as the footage; no noise is raised and no edge gets a halo."""

import cv2
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.swap.compositing.sharpness import match_sharpness

WHOLE = np.ones((96, 96), np.float32)


def rgb(luma: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.repeat(np.clip(luma, 0, 1)[..., None], 3, axis=2).astype(np.float32)


def blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def features(width: int = 3) -> NDArray[np.float32]:
    """Bare skin with a few dark strokes, as lids and lips are."""
    luma = np.full((96, 96), 0.6, np.float32)
    for row in (20, 45, 70):
        luma[row : row + width, 20:76] = 0.2
    return blurred(rgb(luma), 0.6)


def contrast(picture: NDArray[np.float32]) -> float:
    """Mean slope across the strokes."""
    return float(np.abs(np.diff(picture[:, 30:66, 0], axis=0)).max(0).mean())


def test_soft_features_are_raised_to_the_sharpness_of_the_frame() -> None:
    sharp, soft = features(), blurred(features(), 1.2)
    raised = match_sharpness(soft, sharp, WHOLE, 1.0, sharpen=1.0, grain=0.0)
    assert contrast(soft) < 0.6 * contrast(sharp)
    assert 1.2 * contrast(soft) < contrast(raised) <= 1.05 * contrast(sharp)
    halfway = contrast(match_sharpness(soft, sharp, WHOLE, 1.0, sharpen=0.5, grain=0.0))
    assert contrast(soft) < halfway < contrast(raised)


def test_a_step_gets_steeper_without_ringing() -> None:
    luma = np.full((96, 96), 0.3, np.float32)
    luma[:, 48:] = 0.7
    soft = blurred(rgb(luma), 2.0)
    raised = match_sharpness(soft, rgb(luma), WHOLE, 1.0, sharpen=4.0, grain=0.0)
    assert np.diff(raised[48, :, 0]).max() > 1.3 * np.diff(soft[48, :, 0]).max()
    assert np.diff(raised[..., 0], axis=1).min() > -1e-6
    assert soft.min() - 1e-6 < raised.min() < raised.max() < soft.max() + 1e-6


def test_the_grid_of_a_network_on_bare_skin_is_not_raised() -> None:
    grid = 0.01 * (np.indices((96, 96)) % 2 * 2 - 1).sum(0)
    wanted = rgb(0.6 + np.random.default_rng(0).normal(0, 0.05, (96, 96)))
    for scale in (1.0, 2.0):
        zoomed = np.kron(grid, np.ones((int(scale), int(scale))))[:96, :96]
        smooth = rgb(0.6 + zoomed)
        raised = match_sharpness(smooth, wanted, WHOLE, scale, sharpen=4.0, grain=0.0)
        assert np.abs(raised - smooth).max() < 1e-3
    both = features() + rgb(0.5 + grid) - 0.5
    raised = match_sharpness(both, features(1), WHOLE, 1.0, sharpen=4.0, grain=0.0)
    assert np.abs(raised - both)[85:].max() < 2e-3


def test_a_face_in_motion_blur_is_blurred() -> None:
    streak = np.full((1, 15), 1 / 15)
    moving = np.asarray(cv2.filter2D(features(), -1, streak.T), np.float32)
    softened = match_sharpness(features(), moving, WHOLE, 1.0, sharpen=1.0, grain=0.0)
    assert contrast(softened) < 0.75 * contrast(features())
    plainer = np.asarray(0.6 + 0.8 * (features() - 0.6), np.float32)
    kept = match_sharpness(features(), plainer, WHOLE, 1.0, sharpen=1.0, grain=0.0)
    assert_allclose(kept, features(), atol=1e-6)


def test_an_even_face_is_left_alone() -> None:
    flat = rgb(np.full((96, 96), 0.5))
    assert_allclose(match_sharpness(flat, features(), WHOLE, 1.0, 4.0, 0.0), flat, atol=1e-5)


def test_only_what_is_under_the_mask_counts() -> None:
    soft = blurred(features(), 1.0)
    half = WHOLE.copy()
    half[:, 40:] = 0
    region = soft.copy()
    region[:, 60:] = features(1)[:, 60:]
    changed = match_sharpness(soft, region, half, 1.0, sharpen=1.0, grain=0.0) - soft
    assert np.abs(changed[:, :40]).max() < 1e-3
    nowhere = match_sharpness(soft, region, np.zeros_like(half), 1.0, sharpen=1.0, grain=0.0)
    assert_array_equal(nowhere, soft)


def test_texture_stays_and_edges_do_not() -> None:
    edge = np.full((64, 64, 3), 0.45, np.float32)
    edge[:, 32:] = 0.8
    flat = np.full_like(edge, 0.5)
    grain = np.random.default_rng(1).normal(0, 0.006, (64, 64, 1)).astype(np.float32)
    found = (match_sharpness(flat, edge + grain, WHOLE[:64, :64], 1.0, 0.0, 1.0) - flat)[..., 0]
    assert np.abs(found[:, 31:33]).max() < 0.015
    away = np.s_[8:-8, 8:24]
    assert np.corrcoef(found[away].ravel(), grain[..., 0][away].ravel())[0, 1] > 0.9
    alone = match_sharpness(flat, edge, WHOLE[:64, :64], 1.0, 0.0, 1.0)
    assert_allclose(alone[:, 4:24], flat[:, 4:24], atol=1e-4)
