import kornia
import pytest
import torch

from faceswap.autoencoder import losses


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2, 3, 48, 48, generator=generator)
    x = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    y = (x + 0.1 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    return x, y


def test_plain_losses_of_a_known_difference() -> None:
    x, y = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.1)
    assert losses.mse(x, y) == pytest.approx(0.01)
    assert losses.laplacian_pyramid(x, y) == pytest.approx(0.1 / 8, abs=1e-6)


Pair = tuple[torch.Tensor, torch.Tensor]


def test_block_ssim_equals_its_formula_on_one_block() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 1, 1, 8, 8, generator=generator)
    mx, my = x.mean(), y.mean()
    vx, vy, vxy = x.var(correction=0), y.var(correction=0), ((x - mx) * (y - my)).mean()
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert losses.ssim_map(x, y).item() == pytest.approx(expected.item(), abs=1e-4)


def test_block_ssim_ranks_like_the_paper_form(pair: Pair) -> None:
    x, y = pair
    worse = (x + 2 * (y - x)).clamp(0, 1)
    near, far = (float(losses.ssim_map(x, z).mean()) for z in (y, worse))
    assert far < near < 1


def test_laplacian_pyramid_sees_detail_most() -> None:
    x = torch.full((1, 1, 16, 16), 0.5)
    checks = x + 0.1 * ((torch.arange(16)[:, None] + torch.arange(16)) % 2 * 2 - 1)
    coarse = x + 0.1 * ((torch.arange(16)[:, None] // 8 + torch.arange(16) // 8) % 2 * 2 - 1)
    fine, rough = losses.laplacian_pyramid(x, checks), losses.laplacian_pyramid(x, coarse)
    assert fine == pytest.approx(0.1, abs=1e-6)
    assert rough == pytest.approx(0.1 / 8, abs=1e-6)


def test_focal_frequency_closed_form_of_a_constant() -> None:
    x, y = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5)
    # All of the difference is at frequency zero: (0.5 · 64 / 8)² there, weighted 1, over 64.
    assert losses.focal_frequency(x, y) == pytest.approx(16 / 64)
    assert losses.focal_frequency(x, x) == 0


def test_detail_equals_autograd_on_the_plain_formula(pair: Pair) -> None:
    x, y = (t.double() for t in pair)
    x.requires_grad_(True)
    weights = torch.rand(2, 1, 48, 48, dtype=torch.double)
    share = 0.3
    d = x - y
    plain = (d.abs() * weights).sum() / d.numel()
    across = ((d[..., 1:] - d[..., :-1]).abs() * weights[..., :-1]).sum() / d.numel()
    down = ((d[..., 1:, :] - d[..., :-1, :]).abs() * weights[..., :-1, :]).sum() / d.numel()
    expected = (1 - share) * plain + share * (across + down)
    (wanted,) = torch.autograd.grad(expected, x)
    loss, l1, steps = losses.l1_gradient_loss(x, y, weights, share)
    (got,) = torch.autograd.grad(loss, x)
    assert loss.item() == pytest.approx(expected.item())
    assert l1.item() == pytest.approx(plain.item())
    assert steps.item() == pytest.approx((across + down).item())
    assert torch.allclose(got, wanted, atol=1e-12)


def test_luma_is_that_of_kornia() -> None:
    x = torch.rand(2, 3, 5, 5)
    assert torch.allclose(losses.luma(x), kornia.color.rgb_to_grayscale(x), atol=1e-5)


def test_block_ssim_is_exact_under_autocast_too() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 0.6 + 0.02 * torch.rand(1, 3, 32, 32, generator=generator)  # nearly flat, as skin is
    y = 0.6 + 0.02 * torch.rand(1, 3, 32, 32, generator=generator)
    exact = losses.ssim_map(losses.luma(x), losses.luma(y))
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.ssim_map(losses.luma(x), losses.luma(y))
    assert found.dtype == torch.float32
    assert torch.allclose(found, exact, atol=1e-4)
    assert found.max() <= 1
