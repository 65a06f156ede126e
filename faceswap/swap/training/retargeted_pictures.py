"""Pictures of retargeted faces: their warp, and lower halves that come from other faces."""

from dataclasses import dataclass

import torch
from torch import Tensor

from faceswap.swap.training.pair_sampler import RetargetedFaces
from faceswap.training import augment

_LATTICE = 32
"""Side of the grid that warps are computed on: they are smooth, so they are upsampled from it."""
_NOSE_BASE, _UPPER_LIP = slice(31, 36), slice(50, 53)
_UPPERMOST = 0.4
"""Of the crop's height, above which no lower half begins, however the head is bent."""
_LEAST_CHANGE = 0.05
"""Half sides of the crop in which one half changes over to the other, at least."""


@dataclass(frozen=True)
class LowerHalves:
    """Faces of which the lower half is used. pictures (n, 3, R, R), maps (n, C, h, h): as in the
    set, not yet warped. color (n, 3, 4): colour matrices to the skin tone of the upper halves."""

    pictures: Tensor
    maps: Tensor
    color: Tensor


def displacement(start: Tensor, end: Tensor, theta: Tensor) -> Tensor:
    """Displacement (N, s, s, 2) to add to the sampling grid of the matrices ``theta``.

    It warps the points ``start`` (N, K, 2) of a picture to ``end``.
    """
    linear = theta[:, :, :2].transpose(1, 2)
    back = augment.inverse(linear)
    start, end = ((p - theta[:, None, :, 2]) @ back for p in (start, end))
    field = augment.displacement_field(start, end, _LATTICE)
    return (field.flatten(1, 2) @ linear).view_as(field)


def put_lower_halves(
    into: tuple[Tensor, Tensor], halves: LowerHalves, driven: RetargetedFaces, theta: Tensor
) -> None:
    """Put lower halves of other faces into the pictures and maps of the driven faces, in place.

    One half changes over to the other between the nose and the upper lip. theta (n, 2, 3): affine
    augmentation of the driven faces.
    """
    lower, heights = driven.lower, driven.end[..., 1]
    field = displacement(lower.start, lower.end, theta)
    begin, end = heights[:, _NOSE_BASE].mean(1), heights[:, _UPPER_LIP].mean(1)
    for whole, half, color in zip(
        into, (halves.pictures, halves.maps), (halves.color, None), strict=True
    ):
        size = half.shape[-1]
        rows = slice(int(_UPPERMOST * size), size)
        grid = augment.affine_grid(theta, size)[:, rows]
        share = (_below(grid[..., 1], begin, end) * lower.joined[:, None, None])[:, None]
        part = augment.sample(half, grid + augment.resize_field(field, size)[:, rows])
        if color is not None:
            part = augment.apply_color(part, color)
        whole[:, :, rows] = torch.lerp(whole[:, :, rows], part, share)


def _below(heights: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """Weights (n, h, w), 0 above ``begin`` (n,) and 1 below ``end`` (n,), of the heights (n, h, w)
    in faces."""
    width = (end - begin).clamp(min=_LEAST_CHANGE)
    share = ((heights - begin[:, None, None]) / width[:, None, None]).clamp(0, 1)
    return share * share * (3 - 2 * share)


def mouth_window(size: int) -> tuple[slice, slice]:
    """Rows and columns of a crop of ``size`` pixels that contain the mouth, however wide open."""
    return slice(size // 2, size), slice(size // 5, size - size // 5)
