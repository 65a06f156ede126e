"""Beanies, caps, headbands and scarves, fitted to the head."""

import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.hair import ramp
from faceswap.synthetic.head_parts import Part, Piece, grid_faces
from faceswap.synthetic.identity import Shape, Wear
from faceswap.synthetic.shading import PLAIN
from faceswap.synthetic.uv import Array, surface_point

_EDGE_S = (0.0, 4.0, 7.0, 9.5, 12.0, 16.0, 22.0)
_EDGES = {
    "beanie": (4.6, 4.4, 3.4, 1.6, -0.5, -3.5, -5.0),
    "cap": (5.2, 5.0, 4.2, 3.2, 2.0, 0.0, -1.0),
    "headband": (4.9, 4.8, 4.2, 2.8, 1.2, -1.0, -2.0),
}


def headwear(wear: Wear, shape: Shape) -> list[Piece]:
    """The pieces of what is worn on the head."""
    if wear.headwear == "none":
        return []
    wide = 1 + 0.055 * shape.face_width
    if wear.headwear == "scarf":
        return [_piece(_scarf(), wear, wide)]
    s, t = np.meshgrid(np.linspace(-22, 22, 89), np.linspace(0, 1, 16), indexing="ij")
    edge = np.interp(np.abs(s), _EDGE_S, _EDGES[wear.headwear])
    if wear.headwear == "headband":
        v = edge + 2.4 * t
        lift = 0.5 * np.sin(np.pi * np.clip(t, 0.06, 0.94)) ** 0.5
        return [_piece(_over(s, v, lift), wear, wide)]
    v = edge + (13.99 - edge) * t
    cuff = ramp(0.0, 0.02, t) * (0.7 + 0.3 * ramp(0.3, 0.22, t))
    lift = 0.25 + cuff * (0.85 + 0.3 * t)
    if wear.headwear == "beanie":
        lift = lift + 0.06 * np.sin(s * 7) * (1 - t) + 0.9 * ramp(0.6, 1.0, t)
        return [_piece(_over(s, v, lift), wear, wide)]
    return [_piece(_over(s, v, lift), wear, wide), _piece(_brim(), wear, wide)]


def _piece(part: Part, wear: Wear, wide: float) -> Piece:
    moved = Part(part.points * [wide, 1, 1], part.faces, part.uv)
    return Piece(moved, PLAIN, wear.headwear_colour, int(Label.CLOTH), two_sided=True)


def _over(s: Array, v: Array, lift: Array) -> Part:
    """A sheet ``lift`` over the base head at UV coordinates (R, C)."""
    base = surface_point(s.ravel(), v.ravel())
    away = base - [0.0, 2.0, -7.3]
    away /= np.sqrt((away**2).sum(1, keepdims=True))
    points = base + away * lift.ravel()[:, None]
    return Part(points, grid_faces(*s.shape), np.full((len(points), 2), 0.5))


def _brim() -> Part:
    a, t = np.meshgrid(np.linspace(-1.15, 1.15, 25), np.linspace(0, 1, 8), indexing="ij")
    x = np.sin(a) * (6.6 + 0.6 * t)
    z = -5.2 + np.cos(a) * (7.6 + 6.0 * t * np.cos(a * 0.75))
    y = 5.3 - 1.7 * t - 0.1 * x * x * 0.25
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    return Part(points, grid_faces(*a.shape), np.full((len(points), 2), 0.5))


def _scarf() -> Part:
    phi, t = np.meshgrid(np.linspace(0, 2 * np.pi, 73), np.linspace(0, 1, 26), indexing="ij")
    s0, v0 = 7.6 * np.sin(phi), -3.2 + 9.4 * np.cos(phi)
    s = np.clip(s0 * (1 + 2.0 * t), -21.9, 21.9)
    v = np.clip(-3.2 + (v0 + 3.2) * (1 + 1.25 * t), -23.5, 13.95)
    fold = 0.18 * np.sin(t * 26 + 2 * np.sin(phi * 3)) * t
    lift = 0.15 + 0.75 * ramp(0.0, 0.12, t) + fold + 1.4 * ramp(-8.0, -14.0, v) * ramp(-22, -16, v)
    return _over(s, v, lift)
