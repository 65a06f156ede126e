"""Hair: density maps, fur shells for short hair and beards, and sheets of long hair.

Short hair and beards are shells: copies of the skin offset along its normals, alpha-tested at a
density that rises from shell to shell, which thins each hair towards its tip (Lengyel et al.,
*Real-Time Fur over Arbitrary Surfaces*, 2001). Long hair adds curved sheets of strands.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.head_parts import Part, grid_faces
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.noise import fractal_noise, smooth_noise
from faceswap.synthetic.uv import UV_RANGE, Array, lip_borders
from faceswap.types import FloatImage

# UV coordinates, cm: hairline v at |s|, with a fringe of a bob; beard's upper edge y at |x|.
_LINE_S = (0.0, 2.5, 4.2, 5.5, 6.5, 7.3, 8.1, 8.9, 9.7, 10.6, 12.0, 15.0, 22.0)
_LINE_V = (6.0, 6.2, 6.5, 5.9, 4.4, 3.0, 1.4, -1.6, -2.2, 1.6, 0.2, -5.5, -6.8)
_BEARD_EDGE = (
    (0.0, 1.2, 2.2, 3.0, 4.2, 5.4, 6.4, 7.2),
    (-4.55, -4.65, -5.1, -6.1, -6.6, -5.6, -3.6, -0.5),
)
_FRINGE_V = (2.75, 2.8, 2.7, 2.4, 2.2, 2.0, 1.0, -1.6, -2.2, 1.6, 0.2, -5.5, -6.8)


@dataclass(frozen=True)
class Shells:
    """Shells of hair or beard: mask (N,) over the vertices, offset (L, N) of each shell in
    centimetres, and each shell's alpha-test level (L,)."""

    mask: Array
    lift: Array
    levels: tuple[float, ...]
    beard: bool


def _ramp(edge0: float, edge1: float, x: Array | FloatImage) -> Array:
    t = np.clip((np.asarray(x, np.float64) - edge0) / (edge1 - edge0), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t))


def scalp(style: str, s: Array, v: Array) -> Array:
    """Scalp hair mask at UV coordinates, 0 to 1."""
    line = np.interp(np.abs(s), _LINE_S, _FRINGE_V if style == "bob" else _LINE_V)
    if style == "parted":
        line = line - 0.25 * np.exp(-(((s + 2.5) / 2.0) ** 2))
    mask = _ramp(-0.25, 0.55, v - line)
    if style == "bald":
        mask = (
            mask
            * _ramp(3.4, 1.2, v - 0.18 * np.maximum(0, np.abs(s) - 9))
            * _ramp(7.6, 9.4, np.abs(s))
        )
    return mask


def beard(kind: str, place: Array) -> Array:
    """Beard mask at points (..., 3) of the base head, 0 to 1."""
    ax, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    if kind == "none":
        return np.zeros_like(ax)
    edge = np.interp(ax, *_BEARD_EDGE)
    full = _ramp(0.2, -0.35, y - edge) * _ramp(-9.2, -8.4, z)
    full = full * _ramp(-4.0, -1.5, z + 0.35 * y + 3)
    full = full * np.where(y < -11.3, _ramp(-5.0, -2.0, z), 1.0)
    full = full * np.where(y < -11.0, _ramp(-12.1, -11.3, y), 1.0)
    upper, _, lower = lip_borders(ax)
    over, under = y - upper, lower - y
    outside = np.maximum(_ramp(0.02, 0.14, over), _ramp(0.04, 0.18, under))
    outside = np.maximum(outside, _ramp(2.5, 2.7, ax))
    full = full * outside
    philtrum = 1 - 0.1 * np.exp(-((ax / 0.3) ** 2)) * (y > -6)
    bare = 1 - 0.8 * np.exp(-(((ax - 1.5) / 0.7) ** 2) - ((y + 8.3) / 0.45) ** 2)
    moustache = _ramp(3.3, 2.8, ax) * _ramp(-7.4, -6.7, y)
    if kind == "moustache":
        return np.asarray(full * moustache)
    if kind == "goatee":
        ring = np.hypot(ax / 3.15, (y + 8.1) / 3.9)
        return np.asarray(full * _ramp(1.0, 0.88, ring) * philtrum)
    return np.asarray(full * (0.25 + 0.75 * bare) * philtrum)


def hair_density(
    person: Identity, places: NDArray[np.float32], size: tuple[int, int], rng: np.random.Generator
) -> FloatImage:
    """Hair density map (H, W) in UV space: the masks modulated by strands."""
    hairs = person.hairs
    rows, columns = size
    scale = columns / (UV_RANGE[1] - UV_RANGE[0])
    s = UV_RANGE[0] + (np.arange(columns) + 0.5) / scale
    v = UV_RANGE[3] - (np.arange(rows) + 0.5) / scale
    wobble = fractal_noise(rng, size, 22, 3) * np.float32(0.28)
    mask = scalp(hairs.style, np.broadcast_to(s, size), v[:, None] + wobble)
    if hairs.style in ("cropped", "curly"):
        comb = smooth_noise(rng, size, (2.6, 2.6)) * np.float32(0.5)
        comb = comb + smooth_noise(rng, size, (7, 7)) * np.float32(0.25)
    else:
        comb = _combed(hairs.style, np.asarray(s, np.float64), np.asarray(v, np.float64), rng)
    growth = mask * (0.6 + 0.3 * comb) * (mask > 0.02)
    if hairs.beard != "none":
        # The mask is smooth: half the resolution is enough for it.
        noisy = places[::2, ::2].astype(np.float64)
        noisy[..., 1] += wobble[::2, ::2] * 0.7
        half = beard(hairs.beard, noisy).astype(np.float32)
        area = cv2.resize(half, (columns, rows), interpolation=cv2.INTER_LINEAR)
        fuzz = smooth_noise(rng, size, (7, 1.9)) * np.float32(0.5)
        fuzz = fuzz + smooth_noise(rng, size, (16, 6)) * np.float32(0.25)
        strength = 0.3 if hairs.beard == "stubble" else 0.74
        growth = np.maximum(growth, area * (strength + 0.38 * fuzz) * (area > 0.02))
    return np.asarray(np.clip(growth, 0, 1), np.float32)


def _combed(style: str, s: Array, v: Array, rng: np.random.Generator) -> FloatImage:
    """Streaks (H, W) along the direction of the hair, from the parting down to the sides."""
    parting = {"parted": -4.2, "long": 0.0, "bun": 0.0, "short": 3.6}.get(style)
    side, height = np.meshgrid(s, v)
    if parting is None:
        across, along = side * 34 * 0.9, height * 2.2
    else:
        across = (height + 0.085 * (side - parting) ** 2) * 30
        along = np.abs(side - parting) * 2.5
    source = smooth_noise(rng, (256, 2048), (6, 2.4)) * np.float32(0.42)
    source = source + smooth_noise(rng, (256, 2048), (10, 9)) * np.float32(0.3)
    maps = [np.asarray(m, np.float32) for m in (np.mod(across, 2047), np.mod(along, 255))]
    return np.asarray(cv2.remap(source, maps[0], maps[1], cv2.INTER_LINEAR), np.float32)


def strands(person: Identity, size: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    """Strand density map of a hair sheet: strands run down the rows and thin out at the end."""
    wavy = person.hairs.style == "curly"
    comb = smooth_noise(rng, size, (16, 4) if wavy else (220, 2.4)) * np.float32(0.5)
    comb = comb + smooth_noise(rng, size, (30, 14) if wavy else (400, 9)) * np.float32(0.35)
    v = np.linspace(0, 1, size[0])[:, None]
    u = np.linspace(0, 1, size[1])[None]
    body = _ramp(1.02, 0.8, v) * _ramp(0.0, 0.07, u) * _ramp(1.0, 0.93, u)
    return np.asarray(np.clip(body * (0.72 + 0.26 * comb), 0, 1), np.float32)


def shells(person: Identity, chart: Array, place: Array) -> list[Shells]:
    """Shells of hair and beard for vertices at UV ``chart`` (N, 2) and points ``place`` (N, 3)."""
    s, v = chart[:, 0], chart[:, 1]
    style = person.hairs.style
    found: list[Shells] = []
    mask = scalp(style, s, v)
    crown = _ramp(3.0, 9.0, v)
    thick = {
        "bald": 0.3 + 0 * v,
        "cropped": 0.28 + 0.12 * crown,
        "short": 0.4 + 1.1 * crown * (0.75 + 0.25 * np.tanh(3.6 - s)),
        "parted": 0.5 + 1.35 * crown * (1 - 0.55 * np.exp(-(((s + 4.2) / 1.0) ** 2))),
        "bob": 0.9 + 0.5 * crown,
        "long": 0.6 + 0.5 * crown,
        "curly": 1.3 + 0.8 * crown,
        "bun": 0.35 + 0.15 * crown,
    }[style]
    line = np.interp(np.abs(s), _LINE_S, _LINE_V)
    root = 0.1 * _ramp(0.0, 0.6, mask) + 0.9 * _ramp(-0.2, 3.2, v - line)
    if style == "bob":
        root = _ramp(0.0, 1.0, mask) ** 0.5
    if style == "curly":
        lump = (
            np.sin(place[:, 0] * 2.1 + 1)
            * np.sin(place[:, 1] * 2.3)
            * np.sin(place[:, 2] * 2.2 + 2)
        )
        thick = thick + 0.35 * lump
    count = 7 if style in ("short", "parted", "curly", "bob") else 5
    steps = np.linspace(0.12, 1, count)
    levels = tuple(float(x) for x in 0.12 + 0.5 * steps**1.6)
    found.append(Shells(mask, steps[:, None] * thick * root, levels, beard=False))
    kind = person.hairs.beard
    if kind not in ("none", "stubble"):
        length = {"moustache": 0.42, "goatee": 0.22, "full": 0.5}[kind]
        steps = np.linspace(0.15, 1, 5)
        levels = tuple(float(x) for x in 0.16 + 0.5 * steps**1.5)
        mask = beard(kind, place)
        found.append(Shells(mask, steps[:, None] * length * mask**0.5, levels, beard=True))
    return found


def long_hair_sheets(person: Identity) -> list[Part]:
    """Two-sided sheets of long hair around the head, or a bun, or none, by hair style."""
    style = person.hairs.style
    if style == "bun":
        return [_bun()]
    if style not in ("long", "bob", "curly"):
        return []
    ends = {"long": -18.5, "bob": -7.6, "curly": -10.5}[style]
    wide = {"long": 0.0, "bob": 0.35, "curly": 1.5}[style]
    return [_fall(ends, wide + lift, style, number) for number, lift in enumerate((0.0, 0.4, 0.75))]


def _fall(end: float, wide: float, style: str, number: int) -> Part:
    k, t = np.meshgrid(np.linspace(0, 1, 36), np.linspace(0, 1, 72), indexing="ij")
    y = 8.6 + (end + number * 0.5 - 8.6) * k
    half = np.interp(y, [-19, -13, -8, -3, 1, 5, 8.6], [6.9, 6.9, 7.4, 8.0, 8.15, 7.6, 5.4]) + wide
    depth = np.interp(y, [-19, -13, -8, -3, 1, 5, 8.6], [6.0, 6.3, 7.2, 8.5, 9.2, 9.2, 8.2]) + wide
    # Opening angle in front in radians by height: the hair frames the face, widest at the eyes.
    first = np.interp(y, [-19, -12, -7, -2, 2, 5, 8.6], [0.85, 0.85, 1.0, 1.12, 1.1, 0.92, 0.55])
    if style == "bob":
        first = np.interp(y, [-9, -6, -2, 2, 5, 8.6], [0.98, 1.0, 1.08, 1.05, 0.8, 0.35])
        half = half - 0.7 * _ramp(-5.5, -8.0, y)
    first = first + 0.05 * number
    angle = first + (2 * np.pi - 2 * first) * t
    if style == "curly":
        wave = np.sin(angle * 9 + y * 1.1 + number * 2) * np.cos(y * 1.5 + angle * 3)
        half, depth = half + 0.4 * wave, depth + 0.4 * wave
    else:
        wave = np.sin(angle * 13 + 2 * number) * 0.12 * _ramp(2, -8, y)
        half, depth = half + wave, depth + wave
    middle = np.interp(y, [-19, -8, 2, 8.6], [-8.6, -8.2, -7.6, -7.0])
    points = np.stack([half * np.sin(angle), y, middle + depth * np.cos(angle)], -1)
    faces = grid_faces(*k.shape)
    uv = np.stack([t, k], -1).reshape(-1, 2)
    both = np.concatenate([faces, faces[:, ::-1]])
    return Part(points.reshape(-1, 3), both, uv)


def _bun() -> Part:
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, 18), np.linspace(0, 2 * np.pi, 33), indexing="ij"
    )
    radius = 2.5 + 0.15 * np.sin(phi * 5 + theta * 4)
    points = np.stack(
        [
            radius * np.sin(theta) * np.cos(phi),
            11.6 + radius * 0.85 * np.cos(theta),
            -9.5 - radius * np.sin(theta) * np.sin(phi),
        ],
        -1,
    )
    uv = np.stack([0.1 + 0.8 * phi / (2 * np.pi), 0.1 + 0.5 * theta / np.pi], -1)
    faces = grid_faces(*theta.shape)
    return Part(points.reshape(-1, 3), faces, uv.reshape(-1, 2))
