"""Template head mesh, deformed by every identity and expression.

Edge loops run around the lids and lips, for eyes that close and a mouth that opens without
artifacts; elsewhere it is a Delaunay triangulation of regular points in UV space (see ``uv``).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from faceswap.synthetic.uv import (
    MOUTH_CORNER,
    STOMION,
    UV_RANGE,
    Array,
    Index,
    lid_margins,
    lip_borders,
    surface_point,
    uv_of,
)

_LID_POINTS = 40  # vertices of an edge loop
_LIP_POINTS = 56
_LID_RINGS = (0.0, 0.07, 0.16, 0.27, 0.4, 0.56, 0.76)  # cm outside the lid margin
_LIP_RINGS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # from the line between the lips to their border
_LIP_OUTER = (0.14, 0.32, 0.55)  # cm outside the lip border
_SLIT = 0.1  # cm between the lips in UV space, which triangulation needs; in 3-D they touch


@dataclass(frozen=True)
class Template:
    """The neutral mesh. Arrays run over its N vertices unless stated otherwise.

    chart (N, 2): UV coordinates s, v. rest (N, 3): position on the base surface. faces (M, 3).
    lid_gap: distance outside the lid margin, in the plane of the face, negative on the inner
    rim; lid_upper: whether the nearest margin is the upper lid's.
    lip: 0 where the lips meet to 1 at the border, over 1 outside, negative inside the mouth.
    lip_upper: whether the vertex is on the upper lip's side.
    lid_rings, lip_rings: vertex indices (2, rings, K) and (rings, K), from inside out; a ring
    starts at the inner eye corner or the right mouth corner and runs over the upper side first.
    """

    chart: Array
    rest: Array
    faces: Index
    lid_gap: Array
    lid_upper: NDArray[np.bool_]
    lip: Array
    lip_upper: NDArray[np.bool_]
    lid_rings: Index
    lip_rings: Index


def _lid_loop(gap: float) -> tuple[Array, Array]:
    """(x, y) of one edge loop around the left eye, ``gap`` cm outside the lid margin."""
    half = _LID_POINTS // 2
    a = np.concatenate([np.linspace(0, 1, half + 1), np.linspace(1, 0, half + 1)[1:-1]])
    a = 0.5 - 0.5 * np.cos(np.pi * a) * 0.5 - 0.5 * (0.5 - a)  # denser towards the corners
    x = 1.72 + (4.52 - 1.72) * a
    upper, lower = lid_margins(x)
    y = np.where(np.arange(_LID_POINTS) <= half, upper, lower)
    dx = np.roll(x, -1) - np.roll(x, 1)
    dy = np.roll(y, -1) - np.roll(y, 1)
    length = np.hypot(dx, dy)
    return x - gap * dy / length, y + gap * dx / length


def _lip_loop(level: float) -> tuple[Array, Array]:
    """(x, y) of one edge loop around the mouth; level: 0 between the lips, 1 at their border."""
    half = _LIP_POINTS // 2
    phi = np.linspace(0, np.pi, half + 1)
    x = np.concatenate([-np.cos(phi), np.cos(phi)[1:-1]]) * MOUTH_CORNER
    upper, line, lower = lip_borders(x)
    over = np.arange(_LIP_POINTS) <= half
    inner = min(level, 1.0)
    y = np.where(over, line + (upper - line) * inner, line + (lower - line) * inner)
    y = y + np.where(over, 1, -1) * _SLIT * (1 - inner) * np.sqrt(1 - (x / 2.56) ** 2)
    corner = 1 - inner
    x = x * (1 - 0.06 * corner)
    if level <= 1:
        return x, y
    gap = level - 1
    centre = STOMION - 0.05
    dx, dy = x / 2.9, (y - centre) / 1.35
    length = np.hypot(dx, dy)
    return x + gap * dx / length * 0.9, y + gap * dy / length


def _background(blocked: Array) -> Array:
    """Regular UV points: dense on the face, sparse elsewhere, clear of the loops (K, 2)."""
    rows: list[Array] = []
    for step, region in ((0.2, 2), (0.36, 1), (0.85, 0)):
        for number, v in enumerate(np.arange(UV_RANGE[2], UV_RANGE[3] + 1e-6, step)):
            s = np.arange(UV_RANGE[0], UV_RANGE[1] + 1e-6, step) + step * 0.5 * (number % 2)
            front = ((np.abs(s) < 9.5) & (v > -13.2) & (v < 7.6)).astype(int)
            front += (np.abs(s) < 2.5) & (v > -5.4) & (v < 1.0)
            keep = s[(front == region) & (np.abs(s) < UV_RANGE[1] - 0.3)]
            rows.append(np.stack([keep, np.full_like(keep, v)], -1))
    seam = np.arange(UV_RANGE[2], UV_RANGE[3] + 1e-6, 0.8)
    for side in UV_RANGE[:2]:
        rows.append(np.stack([np.full_like(seam, side), seam], -1))
    points = np.concatenate(rows)
    near = np.empty(len(points))
    for start in range(0, len(points), 2000):
        block = points[start : start + 2000]
        gaps = np.hypot(*(block[:, None] - blocked[None]).transpose(2, 0, 1))
        near[start : start + 2000] = gaps.min(1)
    centre = np.abs(np.abs(points[:, 0]) - 3.1) / 1.9
    in_eye = np.hypot(centre, (points[:, 1] - 0.05) / 1.0) < 0.75
    in_mouth = np.hypot(points[:, 0] / 2.9, (points[:, 1] - STOMION) / 1.3) < 0.9
    return np.asarray(points[(near > 0.17) & ~in_eye & ~in_mouth])


def _inside(points: Array, loop: Array) -> NDArray[np.bool_]:
    """Whether points (N, 2) are inside the polygon ``loop`` (K, 2), by ray casting."""
    ax, ay = loop[:, 0], loop[:, 1]
    bx, by = np.roll(ax, -1), np.roll(ay, -1)
    px, py = points[:, :1], points[:, 1:]
    crosses = (ay > py) != (by > py)
    rise = np.where(by == ay, 1.0, by - ay)
    return np.asarray((crosses & (px < ax + (py - ay) * (bx - ax) / rise)).sum(1) % 2 == 1)


def _strip(outer: Index, inner: Index) -> Index:
    """Triangles between two clockwise loops of the same number of vertices."""
    a, b = outer, np.roll(outer, -1)
    c, d = inner, np.roll(inner, -1)
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).astype(np.int32)


@cache
def template_mesh() -> Template:
    """Build the template (cached)."""
    loops: list[tuple[Array, Array]] = []
    for mirror in (1.0, -1.0):
        for gap in _LID_RINGS:
            x, y = _lid_loop(gap)
            loops.append((x * mirror, y))
    for level in (*_LIP_RINGS, *(1 + gap for gap in _LIP_OUTER)):
        loops.append(_lip_loop(level))
    charts = [np.stack(uv_of(x, y), -1) for x, y in loops]
    ringed = np.concatenate(charts)
    chart = np.concatenate([ringed, _background(ringed)])
    faces = Delaunay(chart).simplices.astype(np.int32)
    middle = chart[faces].mean(1)
    lids = len(_LID_RINGS)
    for loop in (charts[0], charts[lids], charts[2 * lids]):
        outside = ~_inside(middle, loop)
        faces, middle = faces[outside], middle[outside]
    a, b, c = (chart[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    faces[area < 0] = faces[area < 0][:, ::-1]
    faces = faces[np.abs(area) > 1e-5]
    return _with_rims(chart, faces, lids)


def _with_rims(chart: Array, faces: Index, lids: int) -> Template:
    """Add the inner rims of lids and lips, and compute the attributes of all vertices."""
    k, m = _LID_POINTS, _LIP_POINTS
    lid = np.arange(2 * lids * k, dtype=np.int32).reshape(2, lids, k)
    first = 2 * lids * k
    lip_count = len(_LIP_RINGS) + len(_LIP_OUTER)
    lip = first + np.arange(lip_count * m, dtype=np.int32).reshape(lip_count, m)
    extra: list[Array] = []
    new_faces = [faces]
    top = len(chart)
    lid_rims: list[Index] = []
    lip_rims: list[Index] = []
    for eye in range(2):
        rim = np.arange(top, top + k, dtype=np.int32)
        extra.append(chart[lid[eye, 0]])
        strip = _strip(lid[eye, 0], rim)
        new_faces.append(strip if eye == 0 else strip[:, ::-1])
        lid_rims.append(rim)
        top += k
    outer = lip[0]
    for _ in range(3):
        rim = np.arange(top, top + m, dtype=np.int32)
        extra.append(chart[lip[0]])
        new_faces.append(_strip(outer, rim))
        lip_rims.insert(0, rim)
        outer, top = rim, top + m
    whole = np.concatenate([chart, *extra])
    rest = surface_point(whole[:, 0], whole[:, 1])
    return _described(
        whole,
        rest,
        np.concatenate(new_faces),
        np.concatenate([np.stack(lid_rims)[:, None], lid], 1),
        np.concatenate([np.stack(lip_rims), lip]),
    )


def _described(chart: Array, rest: Array, faces: Index, lid: Index, lip: Index) -> Template:
    x, y = rest[:, 0], rest[:, 1]
    upper, lower = lid_margins(x)
    lid_upper = y > (upper + lower) / 2
    across = np.maximum(0, np.abs(np.abs(x) - 3.12) - 1.4)
    gap = np.hypot(np.where(lid_upper, y - upper, lower - y), across)
    half = lid.shape[2] // 2
    for ring, value in enumerate((-0.08, *_LID_RINGS)):
        gap[lid[:, ring]] = value
    lid_upper[lid[:, :, : half + 1]] = True
    lid_upper[lid[:, :, half + 1 :]] = False
    top, line, bottom = lip_borders(x)
    lip_upper = y > line
    level = 1 + np.hypot(
        np.maximum(0, np.where(lip_upper, y - top, bottom - y)),
        np.maximum(0, np.abs(x) - MOUTH_CORNER),
    )
    half = lip.shape[1] // 2
    for ring, value in enumerate((-0.9, -0.5, -0.2, *_LIP_RINGS, *(1 + g for g in _LIP_OUTER))):
        level[lip[ring]] = value
    lip_upper[lip[:, : half + 1]] = True
    lip_upper[lip[:, half + 1 :]] = False
    # In 3-D the lips touch: close the slit of the UV space.
    seam = (level >= -1) & (level < 1)
    closing = np.where(lip_upper, -1, 1) * _SLIT * (1 - np.clip(level, 0, 1))
    rest = rest.copy()
    inside = np.sqrt(np.maximum(0, 1 - (x / 2.56) ** 2))
    rest[:, 1] += np.where(seam, closing * inside, 0)
    return Template(chart, rest, faces, gap, lid_upper, level, lip_upper, lid, lip)
