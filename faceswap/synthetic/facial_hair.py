"""Brows, beard and lashes, hair by hair."""

import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.face_shape import NeutralHead
from faceswap.synthetic.hair import beard
from faceswap.synthetic.identity import Hairs, Identity
from faceswap.synthetic.rasteriser import F32
from faceswap.synthetic.strands import Strands, grown_roots, nearest, strand_colours
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array


def brow_course(hairs: Hairs, t: Array) -> tuple[Array, Array, Array]:
    """|x|, y and thickness of a brow along ``t``, 0 at its inner and 1 at its outer end."""
    thick = 1 + 0.45 * hairs.brow_thickness
    top = np.interp(t, [0, 0.33, 0.62, 0.84, 1], [2.2, 2.4, 2.45, 2.12, 1.52])
    arch = 0.28 * hairs.brow_arch * np.sin(np.pi * np.clip(t * 1.15 - 0.15, 0, 1)) ** 2
    wide = np.interp(t, [0, 0.15, 0.5, 1], [0.62, 0.78, 0.62, 0.2]) * thick
    return 1.25 + 4.45 * t, top + arch + 0.25 * hairs.brow_height - 0.42, wide


def brows(person: Identity, head: NeutralHead, normals: F32, count: int) -> Strands:
    """Both brows, of about ``count`` hairs."""
    hairs = person.hairs
    rng = np.random.default_rng((person.seed, 32))
    each = max(20, int(count * (0.25 + 0.75 * hairs.brow_density) * 0.5))
    roots, tips, anchors = [], [], []
    for side in (1.0, -1.0):
        t = rng.beta(1.15, 1.2, each)
        across = np.clip(rng.normal(0, 0.27, each), -0.62, 0.62)
        x, y, wide = brow_course(hairs, t)
        y = y + across * wide
        lean = np.interp(t, [0, 0.2, 0.6, 1], [80, 45, 12, -28]) + rng.normal(0, 12, each)
        lean = np.deg2rad(lean - across * 40)
        length = rng.uniform(0.35, 0.75, each) * np.interp(t, [0, 0.3, 1], [0.75, 1, 0.75])
        place, normal, anchor = _on_skin(head, normals, x * side, y)
        way = np.stack([np.cos(lean) * side, np.sin(lean) * 0.8, 0 * lean], -1)
        way -= (way * normal).sum(1, keepdims=True) * normal
        roots.append(place)
        tips.append(place + way * length[:, None] + normal * (0.06 + 0.08 * rng.random((each, 1))))
        anchors.append(anchor)
    start, end = np.concatenate(roots), np.concatenate(tips)
    colours = strand_colours(hairs.brow_colour, 0.5 * hairs.grey, len(start), rng)
    points = np.stack([start, start * 0.4 + end * 0.6, end], 1)
    return Strands(
        points.astype(np.float32), colours, np.concatenate(anchors),
        np.full(len(start), 0.8, np.float32), int(Label.BROWS), 0.045,
    )  # fmt: skip


def _on_skin(
    head: NeutralHead, normals: F32, x: Array, y: Array
) -> tuple[Array, Array, np.ndarray]:
    """Points of the person's skin where the template's are at (x, y) from the front."""
    t = template_mesh()
    allowed = np.flatnonzero((np.abs(t.chart[:, 0]) < 9.5) & (t.lip > -0.01) & (t.lid_gap > -0.01))
    flat = np.zeros((len(allowed), 3))
    flat[:, :2] = t.rest[allowed, :2]
    wanted = np.stack([x, y, 0 * x], -1)
    anchor = allowed[nearest(wanted, flat)]
    normal = normals[anchor].astype(np.float64)
    off = wanted[:, :2] - t.rest[anchor, :2]
    place = head.points[anchor].copy()
    place[:, :2] += off
    rise = (normal[:, :2] * off).sum(1) / np.maximum(normal[:, 2], 0.3)
    place[:, 2] -= rise
    return place, normal, anchor.astype(np.int32)


def beard_hair(person: Identity, head: NeutralHead, normals: F32, count: int) -> Strands | None:
    """The beard, of about ``count`` hairs; None without one, and for stubble, which is painted."""
    hairs = person.hairs
    if hairs.beard in ("none", "stubble"):
        return None
    rng = np.random.default_rng((person.seed, 33))
    mask = beard(hairs.beard, template_mesh().rest)
    if hairs.beard == "moustache":
        count //= 4
    roots = grown_roots(head, normals, mask, count, rng)
    n = roots.normals
    way = np.array([0.0, -1.0, 0.1]) + roots.points * [0.06, 0, 0]
    beside = np.exp(-(((roots.points[:, 1] + 5.6) / 1.0) ** 2))[:, None]
    way = way + beside * np.sign(roots.points[:, :1]) * [0.8, 0.0, 0.0]
    way = way + rng.normal(0, 0.28, (count, 3))
    way -= (way * n).sum(1, keepdims=True) * n
    way /= np.sqrt((way**2).sum(1, keepdims=True)) + 1e-9
    length = hairs.beard_length * np.exp(rng.normal(0, 0.25, count))
    # Upper cheeks and the upper lip are kept shorter.
    length *= np.clip(0.45 + (-4.6 - roots.points[:, 1]) * 0.16, 0.4, 1.0)
    steps = 5
    t = np.linspace(0, 1, steps)[None, :, None]
    lift = np.minimum(0.45, 0.2 * length)[:, None, None]
    course = way[:, None] * t * length[:, None, None] + n[:, None] * lift * np.sin(t * 2.2)
    fall = np.maximum(length - 1.2, 0)[:, None, None]
    course[..., 1:2] -= 0.35 * fall * t**2
    wobble = rng.normal(0, 0.05, (count, steps, 3)) * t * (0.4 + length[:, None, None] * 0.5)
    points = roots.points[:, None] + course + wobble
    colours = strand_colours(hairs.beard_colour, hairs.grey, count, rng)
    open_sky = (0.45 + 0.5 * rng.random(count)).astype(np.float32)
    return Strands(
        points.astype(np.float32), colours, roots.anchors, open_sky, int(Label.BEARD), 0.05
    )


def lash_roots(person: Identity, count: int) -> tuple[np.ndarray, Array]:
    """Vertices (2, count) of the upper lids' margins, and the random length of each lash."""
    rng = np.random.default_rng((person.seed, 34))
    t = template_mesh()
    half = t.lid_rings.shape[2] // 2 + 1
    place = np.clip(rng.beta(1.3, 1.0, (2, count)) * half, 2, half - 2).astype(int)
    rings = t.lid_rings[:, 1]
    return np.stack([rings[e][place[e]] for e in (0, 1)]), rng.uniform(0.6, 1.1, (2, count))


def lash_points(
    person: Identity, head: Array, eyes: Array, roots: np.ndarray, length: Array
) -> Array:
    """Lashes (2 · count, 4, 3) of the lids of the moved ``head`` (N, 3)."""
    found = []
    for eye in (0, 1):
        base = head[roots[eye]]
        away = base - eyes[eye]
        away /= np.sqrt((away**2).sum(1, keepdims=True))
        # Open lids point the lashes up, shut lids down.
        shut = np.clip((0.45 - float((base[:, 1] - eyes[eye][1]).max())) / 0.7, 0, 1)
        sign = 1.0 if eye == 0 else -1.0
        beside = (np.abs(base[:, :1]) - 3.0) * 0.22 * sign
        way = away * 0.6 + np.concatenate(
            [beside, np.full_like(beside, 0.75 - 1.3 * shut), np.full_like(beside, 0.35)], 1
        )
        size = (0.22 + 0.42 * person.hairs.lashes) * length[eye][:, None, None]
        t = np.linspace(0, 1, 4)[None, :, None]
        curve = np.array([0.0, 0.18 * (1 - shut), 0.0]) * t**2
        found.append(base[:, None] + size * (way[:, None] * t + curve))
    return np.concatenate(found)
