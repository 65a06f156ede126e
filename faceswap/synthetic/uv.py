"""UV coordinates of the head: the lofted base surface, and the curves of lids and lips on it.

Space: centimetres, x to the head's left (the picture's right), y up, z out of the face; the
origin is between the pupils. The base head is lofted from closed rings, each given by its front,
side and back point (proportions after Farkas, *Anthropometry of the Head and Face*, 1994,
rounded). UV coordinates (s, v) of the skin: s runs around the head (7 cm times the angle from the
front), v is near the height y, 14 at the crown and -26 at the shoulders. They are the same for
all identities, so a landmark, a freckle or the hairline has the same coordinates on all heads.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
Index = NDArray[np.int32]

UV_RANGE = (-22.0, 22.0, -26.0, 14.0)
"""Extent of the UV coordinates: s from, s to, v from, v to."""

_RADIUS = UV_RANGE[1] / np.pi

# v, front (y, z), side (x, y, z), back (y, z)
_RINGS = np.array(
    [
        (14.0, 11.5, -6.5, 0.0, 11.5, -6.5, 11.5, -6.5),
        (13.0, 11.1, -3.4, 2.9, 11.1, -6.8, 11.0, -10.5),
        (11.5, 9.9, -0.7, 4.9, 9.8, -7.1, 9.6, -13.3),
        (9.5, 8.2, 0.9, 6.2, 8.0, -7.4, 7.6, -15.2),
        (7.5, 6.6, 1.7, 6.95, 6.2, -7.6, 5.6, -16.2),
        (5.5, 5.2, 2.05, 7.3, 4.5, -7.7, 3.6, -16.6),
        (4.0, 3.9, 2.15, 7.4, 3.2, -7.7, 2.0, -16.5),
        (2.3, 2.3, 2.1, 7.35, 1.8, -7.7, 0.4, -16.0),
        (0.8, 0.8, 1.8, 7.3, 0.6, -7.8, -1.0, -15.2),
        (-1.0, -1.0, 1.7, 7.2, -0.8, -7.8, -2.6, -14.2),
        (-3.0, -3.0, 1.9, 7.1, -2.2, -7.8, -4.2, -13.4),
        (-5.0, -5.0, 2.2, 6.9, -3.6, -7.7, -5.8, -12.9),
        (-7.0, -7.0, 2.15, 6.6, -5.0, -7.5, -7.2, -12.6),
        (-9.0, -9.0, 1.9, 6.2, -6.3, -7.2, -8.6, -12.4),
        (-10.3, -10.3, 1.75, 5.85, -7.2, -6.9, -9.6, -12.3),
        (-11.2, -11.15, 1.1, 5.5, -7.9, -6.8, -10.3, -12.3),
        (-12.0, -11.5, -0.1, 5.2, -8.7, -6.9, -11.0, -12.3),
        (-13.5, -11.9, -2.2, 5.5, -10.0, -7.2, -12.0, -12.6),
        (-15.0, -12.9, -3.3, 5.9, -11.8, -7.8, -13.2, -13.0),
        (-17.0, -14.8, -3.6, 6.5, -13.6, -8.3, -14.6, -13.6),
        (-19.0, -17.0, -3.6, 8.6, -15.4, -8.7, -16.0, -14.4),
        (-21.0, -19.2, -3.0, 13.0, -17.0, -9.0, -17.6, -15.3),
        (-23.0, -22.0, -1.8, 17.6, -19.6, -9.2, -20.0, -16.2),
        (-26.0, -46.0, 3.0, 22.5, -46.0, -9.2, -46.0, -18.0),
    ]
)[::-1]
_PROFILE = PchipInterpolator(_RINGS[:, 0], _RINGS[:, 1:], axis=0)

EYE = np.array([3.15, 0.05, -0.78])
"""Centre of the neutral left eyeball."""
EYE_RADIUS = 1.2
STOMION = -6.9
"""Height of the line between the lips."""
MOUTH_CORNER = 2.55
"""|x| of the mouth corners."""


def surface_point(s: Array, v: Array) -> Array:
    """Points (N, 3) of the base head at UV coordinates s, v, each (N,)."""
    t = np.asarray(s, np.float64) / _RADIUS
    yf, zf, w, ys, zs, yb, zb = np.moveaxis(_PROFILE(np.clip(v, UV_RANGE[2], UV_RANGE[3])), -1, 0)
    front = np.cos(t) >= 0
    # Superellipse exponent of a ring's front: 2 is an ellipse, less narrows the chin to a point.
    boxy = np.interp(v, [-15, -12, -10.5, -5], [2.0, 1.75, 1.8, 2.2])
    power = np.where(front, 2 / boxy, 1.0)
    c = np.abs(np.cos(t)) ** power
    x = w * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
    y = ys + (np.where(front, yf, yb) - ys) * c
    z = zs + (np.where(front, zf, zb) - zs) * c
    return np.stack([x, y, z], -1)


def uv_of(x: Array, y: Array) -> tuple[Array, Array]:
    """UV coordinates of points on the head's front at (x, y), by Newton's method."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    s, v = x.copy(), y.copy()
    step = 1e-4
    for _ in range(30):
        here = surface_point(s, v)
        ds = (surface_point(s + step, v) - here)[..., :2] / step
        dv = (surface_point(s, v + step) - here)[..., :2] / step
        ex, ey = x - here[..., 0], y - here[..., 1]
        det = ds[..., 0] * dv[..., 1] - ds[..., 1] * dv[..., 0]
        det = np.where(np.abs(det) < 1e-3, 1e-3, det)
        s = np.clip(s + np.clip((ex * dv[..., 1] - ey * dv[..., 0]) / det, -1, 1), -10.8, 10.8)
        v = np.clip(v + np.clip((ds[..., 0] * ey - ds[..., 1] * ex) / det, -1, 1), -13, 13)
    return s, v


def lid_margins(x: Array) -> tuple[Array, Array]:
    """Height of the neutral upper and lower lid margin at |x|; they meet at the eye corners."""
    a = np.clip((np.abs(x) - 1.72) / (4.52 - 1.72), 0.0, 1.0)
    corner = -0.12 + 0.2 * a
    upper = corner + 0.51 * np.sin(np.pi * a**0.86) ** 0.72
    lower = corner - 0.42 * np.sin(np.pi * a**1.25) ** 0.8
    return upper, lower


def lip_borders(x: Array) -> tuple[Array, Array, Array]:
    """Heights at |x| of the upper lip border, the line between the lips, the lower lip border."""
    a = np.clip(np.abs(x) / MOUTH_CORNER, 0.0, 1.0)
    line = STOMION + 0.05 * np.cos(np.pi * a) + 0.03
    rise = 1.02 * (1 - a**1.5) ** 0.95 + 0.1 * np.exp(-(((a - 0.3) / 0.16) ** 2))
    upper = line + (rise - 0.12 * np.exp(-((a / 0.13) ** 2))) * np.minimum(1, (1 - a) * 12)
    lower = line - 1.12 * (1 - a**2.0) ** 0.95
    return upper, line, lower
