"""Built-in segmentation network: an RGB crop of 128 px → a class for each pixel.

A U-net (Ronneberger et al. 2015) on pictures folded to half their side, 12 channels deep: the
finest level costs a quarter, and its last convolution writes all four pixels of a cell (Shi et
al. 2016, sub-pixel convolution).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.faces import folded_conv
from faceswap.faces.folded_conv import ConvUnit, Residual
from faceswap.faces.labels import Label

__all__ = ["SEGMENT_SIZE", "SegmentNet"]

SEGMENT_SIZE = 128
"""Side of the network's input and output in pixels."""
_FOLD = 2
_WIDTHS = (16, 48, 80, 112)


class SegmentNet(nn.Module):
    """Scores of each `Label` for aligned crops; about 0.8 M parameters.

    The asset stores the state dict of the folded network (see `fold`).
    """

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = _WIDTHS
        self.stem = nn.Sequential(ConvUnit(3 * _FOLD**2, first, 3), ConvUnit(first, first, 3))
        self.down = nn.ModuleList(
            nn.Sequential(ConvUnit(a, b, 3, 2), Residual(b))
            for a, b in zip(_WIDTHS, deeper, strict=False)
        )
        self.around = Residual(_WIDTHS[-1])
        pairs = list(zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.lift = nn.ModuleList(ConvUnit(a, b, 1, relu=False) for a, b in pairs)
        self.up = nn.ModuleList(ConvUnit(b, b, 3) for _, b in pairs)
        self.last = nn.Conv2d(first, len(Label) * _FOLD**2, 1)

    def forward(self, crops: Tensor) -> Tensor:
        """Scores (N, 11, 128, 128) of crops (N, 3, 128, 128), RGB in [0, 1]."""
        x = self.stem(functional.pixel_unshuffle(crops * 2 - 1, _FOLD))
        kept = [x]
        for step in self.down:
            x = step(x)
            kept.append(x)
        x = self.around(x)
        for lift, mix, skip in zip(self.lift, self.up, kept[-2::-1], strict=True):
            # Narrowed first: the wide map is never enlarged.
            wide = functional.interpolate(lift(x), scale_factor=2.0, mode="nearest")
            x = mix(torch.relu(wide + skip))
        return functional.pixel_shuffle(self.last(x), _FOLD)

    def fold(self) -> SegmentNet:
        """Fold all batch normalisations in place and switch to inference."""
        folded_conv.fold(self)
        return self

    def pack(self) -> bool:
        """Switch the folded network to fused convolutions, if its scores stay within 0.01, or in
        bfloat16 within 0.3 (of up to 20)."""
        ramp = torch.linspace(0, 1, SEGMENT_SIZE)
        crop = ramp.outer(ramp.flip(0)).expand(1, 3, -1, -1).to(self.last.weight.dtype)
        tolerance = 0.3 if crop.dtype == torch.bfloat16 else 0.01
        return folded_conv.pack(self, crop, self, tolerance)
