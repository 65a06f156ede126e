"""Texture atlas of a person: albedo, shine, bump map and hair density.

On the left the head in UV space (see ``uv``), on the right patches of the small parts. It is
painted once per person.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic import skin_details
from faceswap.synthetic.hair import hair_density, strands
from faceswap.synthetic.identity import Colour, Identity
from faceswap.synthetic.noise import fractal_noise
from faceswap.synthetic.uv import UV_RANGE, Array, surface_point
from faceswap.types import FloatImage

SCALE = 32
"""Texels per centimetre of UV space."""
HEAD_SIZE = (round((UV_RANGE[3] - UV_RANGE[2]) * SCALE), round((UV_RANGE[1] - UV_RANGE[0]) * SCALE))
PATCHES = {
    "eye": (HEAD_SIZE[1], 0, 256, 256),
    "strands": (HEAD_SIZE[1], 256, 256, 512),
    "teeth": (HEAD_SIZE[1], 768, 256, 128),
    "ear": (HEAD_SIZE[1], 896, 256, 128),
    "lash": (HEAD_SIZE[1], 1024, 256, 64),
    "tongue": (HEAD_SIZE[1], 1088, 256, 128),
    "throat": (HEAD_SIZE[1], 1216, 256, 64),
}
"""Column, row, width and height of each part's patch."""
ATLAS_SIZE = (HEAD_SIZE[0], HEAD_SIZE[1] + 256)


@dataclass(frozen=True)
class Atlas:
    """Texture maps. colour (H, W, 4): linear albedo and shine; relief (H, W): bump map, height in
    hundredths of a centimetre; cut (H, W): hair density for the alpha test."""

    colour: NDArray[np.float32]
    relief: FloatImage
    cut: FloatImage


def texel(chart: Array) -> Array:
    """Atlas coordinates (N, 2) in texels of UV points (N, 2)."""
    return np.stack([(chart[:, 0] - UV_RANGE[0]) * SCALE, (UV_RANGE[3] - chart[:, 1]) * SCALE], -1)


def patch_texel(name: str, uv: Array) -> Array:
    """Atlas coordinates (N, 2) in texels of uv (N, 2) from 0 to 1 in a part's patch."""
    # Inside by 1 and 2 texels: bilinear interpolation must not reach the next patch.
    column, row, width, height = PATCHES[name]
    inner = np.clip(uv, 0, 1) * [width - 3, height - 3] + 1
    return np.asarray(inner + np.array([column, row]))


def paint_skin(person: Identity) -> Atlas:
    """Paint the atlas of ``person``, deterministic by its seed."""
    rng = np.random.default_rng(person.seed)
    colour = np.zeros((*ATLAS_SIZE, 4), np.float32)
    relief = np.zeros(ATLAS_SIZE, np.float32)
    cut = np.zeros(ATLAS_SIZE, np.float32)
    rows, columns = HEAD_SIZE
    head = skin_details.Canvas.blank(HEAD_SIZE, _places())
    skin_details.complexion(head, person, rng)
    skin_details.eyes_and_nose(head, person, rng)
    skin_details.lips(head, person, rng)
    skin_details.marks(head, person, rng)
    skin_details.wrinkles(head, person, rng)
    cut[:rows, :columns] = hair_density(person, head.places, HEAD_SIZE, rng)
    skin_details.brows(head, person, rng)
    skin_details.stubble(head, person, cut[:rows, :columns], rng)
    skin_details.clothes(head, person, rng)
    colour[:rows, :columns, :3] = np.clip(head.albedo, 0.003, 0.95)
    colour[:rows, :columns, 3] = head.shine
    relief[:rows, :columns] = head.relief
    for name, picture in _patches(person, rng).items():
        column, row, width, height = PATCHES[name]
        colour[row : row + height, column : column + width] = picture
    column, row, width, height = PATCHES["strands"]
    cut[row : row + height, column : column + width] = strands(person, (height, width), rng)
    column, row, width, height = PATCHES["lash"]
    cut[row : row + height, column : column + width] = _lash_cut(person, (height, width), rng)
    return Atlas(colour, relief, cut)


def _places() -> NDArray[np.float32]:
    """Point of each UV texel on the base head: (H, W, 3)."""
    rows, columns = HEAD_SIZE
    # Every fourth texel, then interpolation: the base surface is smooth at this scale.
    s = UV_RANGE[0] + (np.arange(0, columns, 4) + 1.5) / SCALE
    v = UV_RANGE[3] - (np.arange(0, rows, 4) + 1.5) / SCALE
    grid = surface_point(np.tile(s, len(v)), np.repeat(v, len(s))).reshape(len(v), len(s), 3)
    fine = cv2.resize(grid.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, np.float32)


def _patches(person: Identity, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    return {
        "eye": _eye(person, rng),
        "teeth": _teeth(),
        "ear": _flat("ear", _tinted(person.skin.tone, (1.05, 0.9, 0.88)), 0.25),
        "lash": _flat("lash", (0.012, 0.009, 0.008), 0.0),
        "strands": _flat("strands", person.hairs.colour, 0.3),
        "tongue": _flat("tongue", (0.42, 0.14, 0.13), 0.7),
        "throat": _flat("throat", (0.05, 0.012, 0.012), 0.0),
    }


def _tinted(colour: Colour, factor: Colour) -> Colour:
    return (colour[0] * factor[0], colour[1] * factor[1], colour[2] * factor[2])


def _flat(name: str, colour: Colour, shine: float) -> NDArray[np.float32]:
    _, _, width, height = PATCHES[name]
    return np.full((height, width, 4), (*colour, shine), np.float32)


def _eye(person: Identity, rng: np.random.Generator) -> NDArray[np.float32]:
    _, _, width, height = PATCHES["eye"]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.5
    theta = np.hypot(u, v) * np.pi / 0.88
    phi = np.arctan2(v, u)
    angles = ((phi / (2 * np.pi) + 0.5) * 255).astype(int)
    fibre = fractal_noise(rng, (height, 256), 6, 3)
    ring = np.clip(theta / 0.52, 0, 1)
    fibres = fibre[(ring * (height - 1)).astype(int) // 4, angles]
    sclera = np.array([0.56, 0.53, 0.50], np.float32)
    veins = np.clip(fractal_noise(rng, (height, width), 30, 4), 0, 2) * 0.05
    white = sclera * (1 - veins[..., None] * np.array([0.2, 1, 1], np.float32))
    white = white * (1 - 0.25 * np.clip((theta - 0.7) / 0.8, 0, 1))[..., None]
    iris = np.array(person.skin.iris, np.float32)
    shade = 0.6 + 0.3 * fibres + 0.35 * (1 - ring) - 0.15 * (v * 8)
    coloured = iris * np.clip(shade, 0.25, 2.2)[..., None]
    inner = np.exp(-(((theta - 0.25) / 0.08) ** 2))[..., None]
    coloured = coloured * (1 + 0.35 * inner * np.array([1.3, 1.0, 0.6], np.float32))
    limbus = _below(theta, 0.515, 0.016)
    dark = 1 - 0.75 * np.exp(-(((theta - 0.5) / 0.05) ** 2))[..., None]
    pupil = _below(theta, 0.19, 0.012)
    eye = white * (1 - limbus) + coloured * dark * limbus
    eye = eye * (1 - pupil) + 0.004 * pupil
    shine = np.full((height, width, 1), 1.0, np.float32)
    return np.concatenate([eye, shine], -1).astype(np.float32)


def _teeth() -> NDArray[np.float32]:
    _, _, width, height = PATCHES["teeth"]
    u = np.linspace(-1, 1, width, dtype=np.float32)[None]
    v = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    # Incisors are wider than the teeth behind them.
    edges = np.array([0, 0.17, 0.31, 0.44, 0.57, 0.7, 0.84, 1.0], np.float32)
    gap = np.min(np.abs(np.abs(u[..., None]) - edges), -1)
    gum_line = 0.42 + 0.1 * np.cos(np.clip(gap / 0.07, 0, 1) * np.pi)
    tooth = np.array([0.66, 0.62, 0.52], np.float32) * (1 - 0.4 * np.abs(u) ** 2)[..., None]
    tooth = tooth * (1 - 0.55 * np.exp(-((gap / 0.012) ** 2)))[..., None]
    tooth = np.broadcast_to(tooth, (height, width, 3)) * (0.85 + 0.15 * v[..., None])
    gum = np.array([0.42, 0.16, 0.15], np.float32)
    share = _below(gum_line - v, 0.0, 0.015)
    picture = tooth * share + gum * (1 - share)
    shine = np.full((height, width, 1), 0.7, np.float32)
    return np.concatenate([picture, shine], -1).astype(np.float32)


def _below(x: NDArray[np.floating], edge: float, soft: float) -> NDArray[np.float32]:
    """Soft step, 1 where x (H, W) is under ``edge``, 0 over it: (H, W, 1)."""
    return np.asarray(0.5 - 0.5 * np.tanh((x - edge) / (2 * soft)), np.float32)[..., None]


def _lash_cut(person: Identity, size: tuple[int, int], rng: np.random.Generator) -> FloatImage:
    mask = np.zeros(size, np.float32)
    height, width = size
    count = int(28 + 40 * person.hairs.lashes)
    for x in np.linspace(8, width - 8, count) + rng.uniform(-3, 3, count):
        lean = (x / width - 0.35) * 26
        length = rng.uniform(0.55, 1.0) * height * (0.35 + 0.65 * person.hairs.lashes)
        end = (round(float(x + lean) * 8), round((height - 2 - length) * 8))
        start = (round(float(x) * 8), (height - 1) * 8)
        cv2.line(mask, start, end, 1.0, 2, cv2.LINE_AA, 3)
    mask[-10:] = 1.0
    return mask
