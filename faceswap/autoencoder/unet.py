"""U-Net for image restoration at any resolution, and its input for inpainting."""

import itertools
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import Residual, activation, he_init_
from faceswap.autoencoder.interface import Count


class UNetConfig(BaseModel):
    """U-Net configuration.

    inputs, channels: input and output channels. widths: channels at full resolution and after
    each downscale. blocks: residual blocks at the lowest resolution. masked: the last input
    channel is a mask, 1 where something is missing (see ``masked_input``); the output changes only
    those pixels. standardised: normalise each picture's mean and contrast before the net and
    undo it after, to generalise over lighting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Count = 1
    channels: Count = 1
    widths: Annotated[tuple[Count, ...], Field(min_length=2)] = (16, 32, 64)
    blocks: int = Field(default=1, ge=0)
    masked: bool = False
    standardised: bool = False


class UNet(nn.Module):
    """U-Net with additive skip connections that predicts a per-pixel gain and offset.

    Source: Ronneberger et al., "U-Net", MICCAI 2015 (sums in place of concatenation). The output
    is input · (1 + gain) + offset, on logits or on standardised values: an untrained net is
    nearly the identity, and the gain removes noise without predicting its exact negative.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.first = nn.Conv2d(config.inputs, widths[0], 3, padding=1)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs)
        self.lowest = nn.Sequential(*(Residual(widths[-1]) for _ in range(config.blocks)))
        self.up = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in reversed(pairs))
        self.last = nn.Conv2d(widths[0], 2 * config.channels, 3, padding=1)
        self.active = activation("leaky")
        for layer in (self.first, *self.down, *self.up):
            assert isinstance(layer, nn.Conv2d)
            he_init_(layer)
        he_init_(self.last, 0.1)  # small gain and offset at first: nearly the identity

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, channels, H, W) in [0, 1], any H and W."""
        config = self.config
        seen = x[:, : config.channels].float()
        hole = x[:, -1:] if config.masked else None
        if config.standardised:
            mean, deviation = _statistics(seen)
            values = (seen - mean) / deviation
            offset, gain = self._offset_and_gain(torch.cat([values, x[:, config.channels :]], 1))
            made = (mean + deviation * (values * (1 + gain) + offset)).clamp(0, 1)
        else:
            offset, gain = self._offset_and_gain(x)
            if seen.shape[1] < config.channels:  # colourisation: grey in, RGB out
                seen = seen.mean(1, keepdim=True)
            # Clamped, as the logit of 0 or 1 is infinite.
            made = torch.sigmoid(torch.logit(seen.clamp(0.01, 0.99)) * (1 + gain) + offset)
        return made if hole is None else torch.where(hole > 0, made, seen)

    def _offset_and_gain(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Per-pixel offset and gain, (N, channels, H, W) each."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.down)
        padding = (0, -width % step, 0, -height % step)
        padded = functional.pad(x, padding, mode="replicate") if any(padding) else x
        h = self.active(self.first(padded))
        skips = []
        for layer in self.down:
            skips.append(h)
            h = self.active(layer(h))
        h = self.lowest(h)
        for layer, skip in zip(self.up, reversed(skips), strict=True):
            larger = functional.interpolate(h, scale_factor=2.0, mode="nearest")
            h = self.active(layer(larger)) + skip
        offset, gain = self.last(h).float()[..., :height, :width].chunk(2, 1)
        return offset, gain


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C, 1, 1) and standard deviation (N, 1, 1, 1) of pictures (N, C, H, W)."""
    mean = x.mean((2, 3), keepdim=True)
    variance = (x - mean).square().mean((1, 2, 3), keepdim=True)
    return mean, (variance + 0.02**2).sqrt()  # at least 0.02: do not amplify noise in plain areas


def masked_input(x: Tensor, hole: Tensor) -> Tensor:
    """Input of a masked net: pictures with holes filled smoothly, and the mask as last channel.

    x: (N, C, H, W). hole: (N, 1, H, W), 1 where something is missing; the result is
    (N, C + 1, H, W). Pull-push interpolation (Gortler et al., "The lumigraph", SIGGRAPH 1996).
    """
    known = 1 - hole
    levels = [(x * known, known)]
    while max(levels[-1][1].shape[2:]) > 1:
        values, share = (functional.avg_pool2d(t, 2, ceil_mode=True) for t in levels[-1])
        levels.append((values, share))
    values, share = levels.pop()
    smooth = values / share.clamp(min=1e-6)
    for values, share in reversed(levels):
        larger = functional.interpolate(
            smooth, values.shape[2:], mode="bilinear", align_corners=False
        )
        smooth = values + larger * (1 - share)
    return torch.cat([smooth, hole], 1)
