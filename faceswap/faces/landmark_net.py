"""Built-in landmark network: grey 112 px crop → 81 points, depth and presence.

Two heads share a trunk. The *map* head takes the soft-argmax of one heat map per point (Sun et al.
2018, "Integral Human Pose Regression"): precise, but confined to the crop. The *vector* head
regresses the points from a flattened global feature: stable under occlusion and not confined to the
crop. The output is a fixed blend of both, per point, chosen on the validation split. Dense 3x3
convolutions with few channels were faster on one core than depthwise ones of equal accuracy, in
training and inference; see `assets/landmarker.md`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from faceswap.faces import folded_conv
from faceswap.faces.folded_conv import ConvUnit, Residual

__all__ = ["CROP_SIZE", "NET_POINTS", "HeadOutputs", "LandmarkNet", "NetOutput"]

CROP_SIZE = 112
"""Side of the network's input in pixels."""
NET_POINTS = 81
"""68 iBUG points, then the 13 points of the face oval that lie on the forehead."""
_STRIDE = 8  # pixels per heat-map cell
_VECTOR = 192  # length of the global feature


class NetOutput(NamedTuple):
    """Network output for a batch of crops."""

    points: Tensor
    """(N, 81, 2) x, y in pixels of the crop, pixel centres at integers."""
    depth: Tensor
    """(N, 81) in pixels of the crop, smaller is nearer; its zero is arbitrary."""
    presence: Tensor
    """(N,) logit of a face being there, aligned roughly as the crop expects."""


class HeadOutputs(NamedTuple):
    """Outputs of the two heads before blending, for the training loss."""

    mapped: Tensor
    """(N, 81, 2) soft-argmax of the heat maps, pixels of the crop."""
    regressed: Tensor
    """(N, 81, 3) regressed from the global feature, pixels of the crop."""
    presence: Tensor
    """(N,) logit."""
    vector: Tensor
    """(N, 192) global feature."""


class LandmarkNet(nn.Module):
    """Landmarks, depth and presence from grey crops; about 1.2 M parameters.

    The asset stores the state dict of the folded network (see `fold`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            ConvUnit(1, 16, 5, 2),
            ConvUnit(16, 32, 3, 2),
            ConvUnit(32, 64, 3, 2),
            Residual(64),
        )
        self.coarse = nn.Sequential(ConvUnit(64, 96, 3, 2), *(Residual(96) for _ in range(3)))
        self.shrink = ConvUnit(96, 128, 3, 2)
        cells = CROP_SIZE // _STRIDE
        self.vector = nn.Linear(128 * 16, _VECTOR)  # 4 x 4 cells: 112 px at stride 32, rounded up
        self.regress = nn.Linear(_VECTOR, NET_POINTS * 3)
        self.present = nn.Linear(_VECTOR, 1)
        self.lift = ConvUnit(96, 64, 1, relu=False)
        self.mix = ConvUnit(64, 64, 3)
        self.maps = nn.Conv2d(64, NET_POINTS, 1)
        centres = torch.arange(cells, dtype=torch.float32) * _STRIDE + (_STRIDE - 1) / 2
        grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)
        self.register_buffer("grid", grid.reshape(-1, 2), persistent=False)
        self.register_buffer("blend", torch.full((NET_POINTS, 1), 0.5))
        self.grid: Tensor
        self.blend: Tensor

    def heads(self, crops: Tensor) -> HeadOutputs:
        """Outputs of both heads for crops (N, 1, 112, 112), on any linear grey scale."""
        mean = crops.mean((1, 2, 3), keepdim=True)
        contrast = (crops - mean).square().mean((1, 2, 3), keepdim=True).sqrt()
        x = (crops - mean) / (contrast + 0.02)  # the offset keeps noise in flat crops small
        fine = self.fine(x)
        coarse = self.coarse(fine)
        vector = torch.relu(self.vector(self.shrink(coarse).flatten(1)))
        lifted = nn.functional.interpolate(self.lift(coarse), scale_factor=2.0, mode="nearest")
        maps = self.maps(self.mix(torch.relu(fine + lifted)))
        weights = maps.flatten(2).float().softmax(-1)
        # Coordinates in bfloat16 would be rounded to half a pixel.
        with torch.autocast(crops.device.type, enabled=False):
            mapped = weights @ self.grid
            regressed = self.regress(vector.float())
        # In quarters of the crop from its centre, so that outputs are of the order of 1.
        regressed = regressed.reshape(-1, NET_POINTS, 3) * (CROP_SIZE / 4)
        regressed = regressed + regressed.new_tensor([CROP_SIZE / 2, CROP_SIZE / 2, 0.0])
        return HeadOutputs(mapped, regressed, self.present(vector).float()[:, 0], vector)

    def forward(self, crops: Tensor) -> NetOutput:
        """Blend of both heads for crops (N, 1, 112, 112) in [0, 1]."""
        heads = self.heads(crops)
        plain = heads.regressed[..., :2]
        points = plain + self.blend * (heads.mapped - plain)
        return NetOutput(points, heads.regressed[..., 2], heads.presence)

    def fold(self) -> LandmarkNet:
        """Fold all batch normalisations in place and switch to inference."""
        folded_conv.fold(self)
        return self

    def pack(self) -> bool:
        """Switch the folded network to fused convolutions, if its points stay within 0.01 px."""
        crop = torch.linspace(0, 1, CROP_SIZE).outer(torch.linspace(1, 0, CROP_SIZE))[None, None]
        return folded_conv.pack(self, crop, lambda x: self(x).points, 0.01)
