"""Z-buffer rasteriser for small meshes, compiled with numba.

Front faces are counter-clockwise; back faces are culled. Screen points are x, y in pixels and the
distance from the camera, which must be positive.
"""

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile ``function`` with numba: cached on disk, releasing the GIL."""
    return cast(Callable[_P, _R], numba.njit(nogil=True, cache=True)(function))


class Raster(NamedTuple):
    """Buffers of a picture: depth (H, W) starts at infinity, face (H, W) at -1; weights (H, W, 2):
    perspective-correct barycentric weights of the face's second and third corner."""

    depth: F32
    face: I32
    weights: F32


def blank_raster(height: int, width: int) -> Raster:
    """Empty buffers."""
    return Raster(
        np.full((height, width), np.inf, np.float32),
        np.full((height, width), -1, np.int32),
        np.zeros((height, width, 2), np.float32),
    )


@compiled
def rasterise(screen: F32, faces: I32, raster: Raster) -> None:
    """Rasterise ``faces`` (M, 3) of ``screen`` (N, 3) into the buffers with depth test."""
    depth, face, weights = raster.depth, raster.face, raster.weights
    height, width = depth.shape
    for m in range(faces.shape[0]):
        i, j, k = faces[m, 0], faces[m, 1], faces[m, 2]
        ax, ay, az = screen[i, 0], screen[i, 1], screen[i, 2]
        bx, by, bz = screen[j, 0], screen[j, 1], screen[j, 2]
        cx, cy, cz = screen[k, 0], screen[k, 1], screen[k, 2]
        # y points down on the screen, so front faces have a negative area.
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area >= -1e-9:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0 = max(0, int(np.ceil(min(ay, by, cy))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy))))
        ia, ib, ic = 1.0 / az, 1.0 / bz, 1.0 / cz
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                # Tolerance against cracks between neighbours from rounding.
                if wa < -1e-5 or wb < -1e-5 or wc < -1e-5:
                    continue
                near = 1.0 / (wa * ia + wb * ib + wc * ic)
                if near >= depth[y, x]:
                    continue
                depth[y, x] = near
                face[y, x] = m
                weights[y, x, 0] = wb * ib * near
                weights[y, x, 1] = wc * ic * near


@compiled
def rasterise_depth(screen: F32, faces: I32, depth: F32) -> None:
    """Rasterise depth only, orthographic, without culling: for shadow maps."""
    height, width = depth.shape
    for m in range(faces.shape[0]):
        i, j, k = faces[m, 0], faces[m, 1], faces[m, 2]
        ax, ay, az = screen[i, 0], screen[i, 1], screen[i, 2]
        bx, by, bz = screen[j, 0], screen[j, 1], screen[j, 2]
        cx, cy, cz = screen[k, 0], screen[k, 1], screen[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx))))
        x1 = min(width - 1, int(np.floor(max(ax, bx, cx))))
        y0 = max(0, int(np.ceil(min(ay, by, cy))))
        y1 = min(height - 1, int(np.floor(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                wa = 1.0 - wb - wc
                # Tolerance against cracks between neighbours from rounding.
                if wa < -1e-5 or wb < -1e-5 or wc < -1e-5:
                    continue
                near = wa * az + wb * bz + wc * cz
                depth[y, x] = min(depth[y, x], near)


@compiled
def vertex_normals(points: F32, faces: I32, weld: I32) -> F32:
    """Unit normals (N, 3), area-weighted; vertices with the same ``weld`` (N,) share theirs."""
    total = np.zeros_like(points)
    for m in range(faces.shape[0]):
        i, j, k = faces[m, 0], faces[m, 1], faces[m, 2]
        ux = points[j, 0] - points[i, 0]
        uy = points[j, 1] - points[i, 1]
        uz = points[j, 2] - points[i, 2]
        vx = points[k, 0] - points[i, 0]
        vy = points[k, 1] - points[i, 1]
        vz = points[k, 2] - points[i, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for n in range(3):
            p = weld[faces[m, n]]
            total[p, 0] += nx
            total[p, 1] += ny
            total[p, 2] += nz
    normals = np.empty_like(points)
    for p in range(points.shape[0]):
        q = weld[p]
        x, y, z = total[q, 0], total[q, 1], total[q, 2]
        length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-12)
        normals[p, 0] = x / length
        normals[p, 1] = y / length
        normals[p, 2] = z / length
    return normals
