"""Skin painting: complexion, lips, brows, freckles, wrinkles, stubble, and clothes.

Positions and sizes are in centimetres on the base head; ``tint`` factors are linear RGB.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.identity import Identity
from faceswap.synthetic.noise import fractal_noise, smooth_noise
from faceswap.synthetic.uv import (
    MOUTH_CORNER,
    STOMION,
    UV_RANGE,
    Array,
    lid_margins,
    lip_borders,
    uv_of,
)
from faceswap.types import FloatImage, Floats


@dataclass
class Canvas:
    """Texture maps in UV space being painted. places (H, W, 3): a texel's point on the base head;
    albedo (H, W, 3) linear; shine (H, W); relief (H, W) in hundredths of a centimetre."""

    places: NDArray[np.float32]
    albedo: NDArray[np.float32]
    shine: FloatImage
    relief: FloatImage

    @classmethod
    def blank(cls, size: tuple[int, int], places: NDArray[np.float32]) -> "Canvas":
        """An empty canvas of ``size`` (H, W)."""
        return cls(
            places,
            np.zeros((*size, 3), np.float32),
            np.zeros(size, np.float32),
            np.zeros(size, np.float32),
        )

    @property
    def scale(self) -> float:
        """Texels per centimetre."""
        return float(self.albedo.shape[1] / (UV_RANGE[1] - UV_RANGE[0]))

    def front(self) -> tuple[FloatImage, FloatImage, FloatImage]:
        """|x|, y, and a soft mask of the front half, 0 to 1."""
        x, y, z = np.moveaxis(self.places, -1, 0)
        return np.abs(x), y, np.clip((z + 6.5) / 2.5, 0, 1)

    def blend(self, colour: tuple[float, float, float], share: Floats) -> None:
        """Blend ``colour`` over the albedo with opacity ``share`` (H, W)."""
        share = np.asarray(share, np.float32)
        self.albedo += (np.array(colour, np.float32) - self.albedo) * share[..., None]

    def tint(self, factor: tuple[float, float, float], share: Floats) -> None:
        """Multiply the albedo by ``factor`` with opacity ``share`` (H, W)."""
        share = np.asarray(share, np.float32)
        self.albedo *= 1 + share[..., None] * (np.array(factor, np.float32) - 1)


def _hump(x: Floats, y: Floats, cx: float, cy: float, sx: float, sy: float) -> FloatImage:
    return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2), np.float32)


def _ramp(edge0: float, edge1: float, x: Floats) -> FloatImage:
    t = np.clip((x - edge0) / (edge1 - edge0), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def complexion(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Skin tone, mottling, redness, pores, and shine of oily areas."""
    skin = person.skin
    size = c.shine.shape
    x, y, front = c.front()
    c.albedo[:] = np.array(skin.tone, np.float32)
    broad = fractal_noise(rng, (size[0], size[1]), 70, 5)
    fine = smooth_noise(rng, (size[0], size[1]), (2.2, 2.2))
    c.albedo *= (1 + 0.045 * broad + 0.018 * fine)[..., None]
    warm = _hump(x, y, 4.2, -3.0, 2.0, 1.8) + 0.8 * _hump(x, y, 0, -3.5, 1.3, 0.9)
    warm += 0.4 * _hump(x, y, 0, -10.2, 1.5, 1.0) + 0.5 * _hump(x, y, 1.5, -4.0, 0.8, 0.8)
    warm *= front * (1 + 0.35 * broad)
    c.tint((1.06, 0.72, 0.70), np.clip(warm * (0.15 + 0.6 * skin.redness), 0, 1))
    c.tint((1.0, 1.03, 0.92), _hump(x, y, 0, 5.0, 6.0, 2.0) * 0.5 * front)
    lower = _ramp(-7, -8.5, y) * _ramp(-14, -11, y)
    if person.hairs.beard != "none":
        c.tint((0.86, 0.92, 0.98), lower * front * 0.5)
    pores = _hump(x, y, 1.8, -3.3, 2.6, 2.2) + 0.5 * _hump(x, y, 0, 4.5, 4, 2) + 0.25
    c.relief += fine * (0.5 + 0.9 * pores) * 0.16
    c.relief += smooth_noise(rng, (size[0], size[1]), (5, 5)) * 0.12
    oily = _hump(x, y, 0, 4.5, 3.5, 2.0) + _hump(x, y, 0, -2.5, 1.0, 2.6)
    oily += 0.6 * _hump(x, y, 4.0, -2.2, 1.5, 1.2) + 0.5 * _hump(x, y, 0, -10, 1.4, 0.9)
    c.shine[:] = 0.14 + 0.3 * skin.shine * np.clip(oily, 0, 1) * (1 + 0.3 * fine)


def eyes_and_nose(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Lids, eye make-up, shadows under the eyes, nostrils."""
    skin = person.skin
    x, y, front = c.front()
    c.tint((0.72, 0.62, 0.68), _hump(x, y, 2.8, -1.05, 1.3, 0.5) * 0.75 * skin.under_eyes)
    c.tint((0.82, 0.74, 0.74), _hump(x, y, 1.6, 0.1, 0.6, 0.7) * 0.5)
    c.tint((0.9, 0.8, 0.8), _hump(x, y, 3.1, 0.75, 1.6, 0.45) * 0.4)
    upper, lower = lid_margins(x.astype(np.float64))
    gap_up, gap_low = (y - upper).astype(np.float32), (lower - y).astype(np.float32)
    near = _ramp(1.5, 1.75, x) * _ramp(4.85, 4.45, x) * front
    wing = _ramp(1.6, 2.6, x) * _ramp(5.0, 4.5, x)
    if skin.eyeshadow:
        shadow = _ramp(-0.1, 0.05, gap_up) * _ramp(0.85, 0.3, gap_up) * wing
        c.blend((0.09, 0.045, 0.05), shadow * 0.75 * skin.eyeshadow)
        c.blend(
            (0.02, 0.015, 0.015),
            _ramp(0.16, 0.05, gap_low) * _ramp(-0.1, 0, gap_low) * wing * 0.5 * skin.eyeshadow,
        )
    line = _ramp(-0.1, 0.0, gap_up) * _ramp(0.12, 0.04, gap_up) * near
    c.blend((0.03, 0.018, 0.015), line * (0.45 + 0.5 * person.hairs.lashes))
    under = _ramp(-0.1, 0.0, gap_low) * _ramp(0.09, 0.02, gap_low) * near
    c.tint((0.72, 0.5, 0.5), under * 0.6)
    c.tint((0.2, 0.14, 0.13), under * wing * 0.5 * person.hairs.lashes)
    fold = np.exp(-(((gap_up - 0.36) / 0.035) ** 2)) * near
    c.tint((0.6, 0.5, 0.48), fold.astype(np.float32) * 0.6 * (1 - 0.6 * person.shape.hooded))
    wide = 1 + 0.1 * person.shape.nose_width
    hole = _hump(x, y, 0.68 * wide, -4.17, 0.36 * wide, 0.17)
    c.blend((0.02, 0.008, 0.006), _ramp(0.35, 0.75, hole) * 0.95)
    crease = _hump(x, y, 2.05 * wide, -3.75, 0.16, 0.55)
    c.tint((0.66, 0.5, 0.47), crease * 0.6)


def lips(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Lip colour with fine creases, and the line between the lips."""
    skin = person.skin
    size = c.shine.shape
    x, y, _ = c.front()
    upper, line, lower = (a.astype(np.float32) for a in lip_borders(x.astype(np.float64)))
    over = y > line
    level = np.where(
        over,
        (y - line) / np.maximum(upper - line, 0.05),
        (line - y) / np.maximum(line - lower, 0.05),
    )
    inside = _ramp(1.06, 0.93 + 0.04 * skin.lipstick, level) * _ramp(2.62, 2.45, x)
    inside *= np.abs(y - STOMION) < 2
    creases = smooth_noise(rng, (size[0], size[1]), (26, 2.6))
    depth = np.where(over, 0.8, 1.0).astype(np.float32)
    colour = np.array(skin.lips, np.float32) * (depth * (1 + 0.09 * creases))[..., None]
    colour = colour * (0.82 + 0.18 * _ramp(0.0, 0.6, level))[..., None]
    strength = inside * (0.78 + 0.22 * skin.lipstick)
    c.albedo += (colour - c.albedo) * strength[..., None]
    c.relief += creases * inside * 0.9
    c.shine += inside * (0.25 + 0.45 * skin.lipstick)
    c.tint((0.35, 0.22, 0.22), _ramp(0.2, 0.06, np.abs(y - line)) * _ramp(2.7, 2.45, x))
    c.tint((0.7, 0.55, 0.52), _hump(x, y, MOUTH_CORNER + 0.1, STOMION - 0.02, 0.22, 0.2) * 0.7)
    c.tint((0.84, 0.76, 0.74), _hump(x, y, 0, -8.5, 1.3, 0.28) * 0.5)


def _texels(c: Canvas, x: Array, y: Array) -> NDArray[np.int32]:
    """Texels (N, 2) of points at (x, y) from the front, in 1/8, OpenCV's sub-pixel drawing unit."""
    s, v = uv_of(x, y)
    place = np.stack([(s - UV_RANGE[0]) * c.scale, (UV_RANGE[3] - v) * c.scale], -1)
    return np.asarray(np.round(place * 8), np.int32)


def marks(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Freckles and moles."""
    size = (c.shine.shape[0], c.shine.shape[1])
    skin = person.skin
    if skin.freckles:
        count = int(700 * skin.freckles)
        x = rng.normal(0, 3.4, count)
        y = -2.3 + rng.normal(0, 1.9, count) + 0.12 * np.abs(x)
        keep = (np.abs(x) < 6.3) & (y > -9) & (y < 6)
        x, y = x[keep], y[keep]
        layer = np.zeros(size, np.float32)
        for (u, v), r, a in zip(
            _texels(c, x, y),
            rng.uniform(0.9, 2.9, len(x)),
            rng.uniform(0.2, 0.75, len(x)),
            strict=True,
        ):
            cv2.circle(layer, (int(u), int(v)), round(float(r) * 8), float(a), -1, cv2.LINE_AA, 3)
        soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.9), np.float32)
        c.tint((0.66, 0.46, 0.34), soft)
    layer = np.zeros(size, np.float32)
    x = rng.permutation(np.linspace(-4.8, 4.8, skin.moles)) + rng.normal(0, 0.5, skin.moles)
    y = rng.permutation(np.linspace(-8.5, 4.5, skin.moles)) + rng.normal(0, 0.6, skin.moles)
    y = np.where((np.abs(y) < 1.6) & (np.abs(x) < 5), y - 3.0, y)
    for (u, v), r in zip(_texels(c, x, y), rng.uniform(1.5, 2.9, skin.moles), strict=True):
        cv2.circle(layer, (int(u), int(v)), round(float(r) * 8), 0.9, -1, cv2.LINE_AA, 3)
    layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.8), np.float32)
    c.tint((0.22, 0.15, 0.12), layer)
    c.relief += layer * 5


def wrinkles(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Wrinkles: forehead, frown lines, crow's feet, nasolabial folds, mouth corners, lower lids."""
    strength = person.skin.wrinkles
    if strength <= 0:
        return
    layer = np.zeros((c.shine.shape[0], c.shine.shape[1]), np.float32)

    def line(x: Array, y: Array, width: int, depth: float) -> None:
        for side in (1.0, -1.0):
            jitter = np.cumsum(rng.normal(0, 0.012, len(x)))
            place = _texels(c, x * side, y + jitter)
            one = np.zeros_like(layer)
            cv2.polylines(one, [place.reshape(-1, 1, 2)], False, depth, width, cv2.LINE_AA, 3)
            np.maximum(layer, one, out=layer)

    t = np.linspace(0, 1, 24)
    for y, far, depth in ((3.45, 3.6, 0.4), (4.3, 4.3, 0.55), (5.15, 3.2, 0.35)):
        line(t * far, y + 0.22 * np.sin(t * 2.6) - 0.35 * t**3, 4, depth)
    line(0.55 + 0.1 * t, 1.3 + 1.2 * t, 3, 0.4)
    for turn in (-0.35, 0.0, 0.35):
        line(4.85 + 1.0 * t, 0.05 + 0.75 * turn * (0.4 + t), 3, 0.35)
    line(1.95 + 1.3 * t**1.2, -3.9 - 3.1 * t, 5, 0.6)
    line(2.95 + 0.35 * t, -7.4 - 1.6 * t, 4, 0.3)
    line(1.9 + 2.1 * t, -0.75 - 0.55 * np.sin(np.pi * t * 0.8), 4, 0.45)
    line(2.0 + 2.4 * t, -1.15 - 0.5 * np.sin(np.pi * t * 0.8), 3, 0.25)
    soft = cv2.GaussianBlur(layer, (0, 0), 2.2) + 0.9 * cv2.GaussianBlur(layer, (0, 0), 6.0)
    groove = np.asarray(soft, np.float32) * np.float32(strength)
    c.relief -= groove * 6.0
    c.tint((0.6, 0.48, 0.44), np.clip(groove * 0.8, 0, 0.9))


def brows(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Brows, drawn hair by hair."""
    hairs = person.hairs
    layer = np.zeros((c.shine.shape[0], c.shine.shape[1]), np.float32)
    thick = 1 + 0.45 * hairs.brow_thickness
    count = int(330 * (0.35 + 0.65 * hairs.brow_density) * thick)
    lift = 0.25 * hairs.brow_height
    for side in (1.0, -1.0):
        t = rng.beta(1.15, 1.2, count)
        across = rng.uniform(-0.5, 0.5, count)
        top = np.interp(t, [0, 0.33, 0.62, 0.84, 1], [2.2, 2.4, 2.45, 2.12, 1.52])
        arch = 0.28 * hairs.brow_arch * np.sin(np.pi * np.clip(t * 1.15 - 0.15, 0, 1)) ** 2
        wide = np.interp(t, [0, 0.15, 0.5, 1], [0.62, 0.78, 0.62, 0.2]) * thick
        x0 = 1.25 + 4.45 * t
        y0 = top + arch + lift - 0.42 + across * wide
        lean = np.interp(t, [0, 0.2, 0.6, 1], [80, 45, 12, -28]) + rng.normal(0, 9, count)
        lean = np.deg2rad(lean - across * 40)
        length = rng.uniform(0.35, 0.62, count) * np.interp(t, [0, 0.3, 1], [0.8, 1, 0.75])
        start = _texels(c, x0 * side, y0)
        end = _texels(c, (x0 + np.cos(lean) * length) * side, y0 + np.sin(lean) * length * 0.8)
        for a, b, w in zip(start, end, rng.uniform(0.45, 0.95, count), strict=True):
            one = (int(a[0]), int(a[1])), (int(b[0]), int(b[1]))
            cv2.line(layer, *one, float(w) * (0.35 + 0.65 * hairs.brow_density), 1, cv2.LINE_AA, 3)
    under = np.asarray(cv2.GaussianBlur(layer, (0, 0), 5.0), np.float32)
    c.blend(hairs.brow_colour, np.clip(under * 0.75 * hairs.brow_density, 0, 0.8))
    c.blend(hairs.brow_colour, np.clip(layer, 0, 0.95))
    c.relief += layer * 3
    c.shine *= 1 - 0.5 * np.clip(layer + under, 0, 1)


def stubble(c: Canvas, person: Identity, density: FloatImage, rng: np.random.Generator) -> None:
    """Stubble: darken the skin under beard and hair of ``density`` (H, W)."""
    hairs = person.hairs
    _, y, front = c.front()
    soft = np.asarray(cv2.GaussianBlur(density, (0, 0), 4.0), np.float32)
    beard = (y < -4.4) & (front > 0)
    dots = smooth_noise(rng, (density.shape[0], density.shape[1]), (1.8, 1.8))
    if hairs.beard == "stubble":
        soft = np.asarray(cv2.GaussianBlur(density, (0, 0), 9.0), np.float32) * np.float32(1.9)
    c.blend(hairs.beard_colour, np.where(beard, soft * np.clip(0.55 + 0.25 * dots, 0, 0.9), 0))
    if hairs.style != "bald":
        c.blend(hairs.colour, np.where(beard, 0, np.clip(soft * 1.2, 0, 0.9)))
    c.shine *= 1 - 0.7 * np.clip(soft, 0, 1)


def clothes(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """A plain knitted top with a round neck."""
    size = (c.shine.shape[0], c.shine.shape[1])
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    v = UV_RANGE[3] - rows / c.scale
    s = UV_RANGE[0] + np.arange(size[1], dtype=np.float32)[None] / c.scale
    edge = -17.6 - 2.2 * np.exp(-((s / 4.5) ** 2))
    cloth = _ramp(0.0, -0.12, np.broadcast_to(v, size) - edge)
    knit = 1 + 0.12 * np.sin(s * 34) * np.sin(v * 26) + 0.08 * fractal_noise(rng, size, 90, 3)
    seam = 1 - 0.35 * np.exp(-(((v - edge + 0.45) / 0.07) ** 2))
    colour = np.array(person.clothes, np.float32) * (knit * seam)[..., None]
    c.albedo += (colour - c.albedo) * cloth[..., None]
    c.shine *= 1 - 0.95 * cloth
