"""Where hair grows: the hairline, the scalp and beards, as masks in UV space."""

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.identity import Hairdo
from faceswap.synthetic.uv import Array, lip_borders

# UV coordinates, cm: hairline v at |s|; beard's upper edge y at |x|.
_LINE_S = (0.0, 2.5, 4.2, 5.5, 6.5, 7.3, 8.1, 8.9, 9.7, 10.6, 12.0, 15.0, 22.0)
_LINE_V = (6.0, 6.2, 6.5, 5.9, 4.4, 3.0, 1.4, -1.6, -2.2, 1.6, 0.2, -5.5, -6.8)
_BEARD_EDGE = (
    (0.0, 1.2, 2.2, 3.0, 4.2, 5.4, 6.4, 7.2),
    (-4.55, -4.65, -5.1, -6.1, -6.6, -5.6, -3.6, -0.5),
)


def ramp(edge0: float, edge1: float, x: NDArray[np.floating]) -> Array:
    """Smoothstep from 0 at ``edge0`` to 1 at ``edge1``."""
    t = np.clip((np.asarray(x, np.float64) - edge0) / (edge1 - edge0), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def hairline(cut: Hairdo, s: NDArray[np.floating]) -> Array:
    """Height v of the hairline at s."""
    a = np.abs(s)
    line = np.interp(a, _LINE_S, _LINE_V)
    front = ramp(8.8, 6.0, a)
    line = line + cut.hairline * front
    line = line + cut.recession * np.exp(-(((a - 4.3) / 1.7) ** 2)) * front
    return np.asarray(line - cut.peak * np.exp(-((a / 1.3) ** 2)))


def scalp(cut: Hairdo, s: NDArray[np.floating], v: NDArray[np.floating]) -> Array:
    """Density of the hair of the head at UV coordinates, 0 to 1."""
    mask = ramp(-0.25, 0.7, v - hairline(cut, s))
    if cut.crown > 0:
        reach = 14.0 - 10.5 * cut.crown
        rim = v - 0.18 * np.maximum(0, np.abs(s) - 9)
        bare = ramp(reach - 1.6, reach + 0.6, rim)
        mask = mask * (1 - bare * min(1.0, 2.5 * cut.crown))
    return np.asarray(mask * min(1.0, cut.density))


def beard(kind: str, place: NDArray[np.floating]) -> Array:
    """Beard mask at points (..., 3) of the base head, 0 to 1."""
    ax, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    if kind == "none":
        return np.zeros_like(ax)
    edge = np.interp(ax, *_BEARD_EDGE)
    full = ramp(0.2, -0.35, y - edge) * ramp(-9.2, -8.4, z)
    full = full * ramp(-4.0, -1.5, z + 0.35 * y + 3)
    full = full * np.where(y < -11.3, ramp(-5.0, -2.0, z), 1.0)
    full = full * np.where(y < -11.0, ramp(-12.1, -11.3, y), 1.0)
    upper, _, lower = lip_borders(ax)
    over, under = y - upper, lower - y
    outside = np.maximum(ramp(0.02, 0.14, over), ramp(0.04, 0.18, under))
    outside = np.maximum(outside, ramp(2.5, 2.7, ax))
    full = full * outside
    philtrum = 1 - 0.1 * np.exp(-((ax / 0.3) ** 2)) * (y > -6)
    bare = 1 - 0.8 * np.exp(-(((ax - 1.5) / 0.7) ** 2) - ((y + 8.3) / 0.45) ** 2)
    moustache = ramp(3.3, 2.8, ax) * ramp(-7.4, -6.7, y)
    if kind == "moustache":
        return np.asarray(full * moustache)
    if kind == "goatee":
        ring = np.hypot(ax / 3.15, (y + 8.1) / 3.9)
        return np.asarray(full * ramp(1.0, 0.88, ring) * philtrum)
    return np.asarray(full * (0.25 + 0.75 * bare) * philtrum)
