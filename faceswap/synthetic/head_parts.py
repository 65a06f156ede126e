"""Meshes of the head's parts besides the skin: eyeballs, lashes, teeth, tongue, throat, ears."""

from dataclasses import dataclass

import numpy as np

from faceswap.synthetic.face_shape import bell, smooth_step
from faceswap.synthetic.uv import EYE_RADIUS, Array, Index


@dataclass(frozen=True)
class Part:
    """A small mesh: points (N, 3), faces (M, 3), uv (N, 2) from 0 to 1 in the part's patch."""

    points: Array
    faces: Index
    uv: Array


@dataclass(frozen=True)
class Piece:
    """A part with its look: material of ``shading``, linear albedo, label of its pixels. fixed:
    stays where it is when the head moves. two_sided: seen from behind as well."""

    part: Part
    material: int
    colour: tuple[float, float, float]
    label: int
    fixed: bool = False
    two_sided: bool = False


def tube(course: Array, radius: Array | float, sides: int = 8, closed: bool = False) -> Part:
    """A tube along ``course`` (K, 3) of ``radius`` (K,), with flat ends unless ``closed``."""
    course = np.asarray(course, np.float64)
    count = len(course)
    radius = np.broadcast_to(np.asarray(radius, np.float64), (count,))
    around = np.roll(course, -1, 0) - np.roll(course, 1, 0)
    run = around if closed else np.gradient(course, axis=0)
    run = run / (np.sqrt((run**2).sum(1, keepdims=True)) + 1e-9)
    side = np.cross(run, [0.13, 0.21, 0.97])
    side /= np.sqrt((side**2).sum(1, keepdims=True)) + 1e-9
    other = np.cross(run, side)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = side[:, None] * np.cos(angle)[:, None] + other[:, None] * np.sin(angle)[:, None]
    points = course[:, None] + ring * radius[:, None, None]
    index = np.arange(count * sides).reshape(count, sides)
    here, there = index, np.roll(index, -1, 0)
    if not closed:
        here, there = index[:-1], index[1:]
    a, b = here.ravel(), np.roll(here, -1, 1).ravel()
    c, d = there.ravel(), np.roll(there, -1, 1).ravel()
    faces = [np.stack([a, b, c], -1), np.stack([b, d, c], -1)]
    flat = points.reshape(-1, 3)
    if not closed:
        flat = np.concatenate([flat, course[:1], course[-1:]])
        for ring_row, centre, turn in (
            (index[0], len(flat) - 2, 1),
            (index[-1], len(flat) - 1, -1),
        ):
            first, second = ring_row[::turn], np.roll(ring_row[::turn], -1)
            faces.append(np.stack([np.full(sides, centre), second, first], -1))
    whole = np.concatenate(faces).astype(np.int32)
    return Part(flat, whole, np.full((len(flat), 2), 0.5))


def ellipsoid(centre: Array, axes: Array, rows: int = 12, columns: int = 18) -> Part:
    """A closed ellipsoid; axes (3, 3): its half-axes as rows."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, columns), indexing="ij"
    )
    unit = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    points = unit.reshape(-1, 3) @ np.asarray(axes, np.float64) + np.asarray(centre)
    faces = grid_faces(rows, columns)
    if np.linalg.det(np.asarray(axes)) < 0:
        faces = faces[:, ::-1]
    return Part(points, faces, np.full((len(points), 2), 0.5))


def grid_faces(rows: int, columns: int) -> Index:
    """Triangles of a grid of rows × columns vertices, numbered row by row."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
    c, d = index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).astype(np.int32)


def eyeball() -> Part:
    """Front of an eyeball at the origin, looking along z, with a raised cornea."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.deg2rad(100), 22), np.linspace(0, 2 * np.pi, 33), indexing="ij"
    )
    radius = EYE_RADIUS + 0.06 * np.exp(-((theta / 0.42) ** 4))
    points = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    flat = theta / np.pi
    uv = np.stack([0.5 + flat * np.cos(phi) * 0.88, 0.5 - flat * np.sin(phi) * 0.88], -1)
    faces = grid_faces(*theta.shape)
    return Part((points * radius[..., None]).reshape(-1, 3), faces, uv.reshape(-1, 2))


def teeth(upper: bool) -> Part:
    """A row of teeth with its gum; u runs along the arch, v from the gum to the edge."""
    a, h = np.meshgrid(np.linspace(-1, 1, 33), np.linspace(0, 1, 6), indexing="ij")
    width = 2.35 if upper else 2.1
    x = width * np.sin(a * 1.25) / np.sin(1.25)
    z = 1.95 - 2.5 * (1 - np.cos(a * 1.25)) - (0.0 if upper else 0.25)
    z = z + 0.16 * np.sin(np.pi * h)
    edge, gum = (-7.2, -5.75) if upper else (-7.1, -8.4)
    y = gum + (edge - gum) * h
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    faces = grid_faces(*a.shape)
    uv = np.stack([(a + 1) / 2, h], -1).reshape(-1, 2)
    return Part(points, faces if not upper else faces[:, ::-1], uv)


def tongue() -> Part:
    """The tongue at rest on the floor of the mouth."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, 12), np.linspace(0, 2 * np.pi, 25), indexing="ij"
    )
    points = np.stack(
        [
            1.55 * np.sin(theta) * np.cos(phi),
            -7.62 + 0.5 * np.cos(theta),
            0.0 - 1.7 * np.sin(theta) * np.sin(phi),
        ],
        -1,
    )
    points[..., 1] -= 0.12 * np.exp(-((points[..., 0] / 0.25) ** 2))
    uv = np.stack([phi / (2 * np.pi), theta / np.pi], -1)
    return Part(points.reshape(-1, 3), grid_faces(*theta.shape), uv.reshape(-1, 2))


def throat() -> Part:
    """Inside of a dark bowl behind the lips."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi / 2, 8), np.linspace(0, 2 * np.pi, 25), indexing="ij"
    )
    points = np.stack(
        [
            2.65 * np.sin(theta) * np.cos(phi),
            -7.4 + 3.0 * np.sin(theta) * np.sin(phi),
            0.75 - 3.4 * np.cos(theta),
        ],
        -1,
    )
    uv = np.stack([phi / (2 * np.pi), theta / np.pi], -1)
    return Part(points.reshape(-1, 3), grid_faces(*theta.shape), uv.reshape(-1, 2))


def ear(size: float) -> Part:
    """The left ear at its place on an average head; ``size`` as in Shape."""
    r, phi = np.meshgrid(np.linspace(0, 1, 17), np.linspace(0, 2 * np.pi, 41), indexing="ij")
    back, up = np.cos(phi), np.sin(phi)
    lower = np.maximum(0, -up)
    reach = 1.75 * (1 - 0.34 * lower**1.5) * (1 - 0.1 * np.maximum(0, -back))
    p, q = r * reach * back, r * 3.1 * up
    behind = smooth_step(-0.5, 0.5, back + 0.7 * up)
    relief = 0.42 * np.exp(-(((r - 0.9) / 0.09) ** 2)) * (0.25 + 0.75 * behind)
    relief += 0.32 * np.exp(-(((r - 0.6) / 0.12) ** 2)) * smooth_step(-0.3, 0.5, back)
    relief += 0.3 * bell(p, q, -1.1, -0.5, 0.35, 0.55)
    relief -= 0.55 * bell(p, q, -0.35, -0.5, 0.65, 1.0)
    relief += 0.25 * bell(p, q, -0.3, -2.3, 0.7, 0.7)
    relief -= 0.35 * smooth_step(0.93, 1.0, r)
    scale = 1 + 0.13 * size
    p, q = p * scale, q * scale
    tilt = np.deg2rad(10.0)
    p, q = p * np.cos(tilt) - q * np.sin(tilt) * -1.0, q * np.cos(tilt) - p * np.sin(tilt)
    flare = np.deg2rad(30.0 + 8.0 * size)
    from_hinge = p + 1.75 * scale
    x = 6.75 + from_hinge * np.sin(flare) * 0.75 + relief * np.cos(flare)
    z = -7.1 - from_hinge * np.cos(flare) + relief * np.sin(flare)
    points = np.stack([x, q - 1.75, z], -1).reshape(-1, 3)
    uv = np.stack([0.5 + 0.4 * r * back, 0.5 - 0.4 * r * up], -1).reshape(-1, 2)
    return Part(points, grid_faces(*r.shape), uv)


def mirrored(part: Part) -> Part:
    """The part mirrored to the other side of the face."""
    return Part(part.points * [-1, 1, 1], part.faces[:, ::-1], part.uv)
