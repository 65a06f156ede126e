"""Single hairs: where they are rooted, how they grow over the head, and their colours.

A hair is a polyline. It starts at the skin in the direction in which it is combed, turns down by
its weight and is kept outside of the head at its own distance, which gives the hair its volume;
then neighbours run together and curls are added.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.face_shape import NeutralHead, smooth_step
from faceswap.synthetic.hair import hairline
from faceswap.synthetic.head_distance import DistanceGrid, distance_at, head_distance
from faceswap.synthetic.identity import Hairdo, Identity
from faceswap.synthetic.rasteriser import F32, I32, compiled
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array

WHORL = np.array([0.9, 10.6, -12.0])
"""The point from which the hair of the head turns outward."""

_TEMPLE = 5.5
"""UV coordinate s in cm beyond which hair is rooted at the side of the head."""

KNOT = np.array([0.0, 2.5, -17.2])
"""The point behind the head where tied hair is knotted."""
KNOT_X, KNOT_Y, KNOT_Z = 0.0, 2.5, -17.2


@dataclass(frozen=True)
class Strands:
    """Hairs of one kind. points (S, K, 3): on the neutral head; colours (S, 3) linear albedo;
    anchors (S,): the template's vertex that each moves with; openness (S,): share of the sky that
    reaches it, lower for hairs under others; label: of the pixels they cover; width: cm;
    waist: skinning by height, for hair that hangs on the shoulders."""

    points: F32
    colours: F32
    anchors: I32
    openness: F32
    label: int
    width: float
    waist: bool = False


@dataclass(frozen=True)
class Roots:
    """Where hairs grow: points, normals (S, 3), UV coordinates (S, 2), anchor vertices (S,)."""

    points: Array
    normals: Array
    chart: Array
    anchors: I32


def grown_roots(
    head: NeutralHead, normals: F32, mask: Array, count: int, rng: np.random.Generator
) -> Roots:
    """``count`` random roots with the density ``mask`` (N,) over the template's vertices."""
    t = template_mesh()
    corners = head.points[t.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    weight = np.sqrt((cross**2).sum(1)) * mask[t.faces].mean(1)
    total = np.cumsum(weight)
    face = np.searchsorted(total, rng.random(count) * total[-1], side="right")
    face = np.minimum(face, len(t.faces) - 1)
    b, c = rng.random(count), rng.random(count)
    b, c = np.where(b + c > 1, 1 - b, b), np.where(b + c > 1, 1 - c, c)
    share = np.stack([1 - b - c, b, c], -1)[..., None]
    picked = t.faces[face]
    n = (normals[picked] * share).sum(1)
    return Roots(
        (head.points[picked] * share).sum(1),
        n / (np.sqrt((n**2).sum(1, keepdims=True)) + 1e-9),
        (t.chart[picked] * share).sum(1),
        picked[:, 0].astype(np.int32),
    )


class Growth(NamedTuple):
    """What the hairs have in common while they grow; see ``Hairdo``."""

    weight: float
    hold: float
    widen: float
    tied: bool


def head_hair(
    person: Identity, head: NeutralHead, normals: F32, mask: Array, count: int, covered: bool
) -> Strands | None:
    """Hair of the head of about ``count`` hairs; covered: flat, as under a hat. None if bald."""
    cut = person.hairs.cut
    rng = np.random.default_rng((person.seed, 31))
    if float(mask.sum()) < 5:
        return None
    roots = grown_roots(head, normals, mask, count, rng)
    front = _front(cut, roots)
    forward = rng.random(count) < cut.forward * front
    length = _lengths(cut, roots, front, forward, rng)
    comb = _combed(cut, roots, forward, rng)
    if cut.tied != "no":
        length = 1.25 * np.sqrt(((roots.points - KNOT) ** 2).sum(1))
    volume = 0.15 if covered else cut.volume * (0.55 + 0.45 * np.minimum(1.0, length / 3.0))
    rank = rng.random(count) ** 0.8
    clearance = 0.06 + volume * rank
    steps = int(np.clip(round(float(length.max()) * 1.1), 5, 26))
    points = np.empty((count, steps, 3))
    widen = 1 + 0.055 * person.shape.face_width
    hold = 0.3 if cut.wave < 0.3 else 0.0
    # Most hair is kept out of the face; some strands hang where they fall, over the temples.
    loose = (rng.random(count) < 0.012) & (np.abs(roots.chart[:, 0]) > _TEMPLE)
    aside = np.where(forward, 0.0, np.where(loose, 0.3, 1.0))
    grow(
        roots.points, comb, length, clearance, aside, head_distance(),
        Growth(cut.weight, hold, widen, cut.tied != "no"), points,
    )  # fmt: skip
    phase = rng.random(max(12, count // 28)) * 2 * np.pi
    group = nearest(roots.points, roots.points[: len(phase)])
    _gather(points, group, cut.clump * 0.85)
    if cut.wave > 0:
        start = phase[group] + cut.frizz * rng.normal(0, 1.2, count)
        turns = 2 * np.pi / cut.wave_length * (1 + 0.25 * cut.frizz * rng.normal(0, 1, count))
        radius = cut.wave * np.exp(rng.normal(0, 0.3, count))
        curl(points, start, turns, radius, length)
    points += (
        rng.normal(0, 0.02 + 0.06 * cut.frizz, (count, 1, 3))
        * np.linspace(0, 1, steps)[None, :, None]
    )
    colours = strand_colours(person.hairs.colour, person.hairs.grey, count, rng)
    return Strands(
        points.astype(np.float32), colours, roots.anchors,
        (0.35 + 0.65 * rank).astype(np.float32), 2, 0.055, waist=True,
    )  # fmt: skip


def strand_colours(
    colour: tuple[float, float, float], grey: float, count: int, rng: np.random.Generator
) -> F32:
    """Colours (S, 3) of hairs around ``colour``, a share of them ``grey``."""
    tone = np.exp(rng.normal(0, 0.14, count))[:, None] * np.exp(rng.normal(0, 0.04, (count, 3)))
    mixed = np.array(colour) * tone
    white = np.array([0.42, 0.41, 0.39]) * np.exp(rng.normal(0, 0.15, count))[:, None]
    share = np.clip(rng.normal(grey, 0.22, count), 0, 1)[:, None] if grey > 0 else 0.0
    mixed = mixed * (1 - share) + white * share
    return np.asarray(np.clip(mixed, 0.004, 0.9), np.float32)


def _front(cut: Hairdo, roots: Roots) -> Array:
    """Share (S,) to which hairs belong to the fringe: those near the hairline of the forehead."""
    behind = roots.chart[:, 1] - hairline(cut, roots.chart[:, 0])
    return smooth_step(3.0, 1.4, behind) * smooth_step(7.0, 5.7, np.abs(roots.chart[:, 0]))


def _lengths(
    cut: Hairdo, roots: Roots, front: Array, forward: NDArray[np.bool_], rng: np.random.Generator
) -> Array:
    s, v = np.abs(roots.chart[:, 0]), roots.chart[:, 1]
    back = smooth_step(11.5, 15.0, s) * smooth_step(11.0, 7.5, v)
    side = smooth_step(5.5, 8.5, s) * smooth_step(9.5, 6.0, v) * (1 - back)
    length = cut.top + back * (cut.back - cut.top) + side * (cut.side - cut.top)
    length = length + front * (1 - side) * (cut.fringe - length)
    # Hair of a fringe ends on one line wherever it is rooted.
    behind = np.maximum(0, v - hairline(cut, roots.chart[:, 0]))
    length = np.where(forward, cut.fringe + 0.8 * behind, length)
    return np.asarray(
        length * np.exp(rng.normal(0, 0.1, len(s))) * (0.9 + 0.1 * rng.random(len(s)))
    )


def _combed(
    cut: Hairdo, roots: Roots, forward: NDArray[np.bool_], rng: np.random.Generator
) -> Array:
    """Unit directions (S, 3) in which the hairs leave the skin."""
    p, n = roots.points, roots.normals
    count = len(p)
    away = p - WHORL
    away /= np.sqrt((away**2).sum(1, keepdims=True)) + 1e-9
    way = away * 0.7 + np.array(cut.sweep)
    upper = smooth_step(2.0, 6.0, p[:, 1])[:, None]
    if cut.parting is not None:
        side = np.sign(p[:, :1] - cut.parting - rng.normal(0, 0.12, (count, 1)))
        split = np.concatenate([side * 1.5, np.full((count, 1), -0.1), np.zeros((count, 1))], 1)
        way = way + upper * split
    if cut.top > 6.0:
        # Long hair of the forehead that is no fringe is combed away from the face.
        face = _front(cut, roots)[:, None] * [0.0, 0.0, 1.0]
        way = way - face * np.maximum(way + 0.25, 0)
        aside = np.sign(p[:, :1] - (cut.parting or 0.0)) * [1.0, 0.0, 0.0]
        way = way + 0.5 * _front(cut, roots)[:, None] * aside
    fringe = np.array([cut.sweep[0] * 0.7, -0.6, 1.1]) + rng.normal(0, 0.15, (count, 3))
    way = np.where(forward[:, None], fringe, way)
    if cut.tied != "no":
        # Hair of the forehead goes over the head, not around it.
        over = np.stack([p[:, 0], np.full(count, 14.0), np.full(count, -9.0)], -1)
        way = np.where((p[:, 2] > -5.0)[:, None] & (p[:, 1:2] > 3.0), over, KNOT) - p
    if cut.tucked:
        beside = smooth_step(5.5, 7.5, np.abs(roots.chart[:, 0]))[:, None]
        way = way * (1 - beside) + beside * np.array([0.0, -0.35, -1.0])
    way /= np.sqrt((way**2).sum(1, keepdims=True)) + 1e-9
    way = way + rng.normal(0, 0.08 + 0.15 * cut.frizz, (count, 3))
    way -= (way * n).sum(1, keepdims=True) * n
    way /= np.sqrt((way**2).sum(1, keepdims=True)) + 1e-9
    lift = np.clip(cut.lift * np.exp(rng.normal(0, 0.25, count)), 0, 0.95)[:, None]
    lift = np.where(forward[:, None], lift * 0.5, lift)
    out = way * (1 - lift) + n * lift
    return np.asarray(out / np.sqrt((out**2).sum(1, keepdims=True)))


@compiled
def grow(
    roots: Array, comb: Array, length: Array, clearance: Array, aside: Array,
    grid: DistanceGrid, growth: Growth, points: Array,
) -> None:  # fmt: skip
    """Grow hairs from ``roots`` (S, 3) along ``comb`` into ``points`` (S, K, 3).

    aside (S,): how strongly each is led out of the face.
    """
    count, steps = points.shape[0], points.shape[1]
    for i in range(count):
        x, y, z = roots[i, 0], roots[i, 1], roots[i, 2]
        dx, dy, dz = comb[i, 0], comb[i, 1], comb[i, 2]
        step = length[i] / (steps - 1)
        points[i, 0, 0], points[i, 0, 1], points[i, 0, 2] = x, y, z
        for k in range(1, steps):
            dy -= growth.weight * step * 0.35
            if growth.tied:
                ax, ay, az = KNOT_X - x, KNOT_Y - y, KNOT_Z - z
                if z > -5.0 and y > 3.0:
                    ax, ay, az = 0.0, 14.0 - y, -9.0 - z
                left = np.sqrt(ax * ax + ay * ay + az * az)
                if left < 1.2:
                    step = 0.0
                dx, dy, dz = ax / (left + 1e-9), ay / (left + 1e-9), az / (left + 1e-9)
            if z > -4.5 and y < 5.5 and y > -13.0 and abs(x) < 6.2:
                lead = aside[i] * step * 0.9
                dx += lead if x > 0 else -lead
                dz -= 0.4 * lead
            size = np.sqrt(dx * dx + dy * dy + dz * dz) + 1e-9
            dx, dy, dz = dx / size, dy / size, dz / size
            x, y, z = x + dx * step, y + dy * step, z + dz * step
            goal = clearance[i] * min(1.0, 0.15 + k * step / 1.6)
            for _ in range(2):
                away, gx, gy, gz = distance_at(grid, x / growth.widen, y, z)
                if abs(away - goal) < 0.04:
                    break
                if away < goal:
                    lift = goal - away
                    x, y, z = x + gx * lift, y + gy * lift, z + gz * lift
                    inward = dx * gx + dy * gy + dz * gz
                    if inward < 0:
                        dx, dy, dz = dx - gx * inward, dy - gy * inward, dz - gz * inward
                elif away > goal and y > -1.0:
                    drop = min(away - goal, step) * growth.hold
                    x, y, z = x - gx * drop, y - gy * drop, z - gz * drop
                    dx, dy, dz = dx - gx * 0.1, dy - gy * 0.1, dz - gz * 0.1
            points[i, k, 0], points[i, k, 1], points[i, k, 2] = x, y, z


@compiled
def curl(points: Array, start: Array, turns: Array, radius: Array, length: Array) -> None:
    """Wind every hair of ``points`` (S, K, 3) around its own course."""
    count, steps = points.shape[0], points.shape[1]
    for i in range(count):
        step = length[i] / (steps - 1)
        ax, ay, az = points[i, 0, 0], points[i, 0, 1], points[i, 0, 2]
        for k in range(1, steps):
            bx, by, bz = points[i, k, 0], points[i, k, 1], points[i, k, 2]
            dx, dy, dz = bx - ax, by - ay, bz - az
            ax, ay, az = bx, by, bz
            # Two directions across the hair's own.
            ux, uy, uz = dy, -dx, 0.05
            size = np.sqrt(ux * ux + uy * uy + uz * uz) + 1e-9
            ux, uy, uz = ux / size, uy / size, uz / size
            wx, wy, wz = dy * uz - dz * uy, dz * ux - dx * uz, dx * uy - dy * ux
            size = np.sqrt(wx * wx + wy * wy + wz * wz) + 1e-9
            arc = k * step
            reach = radius[i] * min(1.0, arc / 3.0)
            c = np.cos(start[i] + turns[i] * arc) * reach
            s = np.sin(start[i] + turns[i] * arc) * reach / size
            points[i, k, 0] = bx + ux * c + wx * s
            points[i, k, 1] = by + uy * c + wy * s
            points[i, k, 2] = bz + uz * c + wz * s


@compiled
def nearest(points: Array, goals: Array) -> Any:
    """Index (S,) of the nearest of ``goals`` (G, 3) to each of ``points`` (S, 3)."""
    found = np.zeros(points.shape[0], np.int64)
    for i in range(points.shape[0]):
        best = 1e9
        for g in range(goals.shape[0]):
            dx = points[i, 0] - goals[g, 0]
            dy = points[i, 1] - goals[g, 1]
            dz = points[i, 2] - goals[g, 2]
            far = dx * dx + dy * dy + dz * dz
            if far < best:
                best, found[i] = far, g
    return found


def _gather(points: Array, group: NDArray[np.int64], strength: float) -> None:
    """Let hairs run together with that of number ``group`` (S,) towards their ends."""
    if strength <= 0:
        return
    steps = points.shape[1]
    share = strength * np.linspace(0, 1, steps)[None, :, None] ** 1.2
    towards = points[group] - points
    # Hairs that went another way, such as over a parting, stay there.
    far = np.sqrt((towards[:, -1] ** 2).sum(1))
    share = share * smooth_step(7.0, 3.0, far)[:, None, None]
    points += share * towards
