import pytest
import torch
from torch import nn
from torch.nn import functional

from faceswap.autoencoder.blocks import (
    BilinearUpscale,
    Cosine,
    Downscale,
    LumaChromaImage,
    PixelNorm,
    PixelShuffle,
    Residual,
    SubPixelImage,
    Upscale,
    activation,
    icnr_,
    shuffled_last,
    to_channels_last,
)


@pytest.mark.parametrize("kernel", [3, 5])
def test_downscale_halves(kernel: int) -> None:
    assert Downscale(3, 8, kernel)(torch.zeros(2, 3, 32, 32)).shape == (2, 8, 16, 16)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_upscale_multiplies_and_starts_smooth(factor: int) -> None:
    torch.manual_seed(0)
    block = Upscale(4, 5, factor=factor, active="none")
    convolution = block[0]
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    y = block(torch.rand(2, 4, 6, 6))
    assert y.shape == (2, 5, 6 * factor, 6 * factor)
    cells = y.unfold(2, factor, factor).unfold(3, factor, factor)
    assert torch.allclose(cells, cells[..., :1, :1].expand_as(cells), atol=1e-6)


def test_icnr_fills_in_place() -> None:
    weight = torch.zeros(8, 3, 3, 3)
    assert icnr_(weight, 2) is weight
    assert torch.equal(weight[0], weight[3])
    assert not torch.equal(weight[0], weight[4])


def test_pixel_norm_gives_unit_mean_square() -> None:
    y = PixelNorm()(torch.randn(3, 100) * 7)
    assert torch.allclose(y.square().mean(1), torch.ones(3), atol=1e-4)


def test_residual_keeps_the_shape_and_passes_its_input() -> None:
    block = Residual(4)
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 4, 8, 8)
    assert torch.equal(block(x), nn.functional.leaky_relu(x, 0.2))


def test_cosine_and_its_gradient() -> None:
    x = torch.linspace(-3, 3, 13, dtype=torch.double, requires_grad=True)
    assert torch.equal(Cosine()(x), x * x.cos())
    assert torch.autograd.gradcheck(Cosine(), x)


def test_sub_pixel_image_without_factor_keeps_the_size() -> None:
    assert SubPixelImage(4, 3)(torch.zeros(1, 4, 8, 8)).shape == (1, 3, 8, 8)
    assert SubPixelImage(4, 3, factor=4)(torch.zeros(1, 4, 8, 8)).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("name", ["leaky", "cosine", "relu", "silu", "sigmoid", "tanh", "none"])
def test_every_activation_can_be_made(name: str) -> None:
    assert activation(name)(torch.zeros(2)).shape == (2,)  # type: ignore[arg-type]


def test_channels_last_changes_no_value() -> None:
    layer = nn.Conv2d(3, 4, 3)
    before = layer.weight.detach().clone()
    to_channels_last(layer)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(layer.weight, before)


def test_luma_and_chroma_make_a_picture() -> None:
    block = LumaChromaImage(8)
    assert block(torch.randn(2, 8, 5, 5)).shape == (2, 3, 10, 10)
    with torch.no_grad():
        block.convolution.weight.zero_()
        assert block.convolution.bias is not None
        block.convolution.bias.copy_(torch.tensor([1.0, 2, 3, 4, 0, 0]))
        grey = block(torch.zeros(1, 8, 1, 1))
        assert torch.equal(grey[0, 0], torch.tensor([[1.0, 2], [3, 4]]))
        assert torch.equal(grey[0, 0], grey[0, 2])
        block.convolution.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 1]))  # red alone
        red = block(torch.zeros(1, 8, 1, 1))[0, :, 0, 0]
    assert red[0] > 1.4
    assert red[1] < -0.7
    assert red[2] == 0


def test_enlarging_is_smooth_from_the_start() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 8).expand(1, 1, 8, 8).contiguous()
    block = BilinearUpscale(1, 1, active="none")
    out = block(ramp)[0, 0, 4:-4, 4:-4]
    assert out.shape == (8, 8)
    steps = out[:, 1:] - out[:, :-1]
    assert torch.allclose(steps, steps[0, 0].expand_as(steps), atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_shuffle_that_keeps_the_layout_gives_what_torchs_does(factor: int) -> None:
    torch.manual_seed(0)
    shape = (2, 4 * factor**2, 5, 6)
    x = torch.randn(shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = x.detach().clone().requires_grad_()
    mine, torchs = shuffled_last(x, factor), functional.pixel_shuffle(y, factor)
    assert torch.equal(mine, torchs)
    slope = torch.randn_like(torchs)
    torch.autograd.backward(mine, slope)
    torch.autograd.backward(torchs, slope)
    assert x.grad is not None
    assert y.grad is not None
    assert torch.equal(x.grad, y.grad)
    for made in (mine, x.grad):
        assert made.is_contiguous(memory_format=torch.channels_last)


def test_off_the_processor_a_doubling_keeps_the_layout() -> None:
    """As torch's own does on a processor, and nowhere else."""
    last = torch.channels_last
    there = torch.empty(2, 16, 8, 8, device="meta")
    assert PixelShuffle(2)(there.contiguous(memory_format=last)).is_contiguous(memory_format=last)
    assert PixelShuffle(2)(there).is_contiguous()
    here = torch.rand(2, 16, 8, 8).contiguous(memory_format=last)
    assert torch.equal(PixelShuffle(2)(here), functional.pixel_shuffle(here, 2))
