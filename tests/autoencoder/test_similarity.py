"""Similarity against scikit-image, and in the precisions that training uses."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from faceswap.autoencoder.similarity import BEST_PSNR, dssim, mean_psnr, ms_ssim, psnr, ssim

Pair = tuple[Tensor, Tensor]


@pytest.fixture
def pair() -> Pair:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2, 3, 64, 64, generator=generator)
    x = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    return x, y


def test_psnr_equals_scikit_image(pair: Pair) -> None:
    x, y = pair
    y = torch.stack([y[0], (x[1] + y[1]) / 2])
    whole = peak_signal_noise_ratio(x.numpy(), y.numpy(), data_range=1.0)
    each = [
        peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1.0)
        for a, b in zip(x, y, strict=True)
    ]
    assert psnr(x, y) == pytest.approx(whole, abs=1e-4)
    assert mean_psnr(x, y) == pytest.approx(np.mean(each), abs=1e-4)
    assert mean_psnr(x, y) > psnr(x, y) + 0.5


def test_psnr_of_equal_pictures_is_a_number(pair: Pair) -> None:
    x, y = pair
    assert psnr(x, x) == BEST_PSNR
    assert mean_psnr(x, torch.stack([x[0], y[1]])) == pytest.approx(
        (BEST_PSNR + float(psnr(x[1], y[1]))) / 2, abs=1e-4
    )


def expected_ssim(x: Tensor, y: Tensor) -> float:
    maps = [
        structural_similarity(
            a.numpy(),
            b.numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            use_sample_covariance=False,
            full=True,
        )[1][:, 5:-5, 5:-5].mean()
        for a, b in zip(x, y, strict=True)
    ]
    return float(np.mean(maps))


def test_ssim_equals_scikit_image(pair: Pair) -> None:
    x, y = pair
    assert ssim(x, y) == pytest.approx(expected_ssim(x, y), abs=1e-5)
    assert dssim(x, y) == pytest.approx((1 - expected_ssim(x, y)) / 2, abs=1e-5)


def test_ms_ssim_of_one_scale_is_ssim_and_of_equal_pictures_is_one(pair: Pair) -> None:
    x, y = pair
    assert ms_ssim(x, y, scales=1) == pytest.approx(expected_ssim(x, y), abs=1e-4)
    assert ms_ssim(x, x, scales=2) == pytest.approx(1.0, abs=1e-5)
    assert ms_ssim(x, y, scales=2) < 0.99


def test_ms_ssim_leaves_brightness_to_the_last_scale(pair: Pair) -> None:
    x = 0.5 + 0.2 * pair[0]
    darker = x - 0.3
    small = torch.nn.functional.avg_pool2d
    last = ssim(small(x, 2), small(darker, 2))
    exponents = torch.tensor([0.0448, 0.2856])
    expected = float(last ** (exponents[1] / exponents.sum()))
    assert ms_ssim(x, darker, scales=2) == pytest.approx(expected, abs=2e-3)
    assert ssim(x, darker) < expected


@pytest.mark.parametrize("measure", [ssim, dssim, ms_ssim])
def test_similarity_is_exact_under_autocast_too(
    measure: Callable[[Tensor, Tensor], Tensor],
) -> None:
    generator = torch.Generator().manual_seed(0)
    # Nearly flat, as skin is: in bfloat16 its variance is lost.
    x, y = 0.6 + 0.02 * torch.rand(2, 1, 3, 64, 64, generator=generator)
    x.requires_grad_(True)
    exact = measure(x, y)
    (wanted,) = torch.autograd.grad(exact, x)
    with torch.autocast("cpu", torch.bfloat16):
        found = measure(x, y)
    (got,) = torch.autograd.grad(found, x)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), abs=1e-6)
    assert torch.allclose(got, wanted, rtol=1e-4, atol=1e-9)
