"""Render a head with camera, light and background: a frame and its ground truth."""

from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.labels import Label
from faceswap.synthetic.backgrounds import backdrop
from faceswap.synthetic.camera import Camera, developed, labels_of
from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import HeadMesh, Mesh, Pose
from faceswap.synthetic.identity import Hairs, Identity, Shape, Skin
from faceswap.synthetic.rasteriser import (
    F32,
    Raster,
    blank_raster,
    rasterise,
    rasterise_depth,
)
from faceswap.synthetic.shading import Lighting, Shaded, blank, shade
from faceswap.synthetic.strand_drawing import draw_strands, shade_strands, strand_depth
from faceswap.synthetic.uv import Array

_SHADOW_REACH = 19.0  # cm around _CENTRE that the shadow map covers: head, hair and shoulders
_CENTRE = np.array([0.0, -2.5, -6.0])

Three = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Key and rim light, sky and ground, and light from the sides. Directions point to the light,
    colours are linear RGB. soft: width of the shadows' edges, 0.3 is a bare lamp, 1 a window."""

    key: Three = (-0.45, 0.5, 0.75)
    key_colour: Three = (2.2, 2.05, 1.85)
    rim: Three = (0.85, 0.25, -0.1)
    rim_colour: Three = (0.5, 0.58, 0.7)
    sky: Three = (0.56, 0.61, 0.70)
    ground: Three = (0.26, 0.21, 0.18)
    left: Three = (0.0, 0.0, 0.0)
    right: Three = (0.0, 0.0, 0.0)
    soft: float = 0.8


@dataclass(frozen=True)
class Frame:
    """A rendered frame with ground truth: points (68, 2) and forehead (13, 2) in pixels; visible
    (81,): whether each of them, in this order, is not occluded; labels (H, W), see ``Label``."""

    picture: NDArray[np.uint8]
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    visible: NDArray[np.bool_]
    labels: NDArray[np.uint8]


LIGHTS: dict[str, Light] = {
    "window": Light(),
    "studio": Light(
        key=(0.35, 0.45, 0.85),
        key_colour=(2.1, 2.05, 2.0),
        rim=(-0.8, 0.4, 0.1),
        rim_colour=(0.7, 0.7, 0.72),
        sky=(0.75, 0.75, 0.78),
        ground=(0.4, 0.37, 0.35),
    ),
    "evening": Light(
        key=(0.6, 0.3, 0.7),
        key_colour=(2.4, 1.75, 1.2),
        rim=(-0.8, 0.3, -0.1),
        rim_colour=(0.3, 0.45, 0.8),
        sky=(0.5, 0.52, 0.66),
        ground=(0.32, 0.25, 0.2),
    ),
    "overcast": Light(
        key=(-0.15, 0.8, 0.6),
        key_colour=(1.2, 1.22, 1.28),
        rim=(0.6, 0.5, 0.1),
        rim_colour=(0.3, 0.32, 0.35),
        sky=(1.1, 1.15, 1.22),
        ground=(0.5, 0.48, 0.46),
    ),
}
"""Lights by name."""


@cache
def average_occlusion() -> Array:
    """Share of the sky seen by each vertex of an average, hairless head (cached)."""
    person = Identity("average", 0, Shape(), Skin(), Hairs(style="bald"))
    figure = HeadMesh(person, texels=8, strands=100)
    mesh = figure.mesh(Pose(), Expression()).surface
    total = np.zeros(len(mesh.points))
    weight = np.full(len(mesh.points), 1e-6)
    directions = 48
    for k in range(directions):
        # Fibonacci sphere: evenly spaced directions.
        y = 1 - 2 * (k + 0.5) / directions
        around = np.pi * (1 + 5**0.5) * k
        flat = np.sqrt(1 - y * y)
        way = np.array([np.cos(around) * flat, y, np.sin(around) * flat])
        screen = _projected(_shadow_matrix(way, 192), mesh.points)
        depth = np.full((192, 192), np.inf, np.float32)
        rasterise_depth(screen, figure.faces, depth)
        cosine = np.maximum(0.0, (mesh.normals.astype(np.float64) * way).sum(1))
        place = np.clip(np.round(screen[:, :2]).astype(int), 0, 191)
        open_sky = screen[:, 2] <= depth[place[:, 1], place[:, 0]] + 0.45
        total += cosine * open_sky
        weight += cosine
    return np.asarray(total / weight)


def _shadow_matrix(way: Array, size: int) -> Array:
    """Orthographic projection (3, 4) from space to column, row and depth, seen from ``way``."""
    # The 0.013 keeps the cross product from vanishing for light from straight above.
    forward = -np.asarray(way, np.float64) / np.sqrt((np.asarray(way) ** 2).sum())
    side = np.cross(forward, [0.0, 1.0, 0.013])
    side /= np.sqrt((side**2).sum())
    up = np.cross(side, forward)
    scale = size / (2 * _SHADOW_REACH)
    turn = np.stack([side * scale, -up * scale, forward])
    move = np.array([size / 2, size / 2, 100.0]) - (turn * _CENTRE).sum(1)
    return np.concatenate([turn, move[:, None]], 1)


def _projected(matrix: Array, points: F32) -> F32:
    # Not a matrix product: its summation order, and so the result, depends on threads and memory.
    x, y, z = points.reshape(-1, 3).T.astype(np.float64)
    rows = [m[0] * x + m[1] * y + m[2] * z + m[3] for m in matrix]
    return np.stack(rows, -1).astype(np.float32).reshape(points.shape)


class Scene:
    """A camera, a light and a background; ``frame`` renders a head in them.

    size: (height, width) in pixels. quality: supersampling factor. background: seed of a made-up
    room, or a picture (H, W, 3), linear RGB.
    """

    def __init__(
        self,
        size: tuple[int, int],
        light: Light | None = None,
        camera: Camera | None = None,
        background: int | NDArray[np.float32] = 1,
        seed: int = 0,
        quality: int = 2,
    ) -> None:
        self.size, self.quality = size, quality
        self.light, self.camera = light or Light(), camera or Camera()
        self.seed = seed
        self._behind = backdrop(size, background) if isinstance(background, int) else background

    def project(self, points: NDArray[np.floating]) -> F32:
        """Perspective projection of points (..., 3) in cm to x, y in pixels and distance."""
        height, width = self.size
        distance = self.camera.distance - (points[..., 2] + 1.0)
        focal = height / self.camera.view * self.camera.distance
        x = (width - 1) / 2 + focal * (points[..., 0] - self.camera.centre[0]) / distance
        y = (height - 1) / 2 - focal * (points[..., 1] - self.camera.centre[1]) / distance
        return np.stack([x, y, distance], -1).astype(np.float32)

    def frame(self, figure: HeadMesh, pose: Pose, expression: Expression, number: int = 0) -> Frame:
        """Render ``figure``; number: seed of the camera's noise."""
        mesh = figure.mesh(pose, expression)
        raster, shaded = self._drawn(figure, mesh)
        light = self._scattered(shaded, raster)
        fine = light * shaded.albedo + shaded.gloss
        self._reflect(fine, mesh, raster)
        rng = np.random.default_rng((self.seed, number))
        q = self.quality
        picture = developed(fine, shaded.alpha, self._behind, self.camera, q, rng)
        spots = np.concatenate([figure.landmarks, figure.forehead])
        seen = self.project(mesh.surface.points[spots])
        visible = self._visible(seen, raster.depth)
        return Frame(picture, seen[:68, :2], seen[68:, :2], visible, labels_of(shaded, q))

    def _visible(self, seen: F32, depth: F32) -> NDArray[np.bool_]:
        q = self.quality
        place = np.round(seen[:, :2] * q + (q - 1) / 2).astype(int)
        inside = (place >= 0).all(1) & (place < [depth.shape[1], depth.shape[0]]).all(1)
        place = np.clip(place, 0, [depth.shape[1] - 1, depth.shape[0] - 1])
        return np.asarray(inside & (seen[:, 2] <= depth[place[:, 1], place[:, 0]] + 0.6))

    def _fine(self, points: F32) -> F32:
        """Points projected to samples instead of pixels."""
        q = self.quality
        screen = self.project(points)
        screen[..., :2] = screen[..., :2] * q + (q - 1) / 2
        return screen

    def _drawn(self, figure: HeadMesh, mesh: Mesh) -> tuple[Raster, Shaded]:
        q = self.quality
        rows, columns = self.size[0] * q, self.size[1] * q
        raster, shaded = blank_raster(rows, columns), blank(rows, columns)
        rasterise(self._fine(mesh.surface.points), figure.faces, raster)
        lighting = self._lighting(mesh)
        shade(raster, mesh.surface, figure.atlas.paint, lighting, shaded)
        pixel = q * self.size[0] / self.camera.view  # samples per centimetre
        for lock in mesh.locks:
            one = lock.strands
            colours = np.empty(lock.points.shape, np.float32)
            dark = 0.7 if one.label == Label.HAIR else 1.0
            shade_strands(
                lock.points, one.colours, one.openness, lighting, np.float32(dark), colours
            )
            width = np.float32(max(1.0, one.width * pixel))
            draw_strands(
                self._fine(lock.points), colours, width, np.float32(0.6), one.label,
                raster.depth, shaded,
            )  # fmt: skip
        return raster, shaded

    def _lighting(self, mesh: Mesh) -> Lighting:
        light = self.light
        lamps = np.zeros((2, 6), np.float32)
        for row, (way, colour) in enumerate(
            ((light.key, light.key_colour), (light.rim, light.rim_colour))
        ):
            lamps[row, :3] = np.array(way) / np.sqrt((np.array(way) ** 2).sum())
            lamps[row, 3:] = colour
        side = int(np.clip(self.size[0] * 1.1, 140, 320))
        matrix = _shadow_matrix(np.array(light.key), side)
        shadow = np.full((side, side), np.inf, np.float32)
        rasterise_depth(_projected(matrix, mesh.surface.points), mesh.surface.faces, shadow)
        for lock in mesh.locks:
            if lock.strands.label == Label.HAIR:
                strand_depth(_projected(matrix, lock.points), 2, shadow)
        eye = np.array([*self.camera.centre, self.camera.distance - 1.0], np.float32)
        sky, ground, left, right = (
            np.array(a, np.float32) for a in (light.sky, light.ground, light.left, light.right)
        )
        # A texel is 2 × reach / side; the edge is as wide on maps of all sizes.
        soft = np.float32(max(0.4, light.soft * side / 230))
        return Lighting(
            lamps, sky, ground, left, right, shadow, matrix.astype(np.float32), soft, eye
        )

    def _scattered(self, shaded: Shaded, raster: Raster) -> F32:
        """The diffuse light: scattered within skin, and darker where nearer things are around."""
        q = self.quality
        pixel = q * self.size[0] / self.camera.view
        skin = np.isin(shaded.label, (1, 3, 6)).astype(np.float32)
        light = shaded.light.copy()
        # Radii of scattering in skin in centimetres, by colour; after measured profiles, rounded.
        for n, radius in enumerate((0.13, 0.06, 0.035)):
            if radius * pixel < 0.4:
                continue
            blur = radius * pixel
            whole = cv2.GaussianBlur(shaded.light[..., n] * skin, (0, 0), blur)
            share = cv2.GaussianBlur(skin, (0, 0), blur)
            soft = whole / np.maximum(share, 1e-3)
            light[..., n] = np.where(skin > 0, soft, light[..., n])
        depth = np.minimum(raster.depth, self.camera.distance + 12)
        around = cv2.GaussianBlur(depth, (0, 0), max(1.0, 0.5 * pixel))
        # After Luft et al., *Image Enhancement by Unsharp Masking the Depth Buffer*, 2006.
        behind = np.clip((around - depth) * np.float32(0.35), -0.45, 0)
        return np.asarray(light * (1 + behind)[..., None], np.float32)

    def _reflect(self, fine: F32, mesh: Mesh, raster: Raster) -> None:
        """Let clear lenses darken what is behind them a little and reflect the light."""
        for points, faces in mesh.lenses:
            screen = self._fine(points)
            lens = blank_raster(*raster.depth.shape)
            both = np.concatenate([faces, faces[:, ::-1]]).astype(np.int32)
            rasterise(screen, both, lens)
            seen = lens.depth < raster.depth
            if not seen.any():
                continue
            rows, columns = np.nonzero(seen)
            u = (columns - columns.min()) / max(1.0, float(np.ptp(columns)))
            v = (rows - rows.min()) / max(1.0, float(np.ptp(rows)))
            key = np.array(self.light.key_colour) + np.array(self.light.sky)
            turn = float(self.light.key[0])
            band = np.exp(-(((u - 0.5 - 0.5 * turn + 0.55 * (v - 0.3)) / 0.16) ** 2))
            pane = band * (v < 0.6) * 0.1 + 0.05 * (1 - v)
            strength = np.float32(0.35 + (self.seed % 7) * 0.12)
            glow = (pane * strength)[:, None] * key
            fine[rows, columns] = fine[rows, columns] * 0.92 + glow.astype(np.float32)


def rotate_light(light: Light, degrees: float) -> Light:
    """``light`` with its key light rotated around the vertical axis."""
    a = np.deg2rad(degrees)
    x, y, z = light.key
    key = (float(x * np.cos(a) + z * np.sin(a)), y, float(-x * np.sin(a) + z * np.cos(a)))
    return replace(light, key=key)
