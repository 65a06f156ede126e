"""Signed distance from the average head: what hair is kept outside of."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from faceswap.synthetic.face_shape import shape_head
from faceswap.synthetic.identity import Shape
from faceswap.synthetic.rasteriser import F32, compiled, vertex_normals
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array

_LOW, _HIGH, _CELL = (-17.0, -27.0, -23.0), (17.0, 18.0, 10.0), 1.0
_EARS = np.array([(x * side, y, -8.2) for side in (1, -1) for x in (6.6, 7.6) for y in (-4, -1, 1)])


class DistanceGrid(NamedTuple):
    """Signed distances in centimetres, negative inside: values (X, Y, Z) at low + index · cell."""

    values: F32
    low: Array
    cell: float


@cache
def head_distance() -> DistanceGrid:
    """The grid of the average head with ears and shoulders (cached)."""
    t = template_mesh()
    points = shape_head(Shape()).points
    normals = vertex_normals(
        points.astype(np.float32), t.faces, np.arange(len(points), dtype=np.int32)
    )
    dense = np.concatenate([points, points[t.faces].mean(1)])
    upright = np.concatenate([normals, normals[t.faces].mean(1)])
    inner = np.concatenate([t.lip < -0.01, (t.lip[t.faces] < -0.01).any(1)])
    dense, upright = dense[~inner], upright[~inner]
    axes = [np.arange(a, b + 0.5, _CELL) for a, b in zip(_LOW, _HIGH, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    far, nearest = cKDTree(dense).query(grid, 6)
    away = ((grid[:, None] - dense[nearest]) * upright[nearest]).sum(-1).mean(1)
    distance = far[:, 0] * np.where(away < 0, -1.0, 1.0)
    ears = cKDTree(_EARS).query(grid)[0] - 1.15
    values = np.minimum(distance, ears).reshape([len(a) for a in axes])
    return DistanceGrid(values.astype(np.float32), np.array(_LOW), _CELL)


@compiled
def distance_at(grid: DistanceGrid, x: Any, y: Any, z: Any) -> Any:
    """Distance at a point and its unit gradient: (distance, gx, gy, gz)."""
    values = grid.values
    u = min(max((x - grid.low[0]) / grid.cell, 0.0), values.shape[0] - 1.001)
    v = min(max((y - grid.low[1]) / grid.cell, 0.0), values.shape[1] - 1.001)
    w = min(max((z - grid.low[2]) / grid.cell, 0.0), values.shape[2] - 1.001)
    i, j, k = int(u), int(v), int(w)
    fu, fv, fw = u - i, v - j, w - k
    total, gx, gy, gz = 0.0, 0.0, 0.0, 0.0
    for n in range(8):
        a, b, c = n & 1, (n >> 1) & 1, n >> 2
        value = float(values[i + a, j + b, k + c])
        pu, pv, pw = (fu if a else 1 - fu), (fv if b else 1 - fv), (fw if c else 1 - fw)
        total += value * pu * pv * pw
        gx += value * (1 if a else -1) * pv * pw
        gy += value * (1 if b else -1) * pu * pw
        gz += value * (1 if c else -1) * pu * pv
    length = np.sqrt(gx * gx + gy * gy + gz * gz) + 1e-9
    return total, gx / length, gy / length, gz / length
