"""Convolutions that are folded and packed for inference on a processor.

Batch normalisation is folded into the convolution before it; then, on a CPU, oneDNN's fused
operators take its place.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["ConvUnit", "Residual", "fold", "pack"]


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


def fold(network: nn.Module) -> None:
    """Fold all batch normalisations in place and switch to inference."""
    for module in network.modules():
        if isinstance(module, ConvUnit):
            module.fold()
    network.eval().requires_grad_(False)


def pack(
    network: nn.Module, example: Tensor, result: Callable[[Tensor], Tensor], tolerance: float
) -> bool:
    """Switch a folded network on the CPU to fused oneDNN convolutions, a fifth faster.

    PyTorch dispatches a single small image to a slow convolution. The fused operators are those of
    `torch.compile`, without the compiler. If they are missing, or the ``result`` for ``example``
    differs by more than ``tolerance``, nothing changes and False is returned.
    """
    units = [module for module in network.modules() if isinstance(module, ConvUnit)]
    sides: dict[ConvUnit, int] = {}
    hooks = [unit.register_forward_pre_hook(_record_side(sides)) for unit in units]
    with torch.inference_mode():
        plain = result(example)
        for hook in hooks:
            hook.remove()
        try:
            for unit, side in sides.items():
                unit.pack(side)
            equal = torch.allclose(plain, result(example), rtol=0, atol=tolerance)
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
