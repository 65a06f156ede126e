"""Apply shape parameters to the template: a person's neutral head."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.identity import Shape
from faceswap.synthetic.template_mesh import Template, template_mesh
from faceswap.synthetic.uv import EYE, EYE_RADIUS, MOUTH_CORNER, STOMION, Array


@dataclass(frozen=True)
class NeutralHead:
    """A person's neutral head. points (N, 3): of the template's vertices; eyes (2, 3): centres of
    the left and the right eyeball; lid_seat (N,): weight, 0 to 1, with which a vertex is projected
    onto the eyeball; lid_height (N,): its height above the eyeball in centimetres."""

    points: Array
    eyes: Array
    lid_seat: Array
    lid_height: Array


def smooth_step(edge0: float, edge1: float, x: Array) -> Array:
    """Smoothstep: 0 at ``edge0``, 1 at ``edge1``, cubic between; edges may be in either order."""
    t = np.clip((x - edge0) / (edge1 - edge0), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def bell(x: Array, y: Array, cx: float, cy: float, sx: float, sy: float) -> Array:
    """Gaussian of height 1 at (cx, cy); it falls to 1/e at the half-axes sx, sy."""
    return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2))


def _union(a: Array, b: Array, soft: float) -> Array:
    """Smooth maximum of two surfaces, with a fillet of about ``soft`` centimetres."""
    h = np.maximum(soft - np.abs(a - b), 0.0) / soft
    return np.asarray(np.maximum(a, b) + h * h * soft * 0.25)


def _dome(x: Array, y: Array, centre: tuple[float, float, float], radii: Array) -> Array:
    """Height of the front of an ellipsoid at (x, y); -50, behind the face, outside of it."""
    d = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    return np.asarray(np.where(d < 1, centre[2] + radii[2] * np.sqrt(np.maximum(0, 1 - d)), -50.0))


def shape_head(shape: Shape, seed: int = 0) -> NeutralHead:
    """Build the neutral head of a person with this ``shape``; seed: of its small differences."""
    t = template_mesh()
    x, y = t.rest[:, 0], t.rest[:, 1]
    ax = np.abs(x)
    points = t.rest.copy()
    front = smooth_step(-7.0, -3.0, t.rest[:, 2])
    z = points[:, 2] + front * _relief(ax, y, shape)
    z = np.where(front > 0.5, _nose(ax, y, z, shape), z)
    z = z + front * _lips(t, ax, y, shape)
    points[:, 2] = z
    _widen(points, t, ax, y, shape)
    eyes = np.stack([EYE, EYE * [-1, 1, 1]])
    eyes[:, 2] -= 0.22 * shape.eye_depth
    eyes[:, 0] *= 1 + 0.055 * shape.eye_spacing
    _move_features(points, t, ax, y, shape)
    if shape.jowls:
        _let_hang(points, ax, y, front, shape.jowls)
    if shape.uneven:
        _make_uneven(points, x, y, front, shape.uneven, seed)
    seat, height = _lid_seat(t, shape)
    head = NeutralHead(points, eyes, seat, height)
    return NeutralHead(fit_lids_to_eyes(head, points), eyes, seat, height)


def _relief(ax: Array, y: Array, shape: Shape) -> Array:
    """Height (N,) to add for eye sockets, brows, cheeks, philtrum, mouth and chin."""
    dz = -0.5 * bell(ax, y, 3.1, 0.05, 1.9, 1.05)
    dz -= 0.3 * bell(ax, y, 1.5, 0.25, 0.75, 0.9)
    dz += (0.2 + 0.22 * shape.brow_ridge) * bell(ax, y, 3.2, 1.9, 2.2, 0.85)
    dz += (0.05 + 0.2 * shape.brow_ridge) * bell(ax, y, 0.0, 1.9, 1.3, 0.7)
    dz += 0.16 * bell(ax, y, 2.5, 4.3, 2.2, 1.5)
    dz -= shape.forehead_slope * 0.35 * smooth_step(2.5, 7.5, y)
    dz += (0.62 + 0.4 * shape.cheekbones) * bell(ax, y, 4.7, -1.9, 1.7, 1.25)
    dz += (0.42 + 0.5 * shape.cheek_fullness) * bell(ax, y, 3.9, -4.0, 1.9, 1.9)
    dz -= (0.12 - 0.25 * shape.cheek_fullness) * bell(ax, y, 5.0, -5.6, 1.3, 1.6)
    dz -= 0.14 * bell(ax, y, 2.6, -1.35, 1.0, 0.4)
    dz -= 0.16 * bell(ax, y, 2.15, -4.1, 0.45, 1.1)
    dz += 0.62 * bell(ax, y, 0.0, -6.3, 2.0, 1.9)
    dz -= 0.3 * bell(ax, y, 2.8, -6.95, 0.6, 0.6)
    dz -= 0.14 * bell(ax, y, 0.0, -5.1, 0.28, 0.7)
    dz += 0.05 * bell(ax, y, 0.42, -5.15, 0.22, 0.75)
    dz -= 0.5 * bell(ax, y, 0.0, -8.75, 1.7, 0.5)
    dz += (0.42 + 0.4 * shape.chin_forward) * bell(ax, y, 0.0, -10.0, 1.45, 1.0)
    dz += 0.2 * shape.chin_width * bell(ax, y, 1.9, -10.2, 0.9, 0.9)
    return np.asarray(dz)


def _nose(ax: Array, y: Array, z: Array, shape: Shape) -> Array:
    """Add the nose to the surface z (N,)."""
    size = 1 + 0.16 * shape.nose_size
    levels = np.array([-5.2, -4.75, -4.4, -4.1, -3.7, -3.2, -2.1, -0.82, -0.14, 0.6, 1.5])
    ridge = np.array([0.0, 0.2, 0.7, 1.75, 2.35, 2.3, 1.72, 1.05, 0.72, 0.42, 0.0])
    height = np.interp(y, levels, ridge)
    height += 0.28 * shape.nose_bridge * bell(0 * y, y, 0, 0.0, 1, 1.4)
    height += 0.28 * shape.nose_hump * bell(0 * y, y, 0, -1.3, 1, 0.8)
    width = np.interp(y, [-4.6, -3.7, -2.6, -1.2, 0.0, 1.0], [0.8, 0.86, 0.8, 0.72, 0.66, 0.9])
    width = width * (1 + 0.1 * shape.nose_width)
    z = z + height * size * np.exp(-((ax / width) ** 2) * 0.9)
    wide = 1 + 0.13 * shape.nose_width
    tip = _dome(ax, y, (0.0, -3.42, 2.9), np.array([0.92 * wide, 0.85, 1.55 * size]))
    z = _union(z, tip, 0.5)
    wing = _dome(ax, y, (1.24 * wide, -3.7, 1.75), np.array([0.76 * wide, 0.7, 0.95 * size]))
    z = _union(z, wing, 0.16)
    z = z - 0.1 * bell(ax, y, 0.72 * wide, -3.35, 0.2, 0.5)
    return np.asarray(z - 0.45 * bell(ax, y, 0.68 * wide, -4.22, 0.36, 0.2))


def _lips(t: Template, ax: Array, y: Array, shape: Shape) -> Array:
    """Height (N,) to add for the fullness of the lips and their turn into the mouth."""
    level = np.clip(t.lip, -1.0, 1.6)
    near = np.maximum(0.0, 1 - (ax / (MOUTH_CORNER + 0.15)) ** 2)
    red = np.clip(level, 0.0, 1.0)
    full = np.where(t.lip_upper, 0.2 + 0.12 * shape.upper_lip, 0.32 + 0.16 * shape.lower_lip)
    roll = full * np.sin(np.pi * np.clip(red, 0, 1) ** 0.75) * (level <= 1.0)
    turn = -0.34 * (1 - red) ** 2.5 * (level <= 1.0)
    forward = 0.22 * shape.lips_forward * bell(ax, y, 0.0, STOMION, 2.0, 1.4)
    rim = 0.05 * np.exp(-(((level - 1.0) / 0.12) ** 2)) * (level > -1) * near**0.5
    inside = np.where(level < 0, level * 1.6, 0.0)
    return np.asarray((roll + turn) * (0.3 + 0.7 * near**0.5) + forward + rim + inside)


def _widen(points: Array, t: Template, ax: Array, y: Array, shape: Shape) -> None:
    """Scale the head's width by height, and lengthen the chin."""
    v = t.chart[:, 1]
    side = np.interp(
        v,
        [-22, -18, -14, -11.2, -9, -6, -2, 1, 4, 8],
        [0, 0.2, 0.17, 0, 0, 0, 0, 0, 0, 0],
    )
    width = 1 + side * shape.neck_width
    width += 0.055 * shape.face_width * smooth_step(-13, -6, v) * smooth_step(14, 5, v)
    jaw = np.exp(-(((v + 9.2) / 3.0) ** 2))
    width += 0.085 * shape.jaw_width * jaw * smooth_step(2.2, 4.5, ax)
    width += 0.03 * shape.cheekbones * np.exp(-(((v + 2.0) / 1.8) ** 2)) * smooth_step(3, 5, ax)
    width += 0.16 * shape.chin_width * bell(ax, y, 1.6, -10.6, 1.5, 1.3)
    points[:, 0] *= width
    drop = smooth_step(-7.8, -11.0, y) * smooth_step(-15.5, -12.5, v)
    points[:, 1] -= 0.65 * shape.chin_length * drop * smooth_step(-6.5, 0.0, points[:, 2])


def _move_features(points: Array, t: Template, ax: Array, y: Array, shape: Shape) -> None:
    """Move and scale eyes, nose and mouth in the plane of the face."""
    sign = np.sign(t.rest[:, 0])
    near_eye = np.exp(-((((ax - 3.15) / 2.3) ** 2 + ((y - 0.05) / 1.5) ** 2) ** 2))
    points[:, 0] += sign * near_eye * 3.15 * 0.055 * shape.eye_spacing
    size = 1 + 0.15 * shape.eye_size
    points[:, 0] += sign * near_eye * (ax - 3.15) * (size - 1) * 0.6
    points[:, 1] += near_eye * (y - 0.05) * (size - 1) * 1.2
    points[:, 1] += near_eye * (ax - 2.6) * 0.14 * shape.eye_tilt
    hang = bell(ax, y, 3.5, 0.75, 1.3, 0.35) * shape.hooded
    points[:, 1] -= 0.14 * hang * t.lid_upper
    in_nose = bell(ax, y, 0.0, -3.7, 2.3, 1.7)
    points[:, 1] -= 0.45 * shape.nose_length * in_nose
    points[:, 1] += 0.3 * shape.nose_tip * bell(ax, y, 0.0, -3.5, 0.9, 0.8)
    points[:, 0] += sign * 0.24 * shape.nose_width * bell(ax, y, 1.5, -3.8, 0.9, 0.9)
    in_mouth = np.exp(-((((ax) / 3.6) ** 2 + ((y - STOMION) / 2.0) ** 2) ** 2))
    points[:, 0] += sign * in_mouth * ax * 0.12 * shape.mouth_width
    points[:, 1] += in_mouth * 0.4 * shape.mouth_height - 0.1 * shape.nose_length * in_mouth
    red = np.clip(1 - np.abs(t.lip - 1.0), 0.0, 1.0) * (1 - (np.minimum(ax, 2.55) / 2.56) ** 2)
    points[:, 1] += np.where(t.lip_upper, 0.26 * shape.upper_lip, -0.28 * shape.lower_lip) * red


def _let_hang(points: Array, ax: Array, y: Array, front: Array, amount: float) -> None:
    """Hanging cheeks, jaw line and double chin."""
    jaw = bell(ax, y, 4.3, -8.8, 1.7, 1.5) * front
    points[:, 1] -= 0.55 * amount * jaw
    points[:, 0] *= 1 + 0.06 * amount * jaw
    points[:, 2] += amount * front * (0.35 * jaw + 0.6 * bell(ax, y, 0.0, -11.4, 2.6, 0.8))
    points[:, 2] -= 0.16 * amount * front * bell(ax, y, 2.9, -8.3, 0.5, 1.1)
    points[:, 2] += 0.16 * amount * front * bell(ax, y, 2.6, -1.5, 1.1, 0.45)


def _make_uneven(points: Array, x: Array, y: Array, front: Array, amount: float, seed: int) -> None:
    """Move the face by random broad bells, which differ between its sides."""
    rng = np.random.default_rng((seed, 21))
    for _ in range(9):
        cx, cy = rng.uniform(-5.5, 5.5), rng.uniform(-10, 6)
        wide = rng.uniform(1.6, 3.6)
        push = rng.normal(0, 0.16, 3) * [0.8, 0.8, 1.3] * amount
        points += (bell(x, y, cx, cy, wide, wide) * front)[:, None] * push


def _lid_seat(t: Template, shape: Shape) -> tuple[Array, Array]:
    gap = t.lid_gap
    reach = np.where(t.lid_upper, 0.62, 0.5)
    seat = np.clip(1 - (gap - 0.16) / (reach - 0.16), 0.0, 1.0)
    seat = seat * seat * (3 - 2 * seat) * (t.rest[:, 2] > -3)
    height = np.interp(gap, [-0.08, 0.0, 0.07, 0.3, 0.8], [-0.03, 0.07, 0.11, 0.13, 0.2])
    fold = 0.12 * np.exp(-(((gap - 0.36) / 0.09) ** 2)) * t.lid_upper * (1 - 0.7 * shape.hooded)
    return seat, height - np.clip(fold, 0, 0.2)


def fit_lids_to_eyes(head: NeutralHead, points: Array) -> Array:
    """Project the lids of ``points`` (N, 3) onto the eyeballs."""
    out = points.copy()
    held: NDArray[np.intp] = np.flatnonzero(head.lid_seat > 0)
    p = out[held]
    centre = np.where(p[:, :1] > 0, head.eyes[0], head.eyes[1])
    radius = EYE_RADIUS + head.lid_height[held]
    flat = ((p[:, :2] - centre[:, :2]) ** 2).sum(1)
    z = centre[:, 2] + np.sqrt(np.maximum(radius**2 - flat, 0.04))
    out[held, 2] = p[:, 2] + head.lid_seat[held] * (z - p[:, 2])
    return out
