"""Expression parameters (blend shapes, jaw, lids, gaze) and the rig that applies them."""

from dataclasses import asdict, dataclass

import numpy as np

from faceswap.synthetic.face_shape import NeutralHead, bell, fit_lids_to_eyes, smooth_step
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import MOUTH_CORNER, STOMION, Array

JAW_PIVOT = np.array([0.0, -1.2, -8.0])  # the jaw joints, in front of the ears
JAW_RANGE = np.deg2rad(21.0)  # rotation at jaw = 1


@dataclass(frozen=True)
class Expression:
    """Expression parameters, from 0 to 1 unless stated otherwise; all 0 is the neutral face.

    jaw: opening. smile: -1 draws the corners down. pucker: lips forward and together.
    upper_lip, lower_lip: how far each uncovers the teeth. blink_left, blink_right: 1 is shut,
    down to -0.4 is wide open. squint: lower lids up. brow_raise: -0.5 to 1. frown: brows
    together. gaze_yaw, gaze_pitch: degrees, to the picture's right and up.
    """

    jaw: float = 0.0
    smile: float = 0.0
    pucker: float = 0.0
    upper_lip: float = 0.0
    lower_lip: float = 0.0
    blink_left: float = 0.0
    blink_right: float = 0.0
    squint: float = 0.0
    brow_raise: float = 0.0
    frown: float = 0.0
    gaze_yaw: float = 0.0
    gaze_pitch: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """The parameters by name, rounded to four decimals."""
        return {name: round(float(value), 4) for name, value in asdict(self).items()}


EXPRESSIONS: dict[str, Expression] = {
    "neutral": Expression(),
    "smile": Expression(smile=1.0, squint=0.5, upper_lip=0.45, jaw=0.06),
    "open": Expression(jaw=0.75, brow_raise=0.2, lower_lip=0.2),
    "pucker": Expression(pucker=1.0, frown=0.2),
    "surprise": Expression(jaw=0.4, brow_raise=1.0, blink_left=-0.3, blink_right=-0.3),
    "shut": Expression(blink_left=1.0, blink_right=1.0, smile=-0.5, frown=0.6),
}
"""Expressions by name, for contact sheets and tests."""


class Rig:
    """Expression rig of one head: precomputes weights once; ``moved`` runs per frame."""

    def __init__(self, head: NeutralHead) -> None:
        self.head = head
        t = template_mesh()
        x, y = t.rest[:, 0], t.rest[:, 1]
        self._fields = _fields(x, y)
        self._jaw = _jaw_weights()
        reach = np.where(t.lid_upper, 0.8, 0.6)
        self._lid = np.clip(1 - np.maximum(t.lid_gap, 0) / reach, 0, 1) ** 0.9
        self._lid *= t.rest[:, 2] > -3
        opening = np.zeros((2, len(x)))  # 0 in the middle, which is on neither side
        half = t.lid_rings.shape[2] // 2
        for eye, sign in ((0, 1.0), (1, -1.0)):
            ring = t.lid_rings[eye, 1]
            over, under = ring[: half + 1], np.append(ring[half:], ring[0])[::-1]
            for row, part in enumerate((over, under)):
                height = np.interp(x * sign, x[part] * sign, head.points[part, 1])
                opening[row] = np.where(x * sign > 0, height, opening[row])
        self._gap = opening[0] - opening[1]

    def moved(self, e: Expression) -> Array:
        """The vertices (N, 3) with expression ``e``."""
        t = template_mesh()
        amounts = {
            "smile": max(e.smile, 0.0),
            "sad": max(-e.smile, 0.0),
            "pucker": e.pucker,
            "upper_lip": e.upper_lip,
            "lower_lip": e.lower_lip,
            "brow_raise": e.brow_raise,
            "frown": e.frown,
        }
        points = self.head.points.copy()
        for name, amount in amounts.items():
            if amount:
                points += amount * self._fields[name]
        angle = e.jaw * JAW_RANGE * self._jaw
        points = rotate_x(points, JAW_PIVOT, angle)
        # The upper lid follows the gaze up and down.
        follow = float(np.clip(-e.gaze_pitch / 30.0, -0.3, 0.6)) * 0.75
        for side, blink in ((1.0, e.blink_left), (-1.0, e.blink_right)):
            shut = max(blink, blink + follow * (1 - max(blink, 0.0)))
            shut = min(shut, 1.0) if blink >= 0 else blink + follow
            upper = -0.9 * shut * self._gap
            lower = (0.1 * max(shut, 0.0) + 0.22 * e.squint * (1 - max(shut, 0.0))) * self._gap
            move = np.where(t.lid_upper, upper, lower) * self._lid
            points[:, 1] += np.where(t.rest[:, 0] * side > 0, move, 0.0)
        return fit_lids_to_eyes(self.head, points)


def rotate_x(points: Array, pivot: Array, angle: Array | float) -> Array:
    """Rotate ``points`` (N, 3) about the x axis through ``pivot``; positive is downwards.

    ``angle`` is in radians, one for all or (N,).
    """
    p = points - pivot
    c, s = np.cos(angle), np.sin(angle)
    y = p[:, 1] * c - p[:, 2] * s
    z = p[:, 1] * s + p[:, 2] * c
    return np.stack([points[:, 0], y + pivot[1], z + pivot[2]], -1)


def _jaw_weights() -> Array:
    """Skinning weight of the jaw: 1 on lower lip and chin, 0 on the skull."""
    t = template_mesh()
    ax, y = np.abs(t.rest[:, 0]), t.rest[:, 1]
    above = y - STOMION - np.maximum(0, ax - MOUTH_CORNER) * 1.0
    soft = 0.16 + 0.8 * np.maximum(0, ax - 2.0)
    weight = np.clip((soft - above) / (2 * soft), 0, 1)
    weight = weight * weight * (3 - 2 * weight)
    # Elliptic weights along the lips give a round open mouth.
    share = 0.5 * np.sqrt(np.maximum(0, 1 - (ax / (MOUTH_CORNER + 0.05)) ** 2))
    weight = np.where(t.lip < 1, 0.5 - np.where(t.lip_upper, share, -share), weight)
    weight *= smooth_step(-16.0, -12.3, t.chart[:, 1])
    return np.asarray(weight * smooth_step(-9.0, -4.5, t.rest[:, 2]))


def _fields(x: Array, y: Array) -> dict[str, Array]:
    """Blend shapes: displacements (N, 3) at full strength."""
    t = template_mesh()
    ax, sign = np.abs(x), np.sign(x)
    front = smooth_step(-7.0, -3.0, t.rest[:, 2])
    up = np.where(t.lip_upper, 1.0, 0.0)

    def field(dx: Array, dy: Array, dz: Array) -> Array:
        return np.stack([sign * dx, dy, dz], -1) * front[:, None]

    corner = bell(ax, y, 2.7, -6.9, 1.5, 1.25)
    cheek = bell(ax, y, 4.1, -3.3, 1.7, 1.4)
    fold_x = 2.2 + (-4.2 - y) * 0.42
    fold = np.exp(-(((ax - fold_x) / 0.3) ** 2)) * smooth_step(-8.0, -6.8, y)
    fold *= smooth_step(-3.9, -4.8, y)
    middle = bell(ax, y, 0.0, STOMION, 2.2, 1.3)
    lid = bell(ax, y, 3.2, -0.75, 1.5, 0.45)
    brow = bell(ax, y, 3.2, 2.3, 3.0, 1.2) + 0.55 * bell(ax, y, 0.4, 2.4, 1.2, 1.2)
    forehead = bell(ax, y, 0.0, 4.6, 6.0, 1.6)
    inner = bell(ax, y, 1.6, 2.1, 1.3, 1.1)
    around = bell(ax, y, 0.0, STOMION, 3.3, 1.9)
    red = bell(ax, y, 0.0, -6.2, 2.2, 0.9) * up
    low = bell(ax, y, 0.0, -7.7, 2.0, 0.95) * (1 - up)
    zero = np.zeros_like(x)
    return {
        "smile": field(
            0.62 * corner + 0.16 * cheek + 0.1 * middle * ax / 2,
            0.55 * corner + 0.4 * cheek + 0.1 * lid - 0.03 * middle,
            -0.5 * corner + 0.32 * cheek - 0.2 * fold - 0.16 * middle,
        ),
        "sad": field(0.05 * corner, -0.5 * corner, -0.05 * corner),
        "pucker": field(-0.4 * ax * around, 0.05 * middle, 0.75 * middle - 0.1 * cheek),
        "upper_lip": field(zero, 0.55 * red + 0.08 * cheek, -0.1 * red - 0.05 * fold),
        "lower_lip": field(zero, -0.55 * low, -0.06 * low),
        "brow_raise": field(zero, 0.75 * brow + 0.3 * forehead, 0.05 * brow),
        "frown": field(-0.3 * inner, -0.34 * inner, 0.16 * inner),
    }
