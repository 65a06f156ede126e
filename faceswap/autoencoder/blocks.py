"""Building blocks of the networks: activations, initialisation, down- and upscale, residual.

Inputs and outputs are tensors (N, C, H, W) unless stated otherwise.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

ActivationName = Literal["leaky", "cosine", "relu", "silu", "sigmoid", "tanh", "none"]


class Cosine(nn.Module):
    """x · cos(x), the activation of DeepFaceLab's ``-c`` models."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, elementwise."""
        return x * torch.cos(x)


def to_channels_last(module: nn.Module) -> None:
    """Convert the convolution kernels of ``module`` to channels_last, the fastest layout."""
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def activation(name: ActivationName, slope: float = 0.1) -> nn.Module:
    """Activation module by name; slope: the negative slope of "leaky"."""
    match name:
        case "leaky":
            return nn.LeakyReLU(slope, inplace=True)
        case "cosine":
            return Cosine()
        case "relu":
            return nn.ReLU(inplace=True)
        case "silu":
            return nn.SiLU(inplace=True)
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "none":
            return nn.Identity()


class PixelNorm(nn.Module):
    """Pixel norm: scale each sample of (N, F) to unit mean square.

    Source: Karras et al., "Progressive growing of GANs", ICLR 2018; DeepFaceLab's ``-u`` models
    apply it to the flattened code.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, F) → (N, F)."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6)


def he_init_(layer: nn.Conv2d | nn.Linear, gain: float = 2.0) -> None:
    """He initialisation: normal weights of variance ``gain`` / inputs, zero bias.

    gain: 2 before a rectifier, which drops half of the signal, 1 before none. PyTorch's default
    initialisation halves the signal in each layer, too much for ten layers. Source: He et al.,
    "Delving deep into rectifiers", ICCV 2015.
    """
    inputs = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=(gain / inputs) ** 0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def icnr_(weight: Tensor, factor: int) -> Tensor:
    """ICNR initialisation of a weight (C·factor², I, k, k) before pixel shuffle, in place.

    All factor² sub-pixels of a channel start equal, which avoids checkerboard artifacts. Returns
    ``weight``. Source: Aitken et al., arXiv:1707.02937.
    """
    first = torch.empty_like(weight[:: factor**2])
    nn.init.kaiming_uniform_(first, a=0.1)
    with torch.no_grad():
        weight.copy_(first.repeat_interleave(factor**2, dim=0))
    return weight


class Downscale(nn.Sequential):
    """Strided convolution and activation: (N, I, H, W) → (N, O, H/stride, W/stride)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 5,
        stride: int = 2,
        active: ActivationName = "leaky",
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        he_init_(convolution)
        super().__init__(convolution, activation(active))


class PixelShuffle(nn.PixelShuffle):
    """torch's, but for kernels laid out channels last it gives that layout on every device.

    On a graphics card torch's own gives the plain layout, so that of each doubling's output, and
    of its gradient, further copies are made on the way into the next convolution.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C·factor², H, W) → (N, C, factor·H, factor·W)."""
        kept = input.is_contiguous(memory_format=torch.channels_last)
        if input.device.type == "cpu" or not kept:
            return super().forward(input)
        return shuffled_last(input, self.upscale_factor)


def shuffled_last(x: Tensor, factor: int) -> Tensor:
    """Pixel shuffle of x (N, C·factor², H, W), laid out channels last, in a single copy."""
    n, c, h, w = x.shape
    cells = x.permute(0, 2, 3, 1).reshape(n, h, w, c // factor**2, factor, factor)
    rows = cells.permute(0, 1, 4, 2, 5, 3)
    return rows.reshape(n, h * factor, w * factor, c // factor**2).permute(0, 3, 1, 2)


class Upscale(nn.Sequential):
    """Convolution, activation, pixel shuffle: (N, I, H, W) → (N, O, factor·H, factor·W).

    Source: Shi et al., "Real-time single image and video super-resolution using an efficient
    sub-pixel convolutional neural network", CVPR 2016.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        factor: int = 2,
        active: ActivationName = "leaky",
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs * factor**2, kernel, padding=kernel // 2)
        icnr_(convolution.weight, factor)
        super().__init__(convolution, activation(active), PixelShuffle(factor))


class BilinearUpscale(nn.Sequential):
    """Bilinear upsampling, convolution, activation: (N, I, H, W) → (N, O, factor·H, factor·W).

    As many multiplications as ``Upscale``, without pixel shuffle's checkerboard artifacts early
    in training. Source: Odena et al., "Deconvolution and
    checkerboard artifacts", Distill 2016.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        factor: int = 2,
        active: ActivationName = "leaky",
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        he_init_(convolution)
        enlarge = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        super().__init__(enlarge, convolution, activation(active))


class Residual(nn.Module):
    """Residual block of two 3×3 convolutions; keeps the shape."""

    def __init__(self, channels: int, active: ActivationName = "leaky", slope: float = 0.2) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            activation(active, slope),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.active = activation(active, slope)
        for layer, gain in ((self.body[0], 2.0), (self.body[2], 0.1)):
            assert isinstance(layer, nn.Conv2d)
            he_init_(layer, gain)  # nearly the identity at first

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        out: Tensor = self.active(x + self.body(x))
        return out


class SubPixelImage(nn.Sequential):
    """Sub-pixel output layer: features (N, I, H, W) → logits (N, C, factor·H, factor·W).

    One convolution makes the colours of all sub-pixels, in place of a decoder's largest and
    slowest layers.
    """

    def __init__(self, inputs: int, channels: int, kernel: int = 3, factor: int = 1) -> None:
        convolution = nn.Conv2d(inputs, channels * factor**2, kernel, padding=kernel // 2)
        icnr_(convolution.weight, factor)
        super().__init__(convolution, nn.PixelShuffle(factor))


class LumaChromaImage(nn.Module):
    """Output layer with chroma subsampling: features (N, I, H, W) → RGB logits (N, 3, 2H, 2W).

    Luma comes from sub-pixels, chroma from the features' resolution by bilinear upsampling, as in
    JPEG: skin has no fine colour detail, and colour noise is impossible early in training. The
    YCbCr to RGB conversion (ITU-R BT.601) is applied to logits.
    """

    def __init__(self, inputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, 4 + 2, kernel, padding=kernel // 2)
        he_init_(self.convolution, gain=1.0)
        icnr_(self.convolution.weight[:4], 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, H, W) → (N, 3, 2H, 2W), float32."""
        # With so few channels the contiguous layout is faster than channels_last.
        made = self.convolution(x).float().contiguous()
        y = functional.pixel_shuffle(made[:, :4], 2)
        smooth = functional.interpolate(made[:, 4:], scale_factor=2.0, mode="bilinear")
        blue, red = torch.chunk(smooth, 2, 1)
        return torch.cat(
            [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue], 1
        )
