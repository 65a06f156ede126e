"""Skin painting: complexion, lips, brows, freckles, wrinkles, stubble, and clothes.

Positions and sizes are in centimetres on the base head; ``tint`` factors are linear RGB.
"""

import cv2
import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.canvas import Canvas, beard_ground, ramp
from faceswap.synthetic.facial_hair import brow_course
from faceswap.synthetic.hair import scalp
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.noise import noise_window
from faceswap.synthetic.uv import MOUTH_CORNER, STOMION, Array
from faceswap.types import FloatImage


def complexion(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Skin tone, mottling, redness, pores, and shine of oily areas."""
    skin, g = person.skin, c.ground
    y, cm = g.y, g.scale
    c.albedo[:] = np.array(skin.tone, np.float32)[:, None, None]
    broad = noise_window(rng, g.size, (2.2 * cm, 2.2 * cm), 5)
    blood = noise_window(rng, g.size, (1.1 * cm, 1.1 * cm), 4)
    fine = noise_window(rng, g.size, (max(1.0, 0.07 * cm),) * 2)
    c.albedo *= 1 + 0.05 * broad + 0.014 * fine
    c.tint((1.03, 0.78, 0.74), np.clip(0.45 + 0.3 * blood, 0, 1) * (0.35 + 0.4 * skin.redness))
    warm = g.spot(4.0, -3.2, 2.3, 2.0) + 0.9 * g.spot(0, -3.6, 1.5, 1.0)
    warm += 0.4 * g.spot(0, -10.2, 1.6, 1.0) + 0.5 * g.spot(1.5, -4.0, 0.9, 0.9)
    warm *= g.front * (0.75 + 0.45 * blood)
    c.tint((1.03, 0.76, 0.74), np.clip(warm * (0.1 + 0.42 * skin.redness), 0, 1))
    if skin.blush:
        c.tint((1.06, 0.6, 0.62), g.spot(4.6, -2.6, 1.6, 1.2) * g.front * 0.5 * skin.blush)
    c.tint((1.0, 1.03, 0.92), g.spot(0, 5.0, 6.0, 2.0) * 0.5 * g.front)
    c.tint((0.86, 0.88, 0.9), ramp(-11.0, -13.0, y) * 0.3)
    if person.hairs.beard != "none" or skin.shade_of_beard:
        area = beard_ground(g.scale, "full")
        shade = skin.shade_of_beard + 0.35 * (person.hairs.beard != "none")
        c.tint((0.62, 0.70, 0.78), area * min(0.8, shade))
    pores = g.spot(1.8, -3.3, 2.6, 2.2) + 0.5 * g.spot(0, 4.5, 4, 2) + 0.25
    coarse = 0.7 + 0.8 * skin.wrinkles
    c.relief += fine * (0.5 + 0.9 * pores) * 0.1 * coarse
    c.relief += noise_window(rng, g.size, (max(1.0, 0.16 * cm),) * 2) * 0.14 * coarse
    c.relief += noise_window(rng, g.size, (0.5 * cm, 0.5 * cm)) * 0.45 * coarse
    oily = g.spot(0, 4.5, 3.5, 2.0) + g.spot(0, -2.5, 1.0, 2.6)
    oily += 0.6 * g.spot(4.0, -2.2, 1.5, 1.2) + 0.5 * g.spot(0, -10, 1.4, 0.9)
    c.shine[:] = (0.16 + 0.34 * skin.shine * np.clip(oily + 0.15, 0, 1)) * (1 + 0.25 * fine)


def eyes_and_nose(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Lids, eye make-up, shadows under the eyes, nostrils."""
    skin, g = person.skin, c.ground
    x, over, under = g.x, g.over_lid, g.under_lid
    c.tint((0.72, 0.64, 0.70), g.spot(2.8, -1.15, 1.5, 0.55) * 0.85 * skin.under_eyes)
    c.tint((0.84, 0.76, 0.76), g.spot(1.7, 0.1, 0.5, 0.6) * 0.4)
    c.tint((0.88, 0.79, 0.79), g.spot(3.1, 0.75, 1.7, 0.5) * (0.3 + 0.5 * skin.under_eyes))
    wing = ramp(1.6, 2.6, x) * ramp(5.0, 4.5, x)
    if skin.eyeshadow:
        shadow = ramp(-0.1, 0.05, over) * ramp(0.85, 0.3, over) * wing
        tint = np.array([0.09, 0.05, 0.055]) * np.exp(rng.normal(0, 0.5, 3))
        c.blend(tint.astype(np.float32), shadow * 0.7 * skin.eyeshadow)
        low = ramp(0.16, 0.05, under) * ramp(-0.1, 0, under) * wing
        c.blend((0.02, 0.015, 0.015), low * 0.5 * skin.eyeshadow)
    line = ramp(-0.1, 0.0, over) * ramp(0.12, 0.04, over) * g.near_lid
    c.tint((0.3, 0.22, 0.2), line * (0.35 + 0.6 * person.hairs.lashes))
    edge = ramp(-0.1, 0.0, under) * ramp(0.09, 0.02, under) * g.near_lid
    c.tint((0.82, 0.6, 0.6), edge * 0.6)
    c.tint((0.3, 0.22, 0.2), edge * wing * 0.35 * person.hairs.lashes)
    fold = np.exp(-(((over - 0.36) / 0.045) ** 2)) * g.near_lid
    c.tint((0.62, 0.52, 0.5), fold * 0.55 * (1 - 0.6 * max(0.0, person.shape.hooded)))
    wide = 1 + 0.1 * person.shape.nose_width
    hole = g.spot(0.68 * wide, -4.17, 0.38 * wide, 0.19)
    c.blend((0.02, 0.008, 0.006), ramp(0.35, 0.8, hole) * 0.92)
    crease = g.spot(2.05 * wide, -3.75, 0.18, 0.55)
    c.tint((0.7, 0.55, 0.52), crease * 0.5)


def lips(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Lip colour with fine creases, and the line between the lips."""
    skin, g = person.skin, c.ground
    x, y, level = g.x, g.y, g.lip
    near = (np.abs(y - STOMION) < 2) & (g.front > 0)
    border = 1.0 + 0.05 * noise_window(rng, g.size, (0.5 * g.scale, 0.35 * g.scale))
    soft = 0.16 - 0.1 * skin.lipstick
    inside = ramp(1.0 + soft * 0.5, 1.0 - soft, level / border) * ramp(2.62, 2.4, x) * near
    creases = noise_window(rng, g.size, (0.8 * g.scale, max(1.0, 0.08 * g.scale)))
    depth = np.where(g.upper_lip, 0.82, 1.0).astype(np.float32)
    shade = depth * (1 + 0.1 * creases) * (0.8 + 0.2 * ramp(0.0, 0.6, level))
    colour = np.array(skin.lips, np.float32)[:, None, None] * shade
    c.blend(colour, inside * (0.7 + 0.3 * skin.lipstick))
    c.zone[(level < 1.0) & near & (x < 2.58)] = int(Label.LIPS)
    c.relief += creases * inside * 1.1
    c.shine += inside * (0.28 + 0.45 * skin.lipstick)
    line = np.abs(np.where(near, level, 9.0))
    c.tint((0.4, 0.26, 0.26), ramp(0.16, 0.04, line) * ramp(2.7, 2.45, x))
    c.tint((0.72, 0.58, 0.55), g.spot(MOUTH_CORNER + 0.1, STOMION - 0.02, 0.24, 0.22) * 0.6)
    c.tint((0.86, 0.78, 0.76), g.spot(0, -8.5, 1.3, 0.28) * 0.4)


def marks(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Freckles, moles, spots of age, and small blemishes."""
    skin, cm = person.skin, c.ground.scale
    count = int(500 * skin.freckles)
    x = rng.normal(0, 3.4, count)
    y = -2.3 + rng.normal(0, 1.9, count) + 0.12 * np.abs(x)
    _dots(
        c, x, y, rng.uniform(0.03, 0.085, count), rng.uniform(0.2, 0.75, count), (0.66, 0.46, 0.34)
    )
    old = int(max(0.0, skin.wrinkles - 0.5) * 40)
    x, y = rng.uniform(-6, 6, old), rng.uniform(-6, 7, old)
    _dots(c, x, y, rng.uniform(0.06, 0.25, old), rng.uniform(0.2, 0.6, old), (0.7, 0.55, 0.45))
    sore = int(rng.poisson(2.5 * skin.redness))
    x, y = rng.uniform(-5, 5, sore), rng.uniform(-10, 5.5, sore)
    _dots(c, x, y, rng.uniform(0.07, 0.18, sore), rng.uniform(0.2, 0.6, sore), (1.0, 0.6, 0.56))
    x = rng.permutation(np.linspace(-4.8, 4.8, skin.moles)) + rng.normal(0, 0.5, skin.moles)
    y = rng.permutation(np.linspace(-8.5, 4.5, skin.moles)) + rng.normal(0, 0.6, skin.moles)
    y = np.where((np.abs(y) < 1.6) & (np.abs(x) < 5), y - 3.0, y)
    layer = _dots(
        c, x, y, rng.uniform(0.05, 0.1, skin.moles), np.full(skin.moles, 0.9), (0.22, 0.15, 0.12)
    )
    c.relief += layer * 0.15 * cm


def _dots(
    c: Canvas, x: Array, y: Array, radius: Array, share: Array, factor: tuple[float, float, float]
) -> FloatImage:
    """Tint round spots of ``radius`` centimetres; returns their mask."""
    layer = np.zeros(c.ground.size, np.float32)
    if len(x) == 0:
        return layer
    for (u, v), r, a in zip(c.texels(x, y), radius * c.ground.scale * 8, share, strict=True):
        cv2.circle(layer, (int(u), int(v)), max(5, round(float(r))), float(a), -1, cv2.LINE_AA, 3)
    layer = np.asarray(
        cv2.GaussianBlur(layer, (0, 0), max(0.4, 0.028 * c.ground.scale)), np.float32
    )
    c.tint(factor, layer)
    return layer


def wrinkles(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Wrinkles: forehead, frown lines, crow's feet, nasolabial folds, mouth corners, lids, neck."""
    strength = person.skin.wrinkles
    if strength <= 0:
        return
    layer = np.zeros(c.ground.size, np.float32)
    cm = c.ground.scale

    def line(x: Array, y: Array, width: float, depth: float) -> None:
        for side in (1.0, -1.0):
            jitter = np.cumsum(rng.normal(0, 0.016, len(x)))
            place = c.texels(x * side, y + jitter)
            thick = max(1, round(width * cm))
            deep = depth * float(np.clip(rng.normal(1, 0.35), 0.2, 1.8))
            cv2.polylines(layer, [place.reshape(-1, 1, 2)], False, deep, thick, cv2.LINE_AA, 3)

    t = np.linspace(0, 1, 24)
    for y, far, depth in ((3.45, 3.6, 0.4), (4.3, 4.3, 0.55), (5.15, 3.2, 0.35)):
        wavy = 0.1 * np.sin(t * 6 + rng.uniform(0, 6))
        line(
            t * far * rng.uniform(0.7, 1.1),
            y + 0.22 * np.sin(t * 2.6) - 0.35 * t**3 + wavy,
            0.1,
            depth,
        )
    line(0.55 + 0.1 * t, 1.3 + 1.2 * t, 0.09, 0.4)
    for turn in (-0.4, 0.0, 0.4):
        line(4.85 + 1.0 * t, 0.05 + 0.75 * turn * (0.4 + t), 0.08, 0.35)
    line(1.95 + 1.3 * t**1.2, -3.9 - 3.1 * t, 0.15, 0.6)
    line(2.95 + 0.35 * t, -7.4 - 1.6 * t, 0.12, 0.35)
    line(1.9 + 2.1 * t, -0.75 - 0.55 * np.sin(np.pi * t * 0.8), 0.12, 0.45)
    line(2.0 + 2.4 * t, -1.15 - 0.5 * np.sin(np.pi * t * 0.8), 0.08, 0.3)
    if strength > 0.5:
        for x0 in np.linspace(-1.6, 1.6, 9):
            up = 0.5 + 0.3 * float(rng.random())
            line(x0 + 0.06 * t, -5.9 + up * t, 0.05, 0.18)
    soft = cv2.GaussianBlur(layer, (0, 0), 0.07 * cm) + 0.9 * cv2.GaussianBlur(
        layer, (0, 0), 0.2 * cm
    )
    groove = np.asarray(soft, np.float32) * np.float32(strength)
    c.relief -= groove * 6.5
    c.tint((0.64, 0.5, 0.46), np.clip(groove * 0.65, 0, 0.8))


def brows(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """The ground under the brows, on which the single hairs stand."""
    hairs = person.hairs
    layer = np.zeros(c.ground.size, np.float32)
    for side in (1.0, -1.0):
        t = np.linspace(0.0, 1.0, 16)
        x, y, wide = brow_course(hairs, t)
        edge = np.concatenate([y + 0.42 * wide, (y - 0.42 * wide)[::-1]])
        place = c.texels(np.concatenate([x, x[::-1]]) * side, edge)
        cv2.fillPoly(layer, [place.reshape(-1, 1, 2)], 1.0, cv2.LINE_AA, 3)
    c.zone[layer > 0.5] = int(Label.BROWS)
    under = np.asarray(cv2.GaussianBlur(layer, (0, 0), 0.13 * c.ground.scale), np.float32)
    c.blend(hairs.brow_colour, under * np.float32(0.32 + 0.3 * hairs.brow_density))
    c.shine *= 1 - 0.6 * np.clip(under, 0, 1)


def stubble(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """Stubble, and the dark ground under beard and hair of the head."""
    hairs, g = person.hairs, c.ground
    wobble = noise_window(rng, g.size, (0.8 * g.scale, 0.8 * g.scale), 3) * np.float32(0.3)
    dots = noise_window(rng, g.size, (max(1.0, 0.06 * g.scale),) * 2)
    if hairs.beard != "none":
        kind = "full" if hairs.beard == "stubble" else hairs.beard
        area = beard_ground(g.scale, kind)
        area = np.clip(area + 4 * area * (1 - area) * wobble, 0, 1)
        strength = 0.42 if hairs.beard == "stubble" else 0.72
        c.blend(hairs.beard_colour, area * np.clip(strength * (0.75 + 0.35 * dots), 0, 0.9))
        if hairs.beard != "stubble":
            c.zone[(area > 0.45) & (c.zone == 0)] = int(Label.BEARD)
        c.shine *= 1 - 0.6 * area
    mask = scalp(hairs.cut, g.s.astype(np.float64), g.v + wobble.astype(np.float64))
    mask = mask.astype(np.float32)
    opaque = 0.55 + 0.35 * min(1.0, hairs.cut.density)
    c.blend(np.array(hairs.colour, np.float32) * np.float32(0.6),
            mask * np.clip(opaque * (0.9 + 0.2 * dots), 0, 0.95))  # fmt: skip
    c.zone[(mask > 0.5) & (c.zone == 0)] = int(Label.HAIR)
    c.shine *= 1 - 0.85 * mask


def clothes(c: Canvas, person: Identity, rng: np.random.Generator) -> None:
    """A top: round neck or collar, knitted, striped, checked or of mixed yarn."""
    wear, g = person.wear, c.ground
    s, v = g.s, g.v
    edge = -17.2 - 2.6 * np.exp(-((s / 4.8) ** 2)) + 2.4 * wear.collar
    cloth = ramp(0.0, -0.12, v - edge)
    knit = (
        1
        + 0.12 * np.sin(s * 34) * np.sin(v * 26)
        + 0.1 * noise_window(rng, g.size, (2.5 * g.scale, 2.5 * g.scale), 4)
    )
    seam = 1 - 0.35 * np.exp(-(((v - edge + 0.45) / 0.09) ** 2))
    share = np.zeros(g.size, np.float32)
    if wear.pattern == "stripes":
        share = (np.sin(v * 3.2 + 0.3) <= 0.1).astype(np.float32)
    elif wear.pattern == "checks":
        share = (0.5 * (np.sin(v * 2.6) > 0.3) + 0.5 * (np.sin(s * 2.6) > 0.3)).astype(np.float32)
    elif wear.pattern == "melange":
        share = np.clip(0.5 + 0.5 * noise_window(rng, g.size, (1.5, 3.0)), 0, 1)
    shade = np.asarray(knit * seam, np.float32)
    two = zip(person.clothes, wear.second, strict=True)
    c.blend(np.stack([(a + (b - a) * share) * shade for a, b in two]), cloth)
    c.relief += cloth * np.sin(s * 20) * 0.4
    c.shine *= 1 - 0.95 * cloth
    c.zone[cloth > 0.5] = int(Label.CLOTH)
