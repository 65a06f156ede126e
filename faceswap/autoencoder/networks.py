"""Convolutional encoders, dense bottlenecks and convolutional decoders.

Constructors check sizes and raise ValueError, naming the one that does not fit and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import (
    ActivationName,
    BilinearUpscale,
    Downscale,
    PixelNorm,
    Residual,
    SubPixelImage,
    Upscale,
    he_init_,
)
from faceswap.device_support import memory_format

Decoded = tuple[Tensor, Tensor | None]
"""An image (N, C, H, W) and a mask (N, 1, H, W) or None, both in [0, 1]."""


class ConvEncoder(nn.Module):
    """Strided convolutional encoder: image (N, C, S, S) → features (N, widths[-1], s, s).

    size: resolution of the first convolution; larger images are average-pooled to it, so S must
    be a multiple of ``size``. widths, kernels: channels and kernel size of each downscale.
    residual_after: indices (0, 1, …) of downscales followed by a residual block. normalise:
    scale the features of each sample to unit mean square.
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
    """Dense bottleneck (DeepFaceLab's inter): (N, C, s, s) → code → (N, outputs, t, t).

    inputs: C·s². code: length of the latent code. lowest: side of the second dense layer's
    feature map; t is twice that with ``upscale``. outputs: output channels; middle: channels of
    the second dense layer, the same as ``outputs`` by default.
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
            he_init_(layer, gain=1.0)
        self.upscale = Upscale(middle, outputs, active=active) if upscale else nn.Identity()
        self.features = outputs
        self.lowest = lowest * (2 if upscale else 1)

    def encode(self, x: Tensor) -> Tensor:
        """Features (N, C, s, s) → latent code (N, code)."""
        out: Tensor = self.shrink(x.flatten(1))
        return out

    def decode(self, code: Tensor) -> Tensor:
        """Latent code (N, code) → features (N, outputs, t, t)."""
        grown = self.grow(code).view(-1, *self.shape)
        grown = grown.contiguous(memory_format=memory_format(grown.device))
        out: Tensor = self.upscale(grown)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, s, s) → (N, outputs, t, t)."""
        return self.decode(self.encode(x))


@dataclass(frozen=True)
class Upscaling:
    """The blocks by which a decoder doubles the side of its features, as often as it has widths.

    widths: channels after each upscale; the last feature map has the side s·2^len(widths).
    residual: residual blocks after each upscale, one number for all or one each. doubling: the
    upscale block, pixel shuffle or bilinear (``BilinearUpscale``). Raises ValueError.
    """

    widths: Sequence[int]
    residual: int | Sequence[int] = 0
    active: ActivationName = "leaky"
    doubling: type[Upscale] | type[BilinearUpscale] = Upscale

    def __post_init__(self) -> None:
        if not isinstance(self.residual, int) and len(self.residual) != len(self.widths):
            raise ValueError("a decoder needs as many residual counts as widths")

    def layers(self, inputs: int) -> nn.Sequential:
        """New layers, with new weights, for features of ``inputs`` channels."""
        blocks = self.residual
        if isinstance(blocks, int):
            blocks = [blocks] * len(self.widths)
        layers: list[nn.Module] = []
        for width, count in zip(self.widths, blocks, strict=True):
            layers.append(self.doubling(inputs, width, active=self.active))
            layers.extend(Residual(width, self.active) for _ in range(count))
            inputs = width
        return nn.Sequential(*layers)


class ConvDecoder(nn.Module):
    """Convolutional decoder: features (N, C, s, s) → image and, optionally, mask.

    mask_widths: channels of the mask's own narrow branch, without residual blocks; None for no
    mask. image: output layer; by default one convolution of ``image_kernel`` to ``channels``.
    """

    def __init__(
        self,
        inputs: int,
        upscaling: Upscaling,
        mask_widths: Sequence[int] | None = None,
        channels: int = 3,
        image_kernel: int = 1,
        image: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.layers = upscaling.layers(inputs)
        self.image = image or SubPixelImage(upscaling.widths[-1], channels, image_kernel)
        self.mask: nn.Module | None = None
        if mask_widths is not None:
            branch = replace(upscaling, widths=mask_widths, residual=0).layers(inputs)
            self.mask = nn.Sequential(branch, nn.Conv2d(mask_widths[-1], 1, 1))

    def forward(self, x: Tensor) -> Decoded:
        """(N, C, s, s) → (image, mask or None), through a sigmoid."""
        # float32: bfloat16's steps between 0.5 and 1 would show as banding in smooth skin.
        image = torch.sigmoid(self.image(self.layers(x)).float())
        return image, None if self.mask is None else torch.sigmoid(self.mask(x))


class QuadDecoder(ConvDecoder):
    """Decoder whose output layer interleaves four convolutions to twice the resolution.

    Source: the ``-d`` decoders of DeepFaceLab's SAEHD (one 1×1 and three 3×3 convolutions).
    """

    def __init__(
        self,
        inputs: int,
        upscaling: Upscaling,
        mask_widths: Sequence[int] | None = None,
        channels: int = 3,
    ) -> None:
        super().__init__(inputs, upscaling, mask_widths, channels)
        self.image = Interleaved(upscaling.widths[-1], channels)


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
