"""Random changes to batches of pictures, on their device, from one seeded generator.

Coordinates are torch's normalised ones: x and y run from -1 to 1 over the picture's outer edges
(``align_corners=False``). Every function draws from ``generator``, which lives on the pictures'
device, so that the same seed gives the same batch.
"""

import math
from functools import cache

import torch
from torch import Generator, Tensor
from torch.nn import functional

from faceswap.device_support import EDGES, MEDIANS, supports, with_cpu_fallback

_YCBCR = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_RGB = torch.linalg.inv(_YCBCR)

_LIGHTER = 2.0
"""How many times brighter or darker a picture's contrasts become at most."""

_BLUNT = 0.03
_FADE = 0.5
"""Distances at which a dragged point's pull stops growing, and at which it has halved."""


@cache
def _ycbcr(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """RGB to Y, Cb, Cr (3, 3) and back. Kept there: sending them anew waits for the device."""
    with torch.inference_mode(False):
        return _YCBCR.to(device, dtype), _RGB.to(device, dtype)


def uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    """Even draws from [low, high)."""
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def random_affine(
    count: int,
    rotation: float,
    scale: float,
    shift: float,
    flip: float,
    generator: Generator,
) -> Tensor:
    """Similarities (count, 2, 3), output → input coordinates.

    rotation: up to so many degrees either way. scale: up to the factor 1 + scale larger or
    smaller, even in the logarithm. shift: up to this share of the side. flip: probability of
    mirroring left and right.
    """
    angle = uniform((count,), -1, 1, generator) * math.radians(rotation)
    size = torch.exp(uniform((count,), -1, 1, generator) * math.log1p(scale))
    offset = uniform((count, 2), -2 * shift, 2 * shift, generator)
    mirror = torch.where(uniform((count,), 0, 1, generator) < flip, -1.0, 1.0)
    c, s = torch.cos(angle) * size, torch.sin(angle) * size
    rows = torch.stack([torch.stack([c * mirror, -s], 1), torch.stack([s * mirror, c], 1)], 1)
    return torch.cat([rows, offset[:, :, None]], 2)


def inverse(linear: Tensor) -> Tensor:
    """Of matrices (N, 2, 2). torch's own waits for the device, to see whether there are any."""
    a, b, c, d = linear.flatten(1).unbind(1)
    turned = torch.stack([d, -b, -c, a], 1) / (a * d - b * c)[:, None]
    return turned.view_as(linear)


def pixel_centers(size: int, device: torch.device) -> Tensor:
    """Coordinates (size,) of the middles of a row's pixels."""
    return (torch.arange(size, device=device) * 2 + 1) / size - 1


def affine_grid(theta: Tensor, size: int) -> Tensor:
    """Sampling grid (N, size, size, 2) of the matrices ``theta`` (N, 2, 3)."""
    along = pixel_centers(size, theta.device)[:, None]
    rows = theta[:, None, :, 1] * along + theta[:, None, :, 2]
    columns = theta[:, None, :, 0] * along
    # A sum over rows and columns: torch's own, a product for each pixel, takes three times as long.
    return rows[:, :, None] + columns[:, None]


def random_warp(
    count: int, size: int, strength: float, generator: Generator, cells: tuple[int, ...] = (4,)
) -> Tensor:
    """Sampling grid (count, size, size, 2) of a smooth random distortion.

    The fields for x and y are independent. For each number in ``cells`` a lattice of so many
    cells a side gets offsets of standard deviation ``strength`` × cell width, joined by bicubic
    interpolation; several numbers add up to a distortion at several scales. Above a ``strength``
    of 0.2 neighbours may change places, and the picture folds.
    """
    grid = affine_grid(torch.eye(2, 3, device=generator.device).expand(count, 2, 3), size)
    for number in cells:
        shape = (count, 2, number + 1, number + 1)
        nodes = torch.randn(shape, generator=generator, device=generator.device)
        # 2.5 sigmas, so that no node passes its neighbour up to a strength of 0.2.
        nodes = nodes.clamp(-2.5, 2.5) * (strength * 2 / number)
        field = functional.interpolate(nodes, (size, size), mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1)
    return grid


def sample(pictures: Tensor, grid: Tensor) -> Tensor:
    """``pictures`` (N, C, H, W) through ``grid`` (N, h, w, 2): (N, C, h, w); edges are repeated."""
    repeated = supports(EDGES, pictures.device)
    return functional.grid_sample(
        pictures,
        grid if repeated else clamp_grid(grid, pictures),
        mode="bilinear",
        padding_mode="border" if repeated else "zeros",
        align_corners=False,
    )


def clamp_grid(grid: Tensor, pictures: Tensor) -> Tensor:
    """``grid`` (N, h, w, 2) with what points outside of ``pictures`` (N, C, H, W) moved to the
    nearest pixel's middle, which is what a bilinear sample of repeated edges sees."""
    height, width = pictures.shape[-2:]
    x, y = grid.unbind(-1)
    farthest = 1 - 1 / width, 1 - 1 / height
    return torch.stack([t.clamp(-f, f) for t, f in zip((x, y), farthest, strict=True)], -1)


def skin_tone(pictures: Tensor, mask: Tensor) -> Tensor:
    """Medians of Y, Cb, Cr inside a mask: (N, 3, H, W), (N, 1, H, W) → (N, 3).

    A beard, which less than half of the mask shows, says nothing about the skin.
    """
    matrix, _ = _ycbcr(pictures.device, pictures.dtype)
    channels = torch.einsum("dc,nchw->ndhw", matrix, pictures).flatten(2)
    inside = channels.masked_fill(mask.flatten(2) < 0.5, torch.nan)
    return with_cpu_fallback(MEDIANS, lambda x: x.nanmedian(2).values, inside).nan_to_num()


def skin_tone_transfer(own: Tensor, wanted: Tensor, strength: Tensor) -> Tensor:
    """Matrices (N, 3, 4) that give pictures of the skin tone ``own`` the tone ``wanted`` (N, 3).

    strength (N,): 0 leaves the picture alone, 1 goes all the way. After Reinhard et al., "Color
    transfer between images", 2001, but with Y, Cb, Cr in the place of Lab, so that a whole
    transfer is one matrix per picture, medians in the place of means, and with spreads that
    follow the brightness, as under more light, in the place of the other picture's: those tell
    of a beard, brows and shadows, and B would be learnt with as much of them as A has.
    """
    part = strength[:, None]
    gain = (wanted[:, :1] / own[:, :1].clamp(min=1e-2)).clamp(1 / _LIGHTER, _LIGHTER)
    gain = 1 + (gain - 1) * part
    target = own + (wanted - own) * part
    to, back = _ycbcr(own.device, own.dtype)
    linear = back @ (gain[:, :, None] * to)
    offset = back @ (target - gain * own)[:, :, None]
    return torch.cat([linear, offset], 2)


def random_color(
    count: int, brightness: float, contrast: float, tint: float, generator: Generator
) -> Tensor:
    """Matrices (count, 3, 4): light, contrast about mid-grey and the balance of the channels.

    brightness is added, tint is added to each channel by itself, contrast multiplies; each is
    the largest change either way.
    """
    gain = 1 + uniform((count, 1, 1), -contrast, contrast, generator)
    offset = uniform((count, 1, 1), -brightness, brightness, generator)
    offset = offset + uniform((count, 3, 1), -tint, tint, generator) + 0.5 * (1 - gain)
    eye = torch.eye(3, device=generator.device).expand(count, 3, 3)
    return torch.cat([eye * gain, offset], 2)


def compose_color(first: Tensor, then: Tensor) -> Tensor:
    """One matrix (N, 3, 4) that does ``first`` and ``then``."""
    linear = then[:, :, :3] @ first[:, :, :3]
    offset = then[:, :, :3] @ first[:, :, 3:] + then[:, :, 3:]
    return torch.cat([linear, offset], 2)


def apply_color(pictures: Tensor, matrix: Tensor) -> Tensor:
    """Colour matrices (N, 3, 4) on pictures (N, 3, H, W), kept within [0, 1]."""
    flat = torch.baddbmm(matrix[:, :, 3:], matrix[:, :, :3], pictures.flatten(2))
    return flat.clamp_(0, 1).view_as(pictures)


def displacement_field(start: Tensor, end: Tensor, size: int) -> Tensor:
    """Where to sample so that what is at ``start`` comes to lie at ``end``, both (N, K, 2).

    Offsets (N, size, size, 2) to be added to a sampling grid. Between the points they are means
    weighted by the inverse fourth power of the distance (Shepard, "A two-dimensional
    interpolation function for irregularly-spaced data", 1968); far from all they fade. Edges that
    meet at ``end`` pull at the same places both ways: what was between them hardly closes.
    """
    along = pixel_centers(size, end.device)
    lattice = torch.cartesian_prod(along, along).flip(-1)
    apart = (lattice * lattice).sum(-1)[:, None] + (end * end).sum(-1)[:, None]
    apart = torch.baddbmm(apart, lattice.expand(len(end), -1, -1), end.transpose(1, 2), alpha=-2)
    weights = (apart.clamp_(min=0) + _BLUNT**2).reciprocal_().square_()
    offsets = torch.bmm(weights, start - end) / (weights.sum(-1, keepdim=True) + _FADE**-4)
    return offsets.view(len(end), size, size, 2)


def resize_field(field: Tensor, size: int) -> Tensor:
    """Offsets (N, s, s, 2) at another size, bilinear.

    Two products, as torch's own enlargement of two planes takes three times as long.
    """
    stretch = _stretch(field.shape[1], size, field.device)
    planes = stretch @ field.permute(0, 3, 1, 2) @ stretch.T
    return planes.permute(0, 2, 3, 1)


@cache
def _stretch(size: int, to: int, device: torch.device) -> Tensor:
    """The matrix (to, size) that enlarges a row linearly."""
    with torch.inference_mode(False):
        rows = torch.eye(size, device=device)[None]
        return functional.interpolate(rows, to, mode="linear", align_corners=False)[
            0
        ].T.contiguous()
