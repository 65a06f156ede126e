"""Image corruptions for denoising autoencoders and restoration networks: noise, masks, blur, shift.

Pictures are (N, C, H, W) in [0, 1]; all random numbers come from ``generator``, which must be on
the pictures' device. Masks are (N, 1, H, W), 1 where something is missing.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from faceswap.device_support import COUNTS, cpu_generator, supports, with_cpu_fallback


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def gaussian(x: Tensor, sigma: float, generator: Generator) -> Tensor:
    """Additive Gaussian noise of standard deviation ``sigma``, clipped to [0, 1] as in a file."""
    noise = torch.randn(x.shape, generator=generator, device=generator.device)
    return (x + sigma * noise).clamp(0, 1)


def salt_and_pepper(x: Tensor, share: float, generator: Generator) -> Tensor:
    """Salt-and-pepper noise: set this share of the pixels to black or white in all channels."""
    uniform = _uniform((len(x), 1, *x.shape[2:]), 0, 1, generator)
    x = torch.where(uniform < share / 2, torch.zeros_like(x), x)
    return torch.where(uniform > 1 - share / 2, torch.ones_like(x), x)


def poisson(x: Tensor, peak: float, generator: Generator) -> Tensor:
    """Poisson (shot) noise: sampled photon counts with a mean of ``peak`` at white."""
    source = generator if supports(COUNTS, x.device) else cpu_generator(generator)
    counts = with_cpu_fallback(COUNTS, lambda mean: torch.poisson(mean, generator=source), x * peak)
    return (counts / peak).clamp(0, 1)


def row_masks(x: Tensor, generator: Generator, rows: int = 2) -> Tensor:
    """Masks of ``rows`` full rows; the first is uniform over 0 to H − rows − 1 (0 to 25 of 28)."""
    n, _, h, w = x.shape
    first = torch.randint(0, h - rows, (n, 1, 1, 1), generator=generator, device=generator.device)
    place = torch.arange(h, device=x.device).view(1, 1, -1, 1)
    return ((place >= first) & (place < first + rows)).float().expand(n, 1, h, w)


def rectangle_masks(
    x: Tensor, generator: Generator, least: float = 0.2, most: float = 0.5
) -> Tensor:
    """Masks of one random rectangle each; sides ``least`` to ``most`` of the picture's side."""
    n, _, h, w = x.shape
    size = _uniform((n, 2, 1, 1), least, most, generator)
    corner = _uniform((n, 2, 1, 1), 0, 1, generator) * (1 - size)
    y = ((torch.arange(h, device=x.device) + 0.5) / h).view(1, 1, -1, 1)
    z = ((torch.arange(w, device=x.device) + 0.5) / w).view(1, 1, 1, -1)
    inside = [
        (p >= corner[:, i : i + 1]) & (p < corner[:, i : i + 1] + size[:, i : i + 1])
        for i, p in enumerate((y, z))
    ]
    return (inside[0] & inside[1]).float()


def stroke_masks(x: Tensor, generator: Generator, count: int = 3, width: float = 0.05) -> Tensor:
    """Masks of ``count`` random curved strokes each; width: half the stroke width, as a share of
    the picture's side."""
    n, _, h, w = x.shape
    y = ((torch.arange(h, device=x.device) + 0.5) / h).view(1, -1, 1)
    z = ((torch.arange(w, device=x.device) + 0.5) / w).view(1, 1, -1)
    total = torch.zeros(n, h, w, device=x.device)
    for _ in range(count):
        angle = _uniform((n, 1, 1), 0, 2 * math.pi, generator)
        # Away from the border, where half of a stroke would lie outside of the picture.
        middle = _uniform((n, 2, 1, 1), 0.2, 0.8, generator)
        length, bend = _uniform((n, 2, 1, 1), 0.15, 0.35, generator).unbind(1)
        along = (z - middle[:, 0]) * angle.cos() + (y - middle[:, 1]) * angle.sin()
        across = (y - middle[:, 1]) * angle.cos() - (z - middle[:, 0]) * angle.sin()
        # A parabola of zero mean along the stroke; curvature up to ±0.8, straight at bend = 0.25.
        across = across - (bend - 0.25) * 8 * (along.square() - length.square() / 3)
        total = torch.maximum(total, ((across.abs() < width) & (along.abs() < length)).float())
    return total[:, None]


def inpainting_masks(x: Tensor, generator: Generator) -> Tensor:
    """Random inpainting masks: a rectangle or strokes, each with probability one half."""
    box = _uniform((len(x), 1, 1, 1), 0, 1, generator) < 0.5
    return torch.where(box, rectangle_masks(x, generator), stroke_masks(x, generator))


def downsampled(x: Tensor, factor: int) -> Tensor:
    """Downsample by ``factor`` (average pooling), then upsample to the old size (bicubic).

    Raises ValueError when ``factor`` does not divide the sides.
    """
    h, w = x.shape[2:]
    if h % factor or w % factor:
        raise ValueError(f"{factor} does not divide pictures of {w} × {h}")
    small = functional.avg_pool2d(x, factor)
    return functional.interpolate(small, (h, w), mode="bicubic", align_corners=False).clamp(0, 1)


def shifted(x: Tensor, most: int, generator: Generator) -> Tensor:
    """Random translation by up to ``most`` pixels along each axis, padded with black."""
    n, _, h, w = x.shape
    by = torch.randint(-most, most + 1, (n, 2), generator=generator, device=generator.device)
    wide = functional.pad(x, (most, most, most, most))
    rows = torch.arange(h, device=x.device) + most - by[:, :1]
    columns = torch.arange(w, device=x.device) + most - by[:, 1:]
    place = torch.arange(n, device=x.device).view(-1, 1, 1)
    return wide.permute(0, 2, 3, 1)[place, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)
