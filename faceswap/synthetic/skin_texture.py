"""Texture atlas of a person: albedo, shine, bump map and zones.

On the left the head in UV space (see ``uv``), on the right patches of the small parts. It is
painted once per person.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic import skin_details
from faceswap.synthetic.canvas import Canvas, head_size
from faceswap.synthetic.identity import Identity
from faceswap.synthetic.noise import noise_window
from faceswap.synthetic.shading import Paint
from faceswap.synthetic.uv import UV_RANGE, Array

SCALE = 24.0
"""Texels per centimetre for pictures of some hundred pixels."""
_SIDE = 160
PATCHES = {"eye": (0, _SIDE, _SIDE), "teeth": (_SIDE, _SIDE, 80), "white": (_SIDE + 80, _SIDE, 16)}
"""Row, width and height of each part's patch, right of the head's map."""


@dataclass(frozen=True)
class Atlas:
    """Texture maps at ``scale`` texels per centimetre of the head's map."""

    paint: Paint
    scale: float

    def texel(self, chart: Array) -> Array:
        """Coordinates (N, 2) in texels of UV points (N, 2)."""
        across = (chart[:, 0] - UV_RANGE[0]) * self.scale
        return np.stack([across, (UV_RANGE[3] - chart[:, 1]) * self.scale], -1)

    def patch_texel(self, name: str, uv: Array) -> Array:
        """Coordinates (N, 2) in texels of uv (N, 2) from 0 to 1 in a part's patch."""
        # Inside by 1 and 2 texels: bilinear interpolation must not reach the next patch.
        row, width, height = PATCHES[name]
        inner = np.clip(uv, 0, 1) * [width - 3, height - 3] + 1
        return np.asarray(inner + np.array([head_size(self.scale)[1], row]))


def paint_skin(person: Identity, scale: float = SCALE) -> Atlas:
    """Paint the atlas of ``person``, deterministic by its seed. scale: at least 8."""
    rng = np.random.default_rng(person.seed)
    rows, columns = head_size(scale)
    canvas = Canvas.blank(scale)
    skin_details.complexion(canvas, person, rng)
    skin_details.eyes_and_nose(canvas, person, rng)
    skin_details.marks(canvas, person, rng)
    skin_details.wrinkles(canvas, person, rng)
    skin_details.lips(canvas, person, rng)
    skin_details.brows(canvas, person, rng)
    skin_details.stubble(canvas, person, rng)
    skin_details.clothes(canvas, person, rng)
    colour = np.zeros((rows, columns + _SIDE, 4), np.float32)
    relief = np.zeros((rows, columns + _SIDE), np.float32)
    zone = np.zeros((rows, columns + _SIDE), np.uint8)
    left = (columns - canvas.relief.shape[1]) // 2
    middle = slice(left, left + canvas.relief.shape[1])
    colour[:, middle, :3] = np.clip(canvas.albedo, 0.003, 0.95).transpose(1, 2, 0)
    colour[:, middle, 3] = canvas.shine
    relief[:, middle] = canvas.relief
    zone[:, middle] = canvas.zone
    for layer in (colour, relief, zone):
        layer[:, : middle.start] = layer[:, middle.start : middle.start + 1]
        layer[:, middle.stop : columns] = layer[:, middle.stop - 1 : middle.stop]
    pictures = {"eye": _eye(person, rng), "teeth": _teeth(), "white": np.full((16, _SIDE, 4), 1.0)}
    pictures["white"][..., 3] = 0.3
    for name, picture in pictures.items():
        row, width, height = PATCHES[name]
        colour[row : row + height, columns : columns + width] = picture
    return Atlas(Paint(colour, relief, zone), scale)


def _eye(person: Identity, rng: np.random.Generator) -> NDArray[np.float32]:
    _, width, height = PATCHES["eye"]
    theta, phi, v = _eye_ground()
    angles = ((phi / (2 * np.pi) + 0.5) * 255).astype(int)
    fibre = noise_window(rng, (64, 256), (6, 6), 3)
    ring = np.clip(theta / 0.52, 0, 1)
    fibres = fibre[(ring * 15).astype(int), angles]
    sclera = np.array([0.50, 0.46, 0.43], np.float32) * np.float32(rng.uniform(0.85, 1.1))
    veins = np.clip(noise_window(rng, (height, width), (18, 18), 4), 0, 2) * rng.uniform(0.02, 0.14)
    white = sclera * (1 - veins[..., None] * np.array([0.2, 1, 1], np.float32))
    white = white * (1 - 0.35 * np.clip((theta - 0.6) / 0.7, 0, 1))[..., None]
    iris = np.array(person.skin.iris, np.float32)
    shade = 0.6 + 0.3 * fibres + 0.35 * (1 - ring) - 0.15 * (v * 8)
    coloured = iris * np.clip(shade, 0.25, 2.2)[..., None]
    inner = np.exp(-(((theta - 0.25) / 0.08) ** 2))[..., None]
    coloured = coloured * (1 + 0.35 * inner * np.array([1.3, 1.0, 0.6], np.float32))
    limbus = _below(theta, 0.515, 0.02)
    dark = 1 - 0.75 * np.exp(-(((theta - 0.5) / 0.06) ** 2))[..., None]
    pupil = _below(theta, rng.uniform(0.15, 0.27), 0.012)
    eye = white * (1 - limbus) + coloured * dark * limbus
    eye = eye * (1 - pupil) + 0.004 * pupil
    shine = np.full((height, width, 1), 1.0, np.float32)
    return np.concatenate([eye, shine], -1).astype(np.float32)


@cache
def _eye_ground() -> tuple[Array, Array, Array]:
    """Angle from the pupil, angle around it, and height, at each texel of an eye's patch."""
    _, width, height = PATCHES["eye"]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5
    return np.hypot(u, v) * np.pi / 0.88, np.arctan2(v, u), v


@cache
def _teeth() -> NDArray[np.float32]:
    _, width, height = PATCHES["teeth"]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    # Incisors are wider than the teeth behind them.
    edges = np.array([0, 0.17, 0.31, 0.44, 0.57, 0.7, 0.84, 1.0], np.float32)
    gap = np.min(np.abs(np.abs(u[..., None]) - edges), -1)
    gum_line = 0.42 + 0.1 * np.cos(np.clip(gap / 0.07, 0, 1) * np.pi)
    tooth = np.array([0.74, 0.69, 0.58], np.float32) * (1 - 0.35 * np.abs(u) ** 2)[..., None]
    tooth = tooth * (1 - 0.6 * np.exp(-((gap / 0.014) ** 2)))[..., None]
    tooth = np.broadcast_to(tooth, (height, width, 3)) * (0.85 + 0.15 * v[..., None])
    gum = np.array([0.42, 0.16, 0.15], np.float32)
    share = _below(gum_line - v, 0.0, 0.015)
    picture = tooth * share + gum * (1 - share)
    shine = np.full((height, width, 1), 0.7, np.float32)
    return np.concatenate([picture, shine], -1).astype(np.float32)


def _below(x: NDArray[np.floating], edge: float, soft: float) -> NDArray[np.float32]:
    """Soft step, 1 where x (H, W) is under ``edge``, 0 over it: (H, W, 1)."""
    return np.asarray(0.5 - 0.5 * np.tanh((x - edge) / (2 * soft)), np.float32)[..., None]
