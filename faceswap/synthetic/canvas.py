"""The canvas on which a head's skin is painted, and what it knows of every texel."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.hair import beard
from faceswap.synthetic.uv import UV_RANGE, Array, lid_margins, lip_borders, surface_point, uv_of
from faceswap.types import FloatImage, Floats

Three = tuple[float, float, float]


@dataclass(frozen=True)
class Ground:
    """The base head at every texel (H, W), the same for all people.

    places (H, W, 3): its point; x: |x|, y, s and v; front: a soft mask of the front half;
    over_lid, under_lid: centimetres above the upper and below the lower lid's margin; near_lid: a
    soft mask of the eyes' width; lip: 0 between the lips to 1 at their border, over 1 outside.
    """

    scale: float
    places: NDArray[np.float32]
    x: FloatImage
    y: FloatImage
    s: FloatImage
    v: FloatImage
    front: FloatImage
    over_lid: FloatImage
    under_lid: FloatImage
    near_lid: FloatImage
    lip: FloatImage
    upper_lip: NDArray[np.bool_]

    def spot(self, cx: float, cy: float, sx: float, sy: float) -> FloatImage:
        """Bell of height 1 at (±cx, cy)."""
        return spot(self.scale, cx, cy, sx, sy)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.x.shape[0], self.x.shape[1]


PAINTED = 14.5
"""|s| up to which the skin is painted; behind it, the edge goes on."""


def painted_size(scale: float) -> tuple[int, int]:
    """Rows and columns of the painted part of the head's map."""
    return round((UV_RANGE[3] - UV_RANGE[2]) * scale), round(2 * PAINTED * scale)


def head_size(scale: float) -> tuple[int, int]:
    """Rows and columns of the head's map at ``scale`` texels per centimetre."""
    return (
        round((UV_RANGE[3] - UV_RANGE[2]) * scale),
        round((UV_RANGE[1] - UV_RANGE[0]) * scale),
    )


@lru_cache(maxsize=4)
def ground(scale: float) -> Ground:
    """The ground at ``scale`` texels per centimetre (cached)."""
    rows, columns = painted_size(scale)
    s = (np.arange(columns) + 0.5) / scale - PAINTED
    v = UV_RANGE[3] - (np.arange(rows) + 0.5) / scale
    # A coarser grid, then interpolation: the base surface is smooth.
    coarse_s, coarse_v = np.linspace(s[0], s[-1], 230), np.linspace(v[0], v[-1], 210)
    grid = surface_point(np.tile(coarse_s, 210), np.repeat(coarse_v, 230)).reshape(210, 230, 3)
    at_x = np.linspace(0, 229, columns, dtype=np.float32)
    at_y = np.linspace(0, 209, rows, dtype=np.float32)
    maps = np.meshgrid(at_x, at_y)
    places = np.asarray(
        cv2.remap(grid.astype(np.float32), maps[0], maps[1], cv2.INTER_LINEAR), np.float32
    )
    x, y = np.abs(places[..., 0]), places[..., 1]
    upper, lower = lid_margins(x.astype(np.float64))
    top, line, low = lip_borders(x.astype(np.float64))
    over = y > line
    lip = np.where(
        over, (y - line) / np.maximum(top - line, 0.05), (line - y) / np.maximum(line - low, 0.05)
    )
    front = np.clip((places[..., 2] + 6.5) / 2.5, 0, 1)
    return Ground(
        scale, places, x, y,
        np.broadcast_to(s.astype(np.float32), (rows, columns)),
        np.broadcast_to(v.astype(np.float32)[:, None], (rows, columns)),
        front,
        (y - upper).astype(np.float32), (lower - y).astype(np.float32),
        ramp(1.5, 1.75, x) * ramp(4.85, 4.45, x) * front,
        lip.astype(np.float32), np.asarray(over),
    )  # fmt: skip


@lru_cache(maxsize=1)
def _charts() -> tuple[Array, Array]:
    """UV coordinates (70, 64) on a grid of points seen from the front, every 0.25 cm."""
    x, y = np.meshgrid(np.arange(64) * 0.25 - 7.875, np.arange(84) * 0.25 - 12.5)
    s, v = uv_of(x, y)
    return np.asarray(s), np.asarray(v)


def chart_at(x: Array, y: Array) -> tuple[Array, Array]:
    """UV coordinates of points (x, y) seen from the front, interpolated."""
    s, v = _charts()
    u = np.clip((np.asarray(x) + 7.875) / 0.25, 0, 62.999)
    w = np.clip((np.asarray(y) + 12.5) / 0.25, 0, 82.999)
    i, j = w.astype(int), u.astype(int)
    fi, fj = w - i, u - j

    def mixed(grid: Array) -> Array:
        top = grid[i, j] * (1 - fj) + grid[i, j + 1] * fj
        low = grid[i + 1, j] * (1 - fj) + grid[i + 1, j + 1] * fj
        return np.asarray(top * (1 - fi) + low * fi)

    return mixed(s), mixed(v)


@lru_cache(maxsize=256)
def spot(scale: float, cx: float, cy: float, sx: float, sy: float) -> FloatImage:
    """``hump`` on the ground at ``scale``, at both sides of the face (cached, read only)."""
    g = ground(scale)
    found = hump(g.x, g.y, cx, cy, sx, sy)
    found.setflags(write=False)
    return found


@lru_cache(maxsize=16)
def beard_ground(scale: float, kind: str) -> FloatImage:
    """Where a beard of this kind grows, on the ground at ``scale`` (cached, read only)."""
    found = beard(kind, ground(scale).places.astype(np.float64)).astype(np.float32)
    found.setflags(write=False)
    return found


def hump(x: Floats, y: Floats, cx: float, cy: float, sx: float, sy: float) -> FloatImage:
    """Bell of height 1 at (cx, cy)."""
    return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2), np.float32)


def ramp(edge0: float, edge1: float, x: Floats) -> FloatImage:
    """Smoothstep from 0 at ``edge0`` to 1 at ``edge1``."""
    t = np.clip((x - edge0) / (edge1 - edge0), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@dataclass
class Canvas:
    """Maps being painted: albedo (3, H, W) linear; shine (H, W); relief (H, W) in hundredths of a
    centimetre; zone (H, W): labels, 0 for bare skin."""

    ground: Ground
    albedo: NDArray[np.float32]
    shine: FloatImage
    relief: FloatImage
    zone: NDArray[np.uint8]

    @classmethod
    def blank(cls, scale: float) -> "Canvas":
        """An empty canvas at ``scale`` texels per centimetre."""
        size = painted_size(scale)
        return cls(
            ground(scale),
            np.zeros((3, *size), np.float32),
            np.zeros(size, np.float32),
            np.zeros(size, np.float32),
            np.zeros(size, np.uint8),
        )

    def blend(self, colour: Three | NDArray[np.float32], share: Floats) -> None:
        """Blend ``colour``, one or (3, H, W), over the albedo with opacity ``share`` (H, W)."""
        share = np.asarray(share, np.float32)
        for n in range(3):
            self.albedo[n] += (np.asarray(colour[n], np.float32) - self.albedo[n]) * share

    def tint(self, factor: Three, share: Floats) -> None:
        """Multiply the albedo by ``factor`` with opacity ``share`` (H, W)."""
        share = np.asarray(share, np.float32)
        for n in range(3):
            if factor[n] != 1.0:
                self.albedo[n] *= 1 + share * np.float32(factor[n] - 1)

    def texels(self, x: Array, y: Array) -> NDArray[np.int32]:
        """Texels (N, 2) of points seen from the front, in 1/8, OpenCV's unit of drawing."""
        s, v = chart_at(x, y)
        place = np.stack([s + PAINTED, UV_RANGE[3] - v], -1) * self.ground.scale
        return np.asarray(np.round(place * 8), np.int32)
