"""What spoils a picture so that a model can learn to repair it.

Pictures are (N, C, H, W) in [0, 1]; all chance comes from ``generator``, which lives on their
device. Masks are (N, 1, H, W), 1 where something is missing.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from faceswap.device_support import COUNTS, cpu_generator, supports, with_cpu_fallback


def _even(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def gaussian(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Add noise of the standard deviation ``sigma``; the sum is cut at 0 and 1, as a file is."""
    drawn = torch.randn(x.shape, generator=generator, device=generator.device)
    return (x + sigma * drawn).clamp(0, 1)


def salt_and_pepper(x: Tensor, share: float, generator: Generator) -> Tensor:
    """Set this share of the pixels to black or white, all channels alike."""
    drawn = _even((len(x), 1, *x.shape[2:]), 0, 1, generator)
    x = torch.where(drawn < share / 2, torch.zeros_like(x), x)
    return torch.where(drawn > 1 - share / 2, torch.ones_like(x), x)


def poisson(x: Tensor, peak: float, generator: Generator) -> Tensor:
    """Count photons, ``peak`` of them where the picture is white."""
    dice = generator if supports(COUNTS, x.device) else cpu_generator(generator)
    counted = with_cpu_fallback(COUNTS, lambda mean: torch.poisson(mean, generator=dice), x * peak)
    return (counted / peak).clamp(0, 1)


def row_masks(x: Tensor, generator: Generator, rows: int = 2) -> Tensor:
    """Masks of ``rows`` full rows; the first is drawn from 0 to H − rows − 1 (0 to 25 of 28)."""
    n, _, h, w = x.shape
    first = torch.randint(0, h - rows, (n, 1, 1, 1), generator=generator, device=generator.device)
    place = torch.arange(h, device=x.device).view(1, 1, -1, 1)
    return ((place >= first) & (place < first + rows)).float().expand(n, 1, h, w)


def rectangle_masks(
    x: Tensor, generator: Generator, least: float = 0.2, most: float = 0.5
) -> Tensor:
    """Masks of one rectangle each, its sides this share of the picture's."""
    n, _, h, w = x.shape
    size = _even((n, 2, 1, 1), least, most, generator)
    corner = _even((n, 2, 1, 1), 0, 1, generator) * (1 - size)
    y = ((torch.arange(h, device=x.device) + 0.5) / h).view(1, 1, -1, 1)
    z = ((torch.arange(w, device=x.device) + 0.5) / w).view(1, 1, 1, -1)
    inside = [
        (p >= corner[:, i : i + 1]) & (p < corner[:, i : i + 1] + size[:, i : i + 1])
        for i, p in enumerate((y, z))
    ]
    return (inside[0] & inside[1]).float()


def stroke_masks(x: Tensor, generator: Generator, count: int = 3, width: float = 0.05) -> Tensor:
    """Masks of ``count`` bent strokes each; width: half the stroke's, as a share of the side."""
    n, _, h, w = x.shape
    y = ((torch.arange(h, device=x.device) + 0.5) / h).view(1, -1, 1)
    z = ((torch.arange(w, device=x.device) + 0.5) / w).view(1, 1, -1)
    total = torch.zeros(n, h, w, device=x.device)
    for _ in range(count):
        angle = _even((n, 1, 1), 0, 2 * math.pi, generator)
        middle = _even((n, 2, 1, 1), 0.2, 0.8, generator)
        length, bend = _even((n, 2, 1, 1), 0.15, 0.35, generator).unbind(1)
        along = (z - middle[:, 0]) * angle.cos() + (y - middle[:, 1]) * angle.sin()
        across = (y - middle[:, 1]) * angle.cos() - (z - middle[:, 0]) * angle.sin()
        across = across - (bend - 0.25) * 8 * (along.square() - length.square() / 3)
        total = torch.maximum(total, ((across.abs() < width) & (along.abs() < length)).float())
    return total[:, None]


def inpainting_masks(x: Tensor, generator: Generator) -> Tensor:
    """Masks for inpainting: rectangles for half of the pictures, strokes for the others."""
    box = _even((len(x), 1, 1, 1), 0, 1, generator) < 0.5
    return torch.where(box, rectangle_masks(x, generator), stroke_masks(x, generator))


def downsampled(x: Tensor, factor: int) -> Tensor:
    """``factor`` times smaller by averaging, then as large as before by bicubic interpolation.

    Raises ValueError when ``factor`` does not divide the sides.
    """
    h, w = x.shape[2:]
    if h % factor or w % factor:
        raise ValueError(f"{factor} does not divide pictures of {w} × {h}")
    small = functional.avg_pool2d(x, factor)
    return functional.interpolate(small, (h, w), mode="bicubic", align_corners=False).clamp(0, 1)


def shifted(x: Tensor, most: int, generator: Generator) -> Tensor:
    """Move each picture by up to ``most`` pixels along each axis; what comes in is black."""
    n, _, h, w = x.shape
    by = torch.randint(-most, most + 1, (n, 2), generator=generator, device=generator.device)
    wide = functional.pad(x, (most, most, most, most))
    rows = torch.arange(h, device=x.device) + most - by[:, :1]
    columns = torch.arange(w, device=x.device) + most - by[:, 1:]
    place = torch.arange(n, device=x.device).view(-1, 1, 1)
    return wide.permute(0, 2, 3, 1)[place, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
