"""Random image augmentation of batches, on their device, from one seeded generator.

Coordinates are normalised as in PyTorch: x and y run from -1 to 1 over the picture's outer edges
(``align_corners=False``). All functions sample from ``generator``, which is on the pictures'
device: the same seed gives the same batch.
"""

import math
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

from faceswap.device_support import EDGES, MEDIANS, supports, with_cpu_fallback

_MAX_GAIN = 2.0
"""Largest gain of a channel by skin tone transfer, up or down."""

_CAP_DISTANCE = 0.03
_HALF_DISTANCE = 0.5
"""Distances to a moved point at which its influence is capped, and at which it has halved."""


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Uniform samples from [low, high)."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def random_affine(
    count: int,
    rotation: float,
    scale: float,
    shift: float,
    flip: float,
    generator: Generator,
) -> Tensor:
    """Random similarity transforms (count, 2, 3), output → input coordinates.

    rotation: largest angle in degrees, either way. scale: largest enlargement or reduction is
    1 + scale, log-uniform. shift: largest share of the side. flip: probability of a horizontal
    flip.
    """
    angle = uniform((count,), -1, 1, generator) * math.radians(rotation)
    size = torch.exp(uniform((count,), -1, 1, generator) * math.log1p(scale))
    offset = uniform((count, 2), -2 * shift, 2 * shift, generator)
    mirror = torch.where(uniform((count,), 0, 1, generator) < flip, -1.0, 1.0)
    c, s = torch.cos(angle) * size, torch.sin(angle) * size
    rows = torch.stack([torch.stack([c * mirror, -s], 1), torch.stack([s * mirror, c], 1)], 1)
    return torch.cat([rows, offset[:, :, None]], 2)


def inverse(linear: Tensor) -> Tensor:
    """Inverse of matrices (N, 2, 2). PyTorch's own synchronises to check for singular ones."""
    a, b, c, d = linear.flatten(1).unbind(1)
    turned = torch.stack([d, -b, -c, a], 1) / (a * d - b * c)[:, None]
    return turned.view_as(linear)


def pixel_centers(size: int, device: torch.device) -> Tensor:
    """Normalised coordinates (size,) of the pixel centres of a row."""
    return (torch.arange(size, device=device) * 2 + 1) / size - 1


def affine_grid(theta: Tensor, size: int) -> Tensor:
    """Sampling grid (N, size, size, 2) of the matrices ``theta`` (N, 2, 3)."""
    along = pixel_centers(size, theta.device)[:, None]
    rows = theta[:, None, :, 1] * along + theta[:, None, :, 2]
    columns = theta[:, None, :, 0] * along
    # A broadcast sum: PyTorch's affine_grid, a product for each pixel, takes three times as long.
    return rows[:, :, None] + columns[:, None]


def random_warp(
    count: int, size: int, strength: float, generator: Generator, cells: tuple[int, ...] = (4,)
) -> Tensor:
    """Sampling grid (count, size, size, 2) of a random warp.

    The fields for x and y are independent. For each number in ``cells`` a lattice of that many
    cells a side gets Gaussian offsets of standard deviation ``strength`` × cell width, with
    bicubic interpolation between; several numbers give a multi-scale distortion. Above a
    ``strength`` of 0.2 the grid may fold.
    """
    grid = affine_grid(torch.eye(2, 3, device=generator.device).expand(count, 2, 3), size)
    for number in cells:
        shape = (count, 2, number + 1, number + 1)
        nodes = torch.randn(shape, generator=generator, device=generator.device)
        # At 2.5 standard deviations no node passes its neighbour up to a strength of 0.2.
        nodes = nodes.clamp(-2.5, 2.5) * (strength * 2 / number)
        field = functional.interpolate(nodes, (size, size), mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return grid


def sample(pictures: Tensor, grid: Tensor) -> Tensor:
    """Bilinear samples (N, C, h, w) of ``pictures`` at ``grid`` (N, h, w, 2), edges repeated."""
    repeated = supports(EDGES, pictures.device)
    return functional.grid_sample(
        pictures,
        grid if repeated else clamp_grid(grid, pictures),
        mode="bilinear",
        padding_mode="border" if repeated else "zeros",
        align_corners=False,
    )


def clamp_grid(grid: Tensor, pictures: Tensor) -> Tensor:
    """Clamp ``grid`` (N, h, w, 2) to the outer pixel centres of ``pictures`` (N, C, H, W).

    Bilinear samples are then those of repeated edges.
    """
    height, width = pictures.shape[-2:]
    x, y = grid.unbind(-1)
    farthest = 1 - 1 / width, 1 - 1 / height
    return torch.stack([t.clamp(-f, f) for t, f in zip((x, y), farthest, strict=True)], -1)


def skin_tone(pictures: Tensor, mask: Tensor) -> Tensor:
    """Skin tone: medians of RGB inside a mask: (N, 3, H, W), (N, 1, H, W) → (N, 3).

    A median ignores a beard, which covers less than half of the mask.
    """
    inside = pictures.flatten(2).masked_fill(mask.flatten(2) < 0.5, torch.nan)
    return with_cpu_fallback(MEDIANS, lambda x: x.nanmedian(2).values, inside).nan_to_num()


def skin_tone_transfer(own: Tensor, wanted: Tensor, strength: Tensor) -> Tensor:
    """Colour matrices (N, 3, 4) that transfer the skin tone ``own`` to ``wanted`` (N, 3).

    strength (N,): 0 no change, 1 full transfer. Gains, as light and complexion multiply what they
    fall on: black hair stays black. A gain of light is one of code values, see
    ``swap/compositing/color.py``. Contrast follows the brightness instead of the other picture's,
    which depends on beard, brows and shadows: B would be learnt with A's amount of them.
    """
    gain = (wanted / own.clamp(min=1e-2)).clamp(1 / _MAX_GAIN, _MAX_GAIN)
    gain = 1 + (gain - 1) * strength[:, None]
    return torch.cat([torch.diag_embed(gain), torch.zeros_like(gain)[:, :, None]], 2)


def random_color(
    count: int, brightness: float, contrast: float, tint: float, generator: Generator
) -> Tensor:
    """Random colour matrices (count, 3, 4): brightness, contrast about mid-grey, colour tint.

    brightness is added, contrast multiplies, tint multiplies each channel independently and is
    told by what it does to mid-grey; each is the largest change either way.
    """
    gain = 1 + uniform((count, 1, 1), -contrast, contrast, generator)
    offset = uniform((count, 1, 1), -brightness, brightness, generator) + 0.5 * (1 - gain)
    tints = 1 + 2 * uniform((count, 3, 1), -tint, tint, generator)
    eye = torch.eye(3, device=generator.device).expand(count, 3, 3)
    return torch.cat([eye * gain, offset.expand(count, 3, 1)], 2) * tints


def compose_color(first: Tensor, then: Tensor) -> Tensor:
    """Colour matrices (N, 3, 4) that apply ``first``, then ``then``."""
    linear = then[:, :, :3] @ first[:, :, :3]
    offset = then[:, :, :3] @ first[:, :, 3:] + then[:, :, 3:]
    return torch.cat([linear, offset], 2)


def apply_color(pictures: Tensor, matrix: Tensor) -> Tensor:
    """Apply colour matrices (N, 3, 4) to pictures (N, 3, H, W); clamps to [0, 1]."""
    flat = torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], pictures.flatten(2))
    return flat.clamp_(0, 1).view_as(pictures)


def displacement_field(start: Tensor, end: Tensor, size: int) -> Tensor:
    """Displacement field that moves the points ``start`` to ``end``, both (N, K, 2).

    Offsets (N, size, size, 2) to add to a sampling grid. Inverse distance weighting with power 4
    (Shepard, "A two-dimensional interpolation function for irregularly-spaced data", 1968); far
    from all points the field fades to zero. Two points with the same ``end`` cancel each other
    there: a gap between them hardly closes.
    """
    along = pixel_centers(size, end.device)
    lattice = torch.cartesian_prod(along, along).flip(-1)
    apart = (lattice * lattice).sum(-1)[:, None] + (end * end).sum(-1)[:, None]
    apart = torch.baddbmm(apart, lattice.expand(len(end), -1, -1), end.transpose(1, 2), alpha=-2)
    weights = (apart.clamp_(min=0) + _CAP_DISTANCE**2).reciprocal_().square_()
    offsets = torch.bmm(weights, start - end) / (weights.sum(-1, keepdim=True) + _HALF_DISTANCE**-4)
    return offsets.view(len(end), size, size, 2)


def resize_field(field: Tensor, size: int) -> Tensor:
    """Resize offsets (N, s, s, 2) to (N, size, size, 2), bilinear.

    Two matrix products, as PyTorch's interpolation of two planes takes three times as long.
    """
    stretch = _interpolation_matrix(field.shape[1], size, field.device)
    planes = stretch @ field.permute(0, 3, 1, 2) @ stretch.T
    return planes.permute(0, 2, 3, 1)


@cache
def _interpolation_matrix(size: int, to: int, device: torch.device) -> Tensor:
    """Matrix (to, size) of linear interpolation of a row."""
    with torch.inference_mode(False):
        rows = torch.eye(size, device=device)[None]
        return functional.interpolate(rows, to, mode="linear", align_corners=False)[
            0
        ].T.contiguous()
