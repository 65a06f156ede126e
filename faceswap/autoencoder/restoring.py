"""A convolutional autoencoder with shortcuts, for pictures of any size: it repairs them."""

import itertools
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import Residual, activation, start_convolution_
from faceswap.autoencoder.family import Count


class RestoringConfig(BaseModel):
    """inputs: channels given (a mask may be one of them); channels: made. widths: of the full
    size and of each halving. blocks: residual blocks at the lowest size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: Count = 1
    channels: Count = 1
    widths: Annotated[tuple[Count, ...], Field(min_length=2)] = (16, 32, 64)
    blocks: int = Field(default=1, ge=0)


class RestoringNet(nn.Module):
    """Halvings, doublings, and a shortcut between each pair of the same size.

    Source: Ronneberger et al., "U-Net", MICCAI 2015, with sums for joins. It gives what to add to
    its input's first channels and how much of them to keep, pixel by pixel: a new net leaves
    pictures nearly as they are, and noise need not be cancelled by its exact opposite.
    """

    def __init__(self, config: RestoringConfig) -> None:
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
        change, kept_more = self.last(h).float()[..., :height, :width].chunk(2, 1)
        seen = x[:, : self.config.channels].float().clamp(0.01, 0.99)
        if seen.shape[1] < self.config.channels:  # colours out of grey
            seen = seen.mean(1, keepdim=True)
        return torch.sigmoid(torch.logit(seen) * (1 + kept_more) + change)
