"""Degradation of the encoder's input: blur, noise, compression and occlusion.

All functions take batches (N, C, H, W) in [0, 1] and sample from ``generator`` on their device.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from faceswap.training.augment import affine_grid, random_affine, sample, uniform


def blur(pictures: Tensor, strength: Tensor) -> Tensor:
    """Blend each picture with its 3×3 binomial blur; strength (N,): 0 none, 1 full blur."""
    # 1, 2, 1: computed on the device, as a transfer would synchronise.
    places = torch.arange(3, device=pictures.device, dtype=pictures.dtype)
    kernel = (2 - (places - 1).abs()) / 4
    n, c, h, w = pictures.shape
    planes = functional.pad(pictures.reshape(n * c, 1, h, w), (1, 1, 1, 1), mode="replicate")
    planes = functional.conv2d(planes, kernel.view(1, 1, 1, 3))
    planes = functional.conv2d(planes, kernel.view(1, 1, 3, 1))
    return torch.lerp(pictures, planes.view(n, c, h, w), strength.view(-1, 1, 1, 1))


def noise(pictures: Tensor, strength: Tensor, generator: Generator) -> Tensor:
    """Add Gaussian noise of standard deviation ``strength`` (N,)."""
    shape = pictures.shape
    drawn = torch.randn(shape, generator=generator, device=generator.device)
    return (pictures + drawn * strength.view(-1, 1, 1, 1)).clamp_(0, 1)


def compress(pictures: Tensor, strength: Tensor) -> Tensor:
    """Compression artefacts: quantise the 8×8 DCT, as JPEG and video codecs do.

    strength (N,): quantisation step of the lowest frequency, a third of that of the highest; 0 for
    no change. H and W must be multiples of 8.
    """
    n, c, h, w = pictures.shape
    if h % 8 or w % 8:
        raise ValueError(f"compression needs sides that are multiples of 8, not {h} × {w}")
    dct = _dct_matrix(pictures)
    blocks = pictures.view(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    spectrum = dct @ blocks @ dct.T
    frequency = torch.arange(8, device=pictures.device)
    growth = 1 + (frequency[:, None] + frequency) / 7
    step = strength.view(-1, 1, 1, 1, 1, 1) * growth
    rounded = torch.where(step > 0, (spectrum / step.clamp(min=1e-6)).round() * step, spectrum)
    back = (dct.T @ rounded @ dct).permute(0, 1, 2, 4, 3, 5)
    return back.reshape(n, c, h, w).clamp_(0, 1)


def _dct_matrix(like: Tensor) -> Tensor:
    """Orthonormal 8×8 DCT-II matrix."""
    k = torch.arange(8, device=like.device, dtype=like.dtype)
    rows = torch.cos(math.pi / 8 * (k + 0.5) * k[:, None]) / 2
    rows[0] /= math.sqrt(2)
    return rows


def random_occluders(count: int, size: int, probability: float, generator: Generator) -> Tensor:
    """Random occlusion masks (count, 1, size, size), 0 to 1 with soft edges.

    Half are rotated rectangles, half blobs; each picture has one with ``probability``.
    """
    theta = random_affine(count, 180, 0.6, 0.35, 0.0, generator)
    grid = affine_grid(theta, size) * 2.5  # an average one covers a sixth of the picture
    stretch = uniform((count, 1, 1), 0.7, 1.4, generator)
    x, y = grid[..., 0] * stretch, grid[..., 1] / stretch
    box = torch.maximum(x.abs(), y.abs())
    bumps = torch.randn((count, 1, 4, 4), generator=generator, device=generator.device)
    wavy = functional.interpolate(bumps, (size, size), mode="bicubic", align_corners=False)[:, 0]
    blob = (x.square() + y.square()).sqrt() + 0.25 * wavy
    is_box = uniform((count, 1, 1), 0, 1, generator) < 0.5
    present = uniform((count, 1, 1), 0, 1, generator) < probability
    distance = torch.where(is_box, box, blob)
    edge = 5.0 / size
    return ((1 - distance) / edge + 0.5).clamp(0, 1).mul(present)[:, None]


def occlude(pictures: Tensor, where: Tensor, generator: Generator) -> Tensor:
    """Fill the mask ``where`` (N, 1, H, W) with recoloured patches of other pictures."""
    n = len(pictures)
    other = pictures.roll(1, 0)
    zoom = random_affine(n, 180, 0.5, 0.2, 0.5, generator)
    patch = sample(other, affine_grid(zoom, pictures.shape[-1]) * 0.5)
    tone = uniform((n, pictures.shape[1], 1, 1), 0, 1, generator)
    plain = uniform((n, 1, 1, 1), 0.3, 1, generator)
    return torch.lerp(pictures, torch.lerp(patch, tone.expand_as(patch), plain), where)
