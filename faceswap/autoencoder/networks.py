"""Encoders, bottlenecks and decoders, made from the blocks.

Sizes are checked when a network is made: ValueError says which one does not fit and why.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import (
    ActivationName,
    Downscale,
    Enlarge,
    PixelNorm,
    Residual,
    SubPixelImage,
    Upscale,
    start_convolution_,
)
from faceswap.device_support import memory_format

Decoded = tuple[Tensor, Tensor | None]
"""An image (N, C, H, W) and, where it is learnt, a mask (N, 1, H, W), both in [0, 1]."""


class ConvEncoder(nn.Module):
    """Strided convolutions: image (N, C, S, S) → features (N, widths[-1], s, s).

    size: side of the images it works at; larger ones are first reduced to it by averaging, so
    S must be a multiple of ``size``. widths and kernels: channels and kernel of each halving.
    residual_after: after which of them (0, 1, …) a residual block follows. normalise: scale the
    features of each sample to unit mean square.
    """

    def __init__(
        self,
        size: int,
        widths: Sequence[int],
        kernels: Sequence[int],
        channels: int = 3,
        active: ActivationName = "leaky",
        residual_after: Sequence[int] = (),
        normalise: bool = False,
    ) -> None:
        super().__init__()
        if len(kernels) != len(widths) or not widths:
            raise ValueError("an encoder needs as many kernels as widths, at least one")
        if size % 2 ** len(widths):
            raise ValueError(
                f"an encoder with {len(widths)} halvings needs a size that is a multiple of "
                f"{2 ** len(widths)}; {size} is not"
            )
        self.size = size
        self.features = widths[-1]
        self.lowest = size // 2 ** len(widths)
        layers: list[nn.Module] = []
        for number, (width, kernel) in enumerate(zip(widths, kernels, strict=True)):
            layers.append(Downscale(channels, width, kernel, active=active))
            if number in residual_after:
                layers.append(Residual(width, active))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.normalise = PixelNorm() if normalise else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, S, S) → (N, widths[-1], s, s)."""
        if x.shape[-1] != self.size:
            x = functional.avg_pool2d(x, x.shape[-1] // self.size)
        out: Tensor = self.layers(x)
        if self.normalise is not None:
            out = self.normalise(out.flatten(1)).view_as(out)
        return out


class DenseBottleneck(nn.Module):
    """Features through a short vector and back: (N, C, s, s) → (N, outputs, t, t).

    inputs: C·s². code: length of the vector. lowest: side of the map the second layer makes;
    t is twice that with ``upscale``. outputs: channels made.
    """

    def __init__(
        self,
        inputs: int,
        code: int,
        lowest: int,
        outputs: int,
        middle: int | None = None,
        upscale: bool = True,
        active: ActivationName = "leaky",
    ) -> None:
        super().__init__()
        middle = middle or outputs
        self.shape = (middle, lowest, lowest)
        self.shrink = nn.Linear(inputs, code)
        self.grow = nn.Linear(code, middle * lowest**2)
        for layer in (self.shrink, self.grow):
            start_convolution_(layer, gain=1.0)
        self.upscale = Upscale(middle, outputs, active=active) if upscale else nn.Identity()
        self.features = outputs
        self.lowest = lowest * (2 if upscale else 1)

    def encode(self, x: Tensor) -> Tensor:
        """(N, C, s, s) → the code (N, code)."""
        out: Tensor = self.shrink(x.flatten(1))
        return out

    def decode(self, code: Tensor) -> Tensor:
        """The code (N, code) → (N, outputs, t, t)."""
        grown = self.grow(code).view(-1, *self.shape)
        grown = grown.contiguous(memory_format=memory_format(grown.device))
        out: Tensor = self.upscale(grown)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, s, s) → (N, outputs, t, t)."""
        return self.decode(self.encode(x))


class ConvDecoder(nn.Module):
    """Doublings, each with a convolution: features (N, C, s, s) → image and, if asked for, mask.

    widths: channels after each doubling, so that the last map has the side s·2^len(widths).
    residual: how many residual blocks follow each doubling, or one number for all. factor: how
    often larger than the last map the picture is. mask_widths: channels of the mask's own,
    narrow branch; none, no mask. image: what makes the picture of the last map, in place of a
    convolution with ``image_kernel`` and ``factor``. doubling: pixel shuffle or ``Enlarge``.
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        mask_widths: Sequence[int] | None = None,
        channels: int = 3,
        residual: int | Sequence[int] = 0,
        active: ActivationName = "leaky",
        image_kernel: int = 1,
        factor: int = 1,
        image: nn.Module | None = None,
        doubling: type[Upscale] | type[Enlarge] = Upscale,
    ) -> None:
        super().__init__()
        blocks = [residual] * len(widths) if isinstance(residual, int) else list(residual)
        if len(blocks) != len(widths):
            raise ValueError("a decoder needs as many residual counts as widths")
        self.layers = _doublings(inputs, widths, blocks, active, doubling)
        self.image = image or SubPixelImage(widths[-1], channels, image_kernel, factor)
        self.mask: nn.Module | None = None
        if mask_widths is not None:
            branch = _doublings(inputs, mask_widths, [0] * len(mask_widths), active, doubling)
            self.mask = nn.Sequential(branch, nn.Conv2d(mask_widths[-1], 1, 1))

    def forward(self, x: Tensor) -> Decoded:
        """(N, C, s, s) → (image, mask or None), squashed to [0, 1]."""
        # In float32: the steps of bfloat16 between 0.5 and 1 would be seen in smooth skin.
        image = torch.sigmoid(self.image(self.layers(x)).float())
        return image, None if self.mask is None else torch.sigmoid(self.mask(x))


class QuadDecoder(ConvDecoder):
    """Ends with four convolutions whose pictures interleave to one of twice the size.

    Source: the ``-d`` decoders of DeepFaceLab's SAEHD (one 1×1 and three 3×3 convolutions).
    """

    def __init__(
        self,
        inputs: int,
        widths: Sequence[int],
        mask_widths: Sequence[int] | None = None,
        channels: int = 3,
        residual: int = 0,
        active: ActivationName = "leaky",
    ) -> None:
        super().__init__(inputs, widths, mask_widths, channels, residual, active)
        self.image = Interleaved(widths[-1], channels)


class Interleaved(nn.Module):
    """Four convolutions, one for each pixel of a 2×2 cell: (N, I, H, W) → (N, C, 2H, 2W)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.quarters = nn.ModuleList(
            nn.Conv2d(inputs, channels, k, padding=k // 2) for k in (1, 3, 3, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, H, W) → (N, C, 2H, 2W)."""
        quarters = torch.stack([q(x) for q in self.quarters], dim=2)
        return functional.pixel_shuffle(quarters.flatten(1, 2), 2)


def _doublings(
    inputs: int,
    widths: Sequence[int],
    residual: Sequence[int],
    active: ActivationName,
    doubling: type[Upscale] | type[Enlarge],
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, blocks in zip(widths, residual, strict=True):
        layers.append(doubling(inputs, width, active=active))
        layers.extend(Residual(width, active) for _ in range(blocks))
        inputs = width
    return nn.Sequential(*layers)
