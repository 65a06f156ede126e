import pytest
import torch
from torch.nn import functional

from faceswap.autoencoder.blocks import SubPixelImage
from faceswap.autoencoder.networks import (
    ConvDecoder,
    ConvEncoder,
    DenseBottleneck,
    Interleaved,
    QuadDecoder,
    Upscaling,
)


def test_encoder_shapes_and_reduction_of_larger_pictures() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(32, (8, 16), (5, 3))
    assert encoder.lowest == 8
    large = torch.rand(2, 3, 64, 64)
    small = functional.avg_pool2d(large, 2)
    assert encoder(small).shape == (2, 16, 8, 8)
    assert torch.equal(encoder(large), encoder(small))


def test_encoder_refuses_a_size_that_cannot_be_halved_so_often() -> None:
    with pytest.raises(ValueError, match="multiple of 16; 40 is not"):
        ConvEncoder(40, (8, 8, 8, 8), (5, 5, 5, 5))
    with pytest.raises(ValueError, match="as many kernels"):
        ConvEncoder(32, (8, 8), (5,))


def test_normalised_encoder_gives_unit_mean_square() -> None:
    y = ConvEncoder(32, (8, 16), (5, 3), normalise=True)(torch.rand(3, 3, 32, 32))
    assert torch.allclose(y.flatten(1).square().mean(1), torch.ones(3), atol=1e-2)


def test_bottleneck_is_encode_then_decode() -> None:
    inter = DenseBottleneck(16 * 64, 10, 4, 12)
    x = torch.rand(2, 16, 8, 8)
    code = inter.encode(x)
    assert code.shape == (2, 10)
    assert inter(x).shape == (2, 12, inter.lowest, inter.lowest) == (2, 12, 8, 8)
    assert torch.equal(inter(x), inter.decode(code))


def test_decoder_makes_pictures_and_masks_in_range() -> None:
    upscaling = Upscaling((8, 8), residual=(0, 1))
    decoder = ConvDecoder(12, upscaling, (4, 4), image=SubPixelImage(8, 3, factor=2))
    picture, mask = decoder(torch.randn(2, 12, 4, 4) * 10)
    assert picture.shape == (2, 3, 32, 32)
    assert mask is not None
    assert mask.shape == (2, 1, 16, 16)
    for values in (picture, mask):
        assert 0 <= values.min() <= values.max() <= 1


def test_quad_decoder_doubles_the_size() -> None:
    picture, mask = QuadDecoder(12, Upscaling((8, 8)), (4, 4, 4))(torch.randn(2, 12, 4, 4))
    assert picture.shape == (2, 3, 32, 32)
    assert mask is not None
    assert mask.shape == (2, 1, 32, 32)


def test_interleaved_puts_each_convolution_in_its_place() -> None:
    layer = Interleaved(1, 2)
    for number, quarter in enumerate(layer.quarters):
        quarter.weight.data.zero_()  # type: ignore[operator]
        quarter.bias.data.fill_(float(number))  # type: ignore[operator]
    cell = layer(torch.zeros(1, 1, 3, 3))[0, 1, :2, :2]
    assert cell.tolist() == [[0.0, 1.0], [2.0, 3.0]]
