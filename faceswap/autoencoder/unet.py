"""A convolutional autoencoder with shortcuts, for pictures of any size: it repairs them."""

import itertools
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import Residual, activation, start_convolution_
from faceswap.autoencoder.interface import Count


class UNetConfig(BaseModel):
    """inputs: channels given; channels: made. widths: of the full size and of each halving.
    blocks: residual blocks at the lowest size. masked: whether the last input channel is 1 where
    something is missing, see ``with_holes``; the rest stays as it is. standardised: whether each
    picture's own light is taken out before and put back after, so that what was learnt in one
    light holds in another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Count = 1
    channels: Count = 1
    widths: Annotated[tuple[Count, ...], Field(min_length=2)] = (16, 32, 64)
    blocks: int = Field(default=1, ge=0)
    masked: bool = False
    standardised: bool = False


class UNet(nn.Module):
    """Halvings, doublings, and a shortcut between each pair of the same size.

    Source: Ronneberger et al., "U-Net", MICCAI 2015, with sums for joins. It gives what to add to
    its input's first channels and how much of them to keep, pixel by pixel: a new net leaves
    pictures nearly as they are, and noise need not be cancelled by its exact opposite. It works
    on logits, or on standardised values.
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
            start_convolution_(layer)
        start_convolution_(self.last, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) → (N, channels, H, W) in [0, 1], any H and W."""
        config = self.config
        seen = x[:, : config.channels].float()
        hole = x[:, -1:] if config.masked else None
        if config.standardised:
            mean, spread = _light(seen)
            values = (seen - mean) / spread
            change, more = self._answer(torch.cat([values, x[:, config.channels :]], 1))
            made = (mean + spread * (values * (1 + more) + change)).clamp(0, 1)
        else:
            change, more = self._answer(x)
            if seen.shape[1] < config.channels:  # colours out of grey
                seen = seen.mean(1, keepdim=True)
            made = torch.sigmoid(torch.logit(seen.clamp(0.01, 0.99)) * (1 + more) + change)
        return made if hole is None else torch.where(hole > 0, made, seen)

    def _answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What to add and how much more to keep, (N, channels, H, W) each."""
        height, width = x.shape[-2:]
        step = 2 ** len(self.down)
        missing = (0, -width % step, 0, -height % step)
        whole = functional.pad(x, missing, mode="replicate") if any(missing) else x
        h = self.active(self.first(whole))
        kept = []
        for layer in self.down:
            kept.append(h)
            h = self.active(layer(h))
        h = self.lowest(h)
        for layer, shortcut in zip(self.up, reversed(kept), strict=True):
            larger = functional.interpolate(h, scale_factor=2.0, mode="nearest")
            h = self.active(layer(larger)) + shortcut
        change, more = self.last(h).float()[..., :height, :width].chunk(2, 1)
        return change, more


def _light(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N, C, 1, 1) and spread (N, 1, 1, 1) of pictures (N, C, H, W)."""
    mean = x.mean((2, 3), keepdim=True)
    variance = (x - mean).square().mean((1, 2, 3), keepdim=True)
    return mean, (variance + 0.02**2).sqrt()  # what is plain has no contrast to be raised


def with_holes(x: Tensor, hole: Tensor) -> Tensor:
    """What a masked net sees of pictures (N, C, H, W) without what is where ``hole``
    (N, 1, H, W) is 1: the holes filled smoothly from around them, and the mask: (N, C + 1, H, W).

    Filled by means of ever larger squares. Source: Gortler et al., "The lumigraph", SIGGRAPH
    1996, pull and push.
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
