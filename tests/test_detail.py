"""A soft face becomes as sharp as the footage, and a sharp one stays."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from faceswap.swap.detail import detail_gains, fine_texture, raise_detail

WHOLE = np.ones((96, 96), np.float32)


def textured(seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).normal(0, 0.6, (96, 96)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.0) + cv2.GaussianBlur(noise, (0, 0), 3.0)
    return np.repeat(np.clip(0.5 + smooth, 0, 1)[..., None], 3, axis=2).astype(np.float32)


def sharpness(picture: NDArray[np.float32]) -> float:
    return float(np.square(cv2.Laplacian(picture[..., 0], cv2.CV_32F)).mean())


def test_a_soft_face_is_raised_to_the_sharpness_of_the_frame() -> None:
    sharp = textured()
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.8), np.float32)
    gains = detail_gains(soft, sharp, WHOLE)
    assert gains[0] > gains[1] > gains[2] >= 1
    raised = raise_detail(soft, gains, 1.0)
    assert sharpness(soft) < 0.4 * sharpness(sharp)
    assert 0.5 * sharpness(sharp) < sharpness(raised) < 1.6 * sharpness(sharp)
    halfway = sharpness(raise_detail(soft, gains, 0.5))
    assert sharpness(soft) < halfway < sharpness(raised)


def test_a_sharp_face_and_a_flat_one_are_left_alone() -> None:
    sharp = textured()
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.float32)
    assert_allclose(detail_gains(sharp, soft, WHOLE), 1)
    flat = np.full_like(sharp, 0.5)
    assert detail_gains(flat, sharp, WHOLE).max() <= 2.5
    assert_allclose(raise_detail(flat, np.full(3, 2.5, np.float32), 1.0), flat, atol=1e-6)


def test_only_what_is_under_the_mask_counts() -> None:
    soft = np.asarray(cv2.GaussianBlur(textured(), (0, 0), 1.0), np.float32)
    half = WHOLE.copy()
    half[:, 40:] = 0
    changed = soft.copy()
    changed[:, 60:] = textured(3)[:, 60:]
    assert_allclose(detail_gains(soft, changed, half), detail_gains(soft, soft, half), rtol=0.05)


def test_texture_is_kept_and_edges_are_not() -> None:
    picture = np.full((64, 64, 3), 120, np.uint8)
    picture[:, 32:] = 200
    grain = np.random.default_rng(1).integers(-3, 4, (64, 64, 1))
    found = fine_texture((picture + grain).astype(np.uint8))[..., 0]
    assert np.abs(found[:, 31:33]).max() < 3
    away = np.s_[8:-8, 8:24]
    assert np.corrcoef(found[away].ravel(), grain[..., 0][away].ravel())[0, 1] > 0.9
    assert np.abs(fine_texture(picture)[:, 4:24]).max() == pytest.approx(0, abs=1e-4)
