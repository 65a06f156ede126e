"""Built-in landmark network: grey 112 px crop → 81 points, depth and presence.

Two heads share a trunk. The *map* head takes the soft-argmax of one heat map per point (Sun et al.
2018, "Integral Human Pose Regression"): precise, but confined to the crop. The *vector* head
regresses the points from a flattened global feature: stable under occlusion and not confined to the
crop. The output is a fixed blend of both, per point, chosen on the validation split. Dense 3x3
convolutions with few channels were faster on one core than depthwise ones of equal accuracy, in
training and inference; see `assets/landmarker.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

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


class ConvUnit(nn.Module):
    """Convolution, batch normalisation, optional ReLU; foldable for inference."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        *,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out)
        self.relu = relu
        self._packed: list[Tensor] = []  # in a list, to stay out of the state dict

    def forward(self, x: Tensor) -> Tensor:
        if self._packed:
            return self._fused(x)
        x = self.norm(self.conv(x))
        return torch.relu_(x) if self.relu else x

    def add(self, x: Tensor, other: Tensor) -> Tensor:
        """Residual sum: ReLU(self(x) + other)."""
        if self._packed:
            return self._fused(x, other)
        return torch.relu_(self(x) + other)

    def _fused(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        c = self.conv
        same = (self._packed[0], c.bias, c.padding, c.stride, c.dilation, 1)
        call = torch.ops.mkldnn._convolution_pointwise
        fused: Tensor
        if other is None:
            fused = call(x, *same, "relu" if self.relu else "none", [], None)
        else:
            fused = call.binary(x, other, *same, "add", 1.0, "relu", [], None)
        return fused

    def pack(self, side: int) -> None:
        """Reorder the folded weights for oneDNN, for an input of this side in pixels."""
        c = self.conv
        self._packed = [
            torch.ops.mkldnn._reorder_convolution_weight(
                c.weight.contiguous(memory_format=torch.channels_last),
                c.padding,
                c.stride,
                c.dilation,
                1,
                [1, c.in_channels, side, side],
            )
        ]

    def unpack(self) -> None:
        """Use PyTorch's own convolution again."""
        self._packed = []

    def fold(self) -> None:
        """Fold the batch normalisation into the convolution (inference only)."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        if norm.running_var is None or norm.running_mean is None or self.conv.bias is None:
            raise ValueError("only a normalisation with running statistics can be folded")
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        with torch.no_grad():
            self.conv.weight.mul_(scale.reshape(-1, 1, 1, 1))
            self.conv.bias.copy_((self.conv.bias - norm.running_mean) * scale + norm.bias)
        self.norm = nn.Identity()


class Residual(nn.Module):
    """Residual block of two 3x3 units (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels, 3)
        self.second = ConvUnit(channels, channels, 3, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.second.add(self.first(x), x)


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
        for module in self.modules():
            if isinstance(module, ConvUnit):
                module.fold()
        return self.eval().requires_grad_(False)

    def pack(self) -> bool:
        """Switch a folded network on the CPU to fused oneDNN convolutions, a fifth faster.

        PyTorch dispatches a single small image to a slow convolution. The fused operators are those
        of `torch.compile`, without the compiler. If they are missing or their points differ by more
        than 0.01 px, nothing changes and the result is False.
        """
        units = [module for module in self.modules() if isinstance(module, ConvUnit)]
        crop = torch.linspace(0, 1, CROP_SIZE).outer(torch.linspace(1, 0, CROP_SIZE))[None, None]
        sides: dict[ConvUnit, int] = {}
        hooks = [unit.register_forward_pre_hook(_record_side(sides)) for unit in units]
        with torch.inference_mode():
            plain = self(crop)
            for hook in hooks:
                hook.remove()
            try:
                for unit, side in sides.items():
                    unit.pack(side)
                fused = self(crop)
                equal = torch.allclose(plain.points, fused.points, rtol=0, atol=0.01)
            except (AttributeError, NotImplementedError, RuntimeError):
                equal = False
        if not equal:
            for unit in units:
                unit.unpack()
        return equal


def _record_side(sides: dict[ConvUnit, int]) -> Callable[[ConvUnit, tuple[Tensor, ...]], None]:
    def record(unit: ConvUnit, inputs: tuple[Tensor, ...]) -> None:
        sides[unit] = inputs[0].shape[-1]

    return record
