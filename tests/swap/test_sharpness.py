"""A soft face becomes as sharp as the footage, and a sharp one stays."""

import cv2
import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from faceswap.swap.compositing.sharpness import match_sharpness

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
    raised = match_sharpness(soft, sharp, WHOLE, 1.0, sharpen=1.0, grain=0.0)
    assert sharpness(soft) < 0.4 * sharpness(sharp)
    assert 0.5 * sharpness(sharp) < sharpness(raised) < 1.6 * sharpness(sharp)
    halfway = sharpness(match_sharpness(soft, sharp, WHOLE, 1.0, sharpen=0.5, grain=0.0))
    assert sharpness(soft) < halfway < sharpness(raised)


def test_a_sharp_face_and_a_flat_one_are_left_alone() -> None:
    sharp = textured()
    soft = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.float32)
    assert_allclose(match_sharpness(sharp, soft, WHOLE, 1.0, sharpen=1.0, grain=0.0), sharp)
    flat = np.full_like(sharp, 0.5)
    assert_allclose(
        match_sharpness(flat, sharp, WHOLE, 1.0, sharpen=1.0, grain=0.0), flat, atol=1e-5
    )


def test_only_what_is_under_the_mask_counts() -> None:
    soft = np.asarray(cv2.GaussianBlur(textured(), (0, 0), 1.0), np.float32)
    half = WHOLE.copy()
    half[:, 40:] = 0
    region = soft.copy()
    region[:, 60:] = textured(3)[:, 60:]
    assert_allclose(
        match_sharpness(soft, region, half, 1.0, sharpen=1.0, grain=0.0), soft, atol=1e-3
    )


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
