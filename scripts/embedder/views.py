"""Views of a face for training: turned in depth, moved, lit, blurred and partly hidden."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from embedder.data import CANVAS
from faceswap.faces.align import FRAMINGS, mean_face
from faceswap.faces.embedding import CROP_SIZE

_YAW, _PITCH, _ROLL = 0.32, 0.16, 0.04  # radians, standard deviations
_SHIFT, _SCALE = 0.8, 0.03  # pixels, share: the landmarks' error
_ELASTIC = 5  # cells of the grid of random displacements
_STEPS = 3  # of the search for the pixel that a turn moves to a place


def draw_views(
    images: Tensor, depths: Tensor, points: Tensor, turned: Tensor, generator: torch.Generator
) -> Tensor:
    """One random view (N, 1, 64, 64) in [0, 1] of each canvas.

    images: uint8 (N, 86, 86), depths (N, 22, 22), points (N, 68, 2); turned: bool (N,), whether
    the canvas is turned in depth (rendered people turn by themselves).
    """
    count = len(images)
    rotation = _rotations(count, turned, generator)
    pivot = torch.stack([points[:, 27:36].mean(1)[:, 0], points[:, 36:48].mean(1)[:, 1]], -1)
    nearby = _sampled(depths[:, None], points)[..., 0]
    middle = nearby.mean(1, keepdim=True)
    # Aligned again after the turn, as its landmarks would align it.
    moved = _turn(points, nearby - middle, rotation, pivot)
    linear, offset = _similarity(moved, generator)
    axis = torch.arange(CROP_SIZE, dtype=torch.float32)
    target = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).reshape(1, -1, 2)
    target = target + _elastic(count, generator)
    goal = (target - offset[:, None]) @ torch.linalg.inv(linear).transpose(1, 2)
    place = goal
    for _ in range(_STEPS):
        depth = _sampled(depths[:, None], place)[..., 0] - middle
        place = place + (goal - _turn(place, depth, rotation, pivot))
    values = _sampled(images[:, None].float() / 255, place)
    crops = values.reshape(count, 1, CROP_SIZE, CROP_SIZE)
    mirrored = _uniform(generator, count, 1, 1, 1) < 0.5
    return _degraded(torch.where(mirrored, crops.flip(-1), crops), generator)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator)


def _rotations(count: int, turned: Tensor, generator: torch.Generator) -> Tensor:
    """Rotation matrices (N, 3, 3)."""
    yaw, pitch = (_normal(generator, 2, count) * torch.tensor([[_YAW], [_PITCH]])).clamp(-0.7, 0.7)
    yaw, pitch = yaw * turned, pitch * turned
    zero, one = torch.zeros(count), torch.ones(count)
    about_y = torch.stack(
        [yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos()], -1
    )
    about_x = torch.stack(
        [one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()], -1
    )
    return about_y.reshape(-1, 3, 3) @ about_x.reshape(-1, 3, 3)


def _turn(points: Tensor, depth: Tensor, rotation: Tensor, pivot: Tensor) -> Tensor:
    """Points (N, K, 2) with depth (N, K), turned about the pivots (N, 2)."""
    solid = torch.cat([points - pivot[:, None], depth[..., None]], -1)
    return (solid @ rotation.transpose(1, 2))[..., :2] + pivot[:, None]


def _similarity(points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Linear part (N, 2, 2) and offset (N, 2), canvas → crop, aligned by points with noise."""
    mean = mean_face()
    share = torch.tensor(mean.weights / mean.weights.sum(), dtype=torch.float32)
    framing = FRAMINGS["face"]
    scale = CROP_SIZE / framing.side
    goal = (torch.tensor(mean.points[:68, :2], dtype=torch.float32)) * scale
    goal = goal + (CROP_SIZE - 1) / 2 - scale * torch.tensor([framing.x, framing.y])
    middle, centre = (share[:, None] * points).sum(1), share @ goal
    source, wanted = points - middle[:, None], goal - centre
    power = (share * source.square().sum(-1)).sum(1)
    along = (share * (source * wanted).sum(-1)).sum(1) / power
    across = (share * (source[..., 0] * wanted[:, 1] - source[..., 1] * wanted[:, 0])).sum(1)
    across = across / power
    linear = torch.stack([along, -across, across, along], -1).reshape(-1, 2, 2)
    count = len(points)
    size = 1 + _SCALE * _normal(generator, count)
    angle = _ROLL * _normal(generator, count)
    jitter = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], -1)
    jitter = jitter.reshape(-1, 2, 2)
    linear = size[:, None, None] * jitter @ linear
    shift = centre + _SHIFT * _normal(generator, count, 2)
    return linear, shift - (linear @ middle[..., None])[..., 0]


def _elastic(count: int, generator: torch.Generator) -> Tensor:
    """Smooth random displacements (N, 64 · 64, 2): as expressions do, most around the mouth."""
    coarse = _normal(generator, count, 2, _ELASTIC, _ELASTIC)
    coarse = coarse * torch.tensor([0.4, 0.4, 0.5, 1.1, 1.1])[:, None]
    size = (CROP_SIZE, CROP_SIZE)
    field = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
    return field.permute(0, 2, 3, 1).reshape(count, -1, 2)


def _sampled(maps: Tensor, points: Tensor) -> Tensor:
    """Values (N, K, C) of maps (N, C, H, W) over the canvas at canvas pixels (N, K, 2)."""
    grid = ((points + 0.5) * (2 / CANVAS) - 1)[:, None]
    values = F.grid_sample(maps.float(), grid, padding_mode="border", align_corners=False)
    return values[:, :, 0].transpose(1, 2)


def _degraded(crops: Tensor, generator: torch.Generator) -> Tensor:
    """Light, contrast, blur, low resolution, noise and hidden parts."""
    count = len(crops)

    def one(low: float, high: float) -> Tensor:
        return low + (high - low) * _uniform(generator, count, 1, 1, 1)

    axis = torch.linspace(-1, 1, CROP_SIZE)
    angle = one(0, 2 * math.pi)
    side = angle.cos() * axis + angle.sin() * axis[:, None]
    lit = crops.clamp(1e-3, 1) ** torch.exp(0.35 * _normal(generator, count, 1, 1, 1))
    lit = lit * torch.exp(0.5 * one(0, 1) ** 2 * side * 1.6)
    low = int(torch.randint(20, CROP_SIZE, (1,), generator=generator))
    small = F.interpolate(lit, size=(low, low), mode="bilinear", antialias=True)
    soft = F.interpolate(small, size=(CROP_SIZE, CROP_SIZE), mode="bilinear")
    lit = torch.where(one(0, 1) < 0.5, soft, lit)
    lit = lit + one(0, 0.04) * _normal(generator, *lit.shape)
    left, top = one(0, 0.9), one(0, 0.9)
    wide, high = one(0.1, 0.45), one(0.1, 0.45)
    place = torch.linspace(0, 1, CROP_SIZE)
    inside = ((place > left) & (place < left + wide)) & (
        (place[:, None] > top) & (place[:, None] < top + high)
    )
    hidden = inside & (one(0, 1) < 0.25)
    return torch.where(hidden, one(0, 1), lit)
