"""Render a head with camera, light and background: a frame and its ground truth."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import HeadMesh, Mesh, Pose
from faceswap.synthetic.noise import fractal_noise
from faceswap.synthetic.rasteriser import F32, downsample, rasterise, rasterise_depth
from faceswap.synthetic.shading import shade
from faceswap.synthetic.uv import Array

_SHADOW = 320  # pixels: side of the shadow map
_SHADOW_REACH = 19.0  # cm around _CENTRE that it covers: head, hair and shoulders
_CENTRE = np.array([0.0, -2.5, -6.0])


@dataclass(frozen=True)
class Light:
    """Key and rim light, sky and ground. Directions point to the light, colours are linear RGB."""

    key: tuple[float, float, float] = (-0.45, 0.5, 0.75)
    key_colour: tuple[float, float, float] = (2.2, 2.05, 1.85)
    rim: tuple[float, float, float] = (0.85, 0.25, -0.1)
    rim_colour: tuple[float, float, float] = (0.5, 0.58, 0.7)
    sky: tuple[float, float, float] = (0.56, 0.61, 0.70)
    ground: tuple[float, float, float] = (0.26, 0.21, 0.18)


@dataclass(frozen=True)
class Camera:
    """A camera. distance: from the head, cm. view: height of the picture at the head, cm. centre:
    the point in the middle of the picture. noise: standard deviation in 8-bit steps. softness:
    standard deviation of the blur as a share of the picture's height, as of a common camera and
    codec."""

    distance: float = 85.0
    view: float = 29.0
    centre: tuple[float, float] = (0.0, -2.2)
    noise: float = 1.0
    softness: float = 0.0039


@dataclass(frozen=True)
class Frame:
    """A rendered frame with ground truth: points (68, 2) and forehead (13, 2) in pixels; visible
    (81,): whether each of them, in this order, is not occluded."""

    picture: NDArray[np.uint8]
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    visible: NDArray[np.bool_]


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


def backdrop(size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    """Random background like an out-of-focus room, linear RGB (H, W, 3)."""
    rng = np.random.default_rng(seed)
    height, width = size
    colour = rng.uniform(0.16, 0.3) + rng.normal(0, 0.025, 3) * np.array([1.0, 0.5, 1.0])
    slope = np.linspace(1.3, 0.7, height)[:, None] * np.linspace(0.85, 1.15, width)[None]
    picture = (colour * slope[..., None]).astype(np.float32)
    for _ in range(9):
        patch = np.zeros((height, width), np.float32)
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        w, h = rng.uniform(0.06, 0.3, 2) * width
        corner = (round(x - w / 2), round(y - h / 2)), (round(x + w / 2), round(y + h / 2))
        cv2.rectangle(patch, *corner, 1.0, -1)
        patch = np.asarray(cv2.GaussianBlur(patch, (0, 0), width * rng.uniform(0.012, 0.04)))
        tone = np.clip(rng.uniform(0.05, 0.5) + rng.normal(0, 0.06, 3), 0.02, 0.7)
        picture += (tone.astype(np.float32) - picture) * patch[..., None] * 0.8
    shaded = picture * (1 + 0.02 * fractal_noise(rng, size, width / 6, 3))[..., None]
    return np.asarray(shaded, np.float32)


def bake_ambient_occlusion(figure: HeadMesh, directions: int = 48) -> None:
    """Bake ambient occlusion of the neutral ``figure`` from depth maps of many directions."""
    mesh = figure.mesh(Pose(), Expression())
    total = np.zeros(len(mesh.points))
    weight = np.full(len(mesh.points), 1e-6)
    for k in range(directions):
        # Fibonacci sphere: evenly spaced directions.
        y = 1 - 2 * (k + 0.5) / directions
        around = np.pi * (1 + 5**0.5) * k
        flat = np.sqrt(1 - y * y)
        way = np.array([np.cos(around) * flat, y, np.sin(around) * flat])
        depth, screen = _seen_from(way, mesh, figure, 192)
        cosine = np.maximum(0.0, (mesh.normals * way).sum(1))
        place = np.clip(np.round(screen[:, :2]).astype(int), 0, 191)
        open_sky = screen[:, 2] <= depth[place[:, 1], place[:, 0]] + 0.45
        total += cosine * open_sky
        weight += cosine
    figure.set_ambient_occlusion(total / weight)


def _shadow_matrix(way: Array, size: int) -> Array:
    """Orthographic projection (3, 4) from space to column, row and depth, seen from ``way``."""
    # The 0.013 keeps the cross product from vanishing for light from straight above.
    forward = -np.asarray(way, np.float64) / np.linalg.norm(way)
    side = np.cross(forward, [0.0, 1.0, 0.013])
    side /= np.linalg.norm(side)
    up = np.cross(side, forward)
    scale = size / (2 * _SHADOW_REACH)
    turn = np.stack([side * scale, -up * scale, forward])
    move = np.array([size / 2, size / 2, 100.0]) - turn @ _CENTRE
    return np.concatenate([turn, move[:, None]], 1)


def _seen_from(way: Array, mesh: Mesh, figure: HeadMesh, size: int) -> tuple[F32, F32]:
    matrix = _shadow_matrix(way, size)
    # Not a matrix product: its summation order, and so the result, depends on threads and memory.
    x, y, z = mesh.points.T.astype(np.float64)
    rows = [m[0] * x + m[1] * y + m[2] * z + m[3] for m in matrix]
    screen = np.stack(rows, -1).astype(np.float32)
    depth = np.full((size, size), np.inf, np.float32)
    rasterise_depth(screen, figure.shadow_casters, depth)
    return depth, screen


class Scene:
    """A camera, a light and a background; ``frame`` renders a head in them.

    size: (height, width) in pixels. quality: supersampling factor.
    """

    def __init__(
        self,
        size: tuple[int, int],
        light: Light | None = None,
        camera: Camera | None = None,
        background: int = 1,
        seed: int = 0,
        quality: int = 2,
    ) -> None:
        self.size, self.quality = size, quality
        self.light, self.camera = light or Light(), camera or Camera()
        self.seed = seed
        self._behind = _toned(backdrop(size, background))

    def project(self, points: NDArray[np.floating]) -> F32:
        """Perspective projection of points (N, 3) in cm to x, y in pixels and distance (N, 3)."""
        height, width = self.size
        distance = self.camera.distance - (points[:, 2] + 1.0)
        focal = height / self.camera.view * self.camera.distance
        x = (width - 1) / 2 + focal * (points[:, 0] - self.camera.centre[0]) / distance
        y = (height - 1) / 2 - focal * (points[:, 1] - self.camera.centre[1]) / distance
        return np.stack([x, y, distance], -1).astype(np.float32)

    def frame(self, figure: HeadMesh, pose: Pose, expression: Expression, number: int = 0) -> Frame:
        """Render ``figure``; number: seed of the camera's noise."""
        mesh = figure.mesh(pose, expression)
        screen = self.project(mesh.points)
        fine, depth = self._drawn(figure, mesh, screen)
        picture = self._developed(fine, number)
        spots = np.concatenate([figure.landmarks, figure.forehead])
        seen = screen[spots]
        q = self.quality
        place = np.round(seen[:, :2] * q + (q - 1) / 2).astype(int)
        inside = (place >= 0).all(1) & (place < [depth.shape[1], depth.shape[0]]).all(1)
        place = np.clip(place, 0, [depth.shape[1] - 1, depth.shape[0] - 1])
        visible = inside & (seen[:, 2] <= depth[place[:, 1], place[:, 0]] + 0.6)
        return Frame(picture, seen[:68, :2], seen[68:, :2], visible)

    def _drawn(self, figure: HeadMesh, mesh: Mesh, screen: F32) -> tuple[F32, F32]:
        q = self.quality
        rows, columns = self.size[0] * q, self.size[1] * q
        fine = screen.copy()
        fine[:, :2] = fine[:, :2] * q + (q - 1) / 2
        depth = np.full((rows, columns), np.inf, np.float32)
        face = np.full((rows, columns), -1, np.int32)
        weights = np.zeros((rows, columns, 2), np.float32)
        atlas = figure.atlas
        rasterise(fine, figure.faces, figure.level, figure.uv, atlas.cut, depth, face, weights)
        key = np.array(self.light.key)
        shadow, _ = _seen_from(key, mesh, figure, _SHADOW)
        out = np.zeros((rows, columns, 4), np.float32)
        eye = np.array([*self.camera.centre, self.camera.distance - 1.0], np.float32)
        shade(
            face,
            weights,
            figure.faces,
            figure.material,
            mesh.points,
            mesh.normals,
            figure.uv,
            figure.tint,
            figure.occlusion,
            atlas.colour,
            atlas.relief,
            atlas.cut,
            self._lights(),
            shadow,
            _shadow_matrix(key, _SHADOW).astype(np.float32),
            eye,
            out,
        )
        return out, depth

    def _lights(self) -> F32:
        lights = np.zeros((4, 6), np.float32)
        for row, (way, colour) in enumerate(
            ((self.light.key, self.light.key_colour), (self.light.rim, self.light.rim_colour))
        ):
            lights[row, :3] = np.array(way) / np.linalg.norm(way)
            lights[row, 3:] = colour
        lights[2, 3:], lights[3, 3:] = self.light.sky, self.light.ground
        return lights

    def _developed(self, fine: F32, number: int) -> NDArray[np.uint8]:
        """Camera model from linear light to a frame: downsampling, blur, gamma, noise."""
        q, (height, width) = self.quality, self.size
        mean = np.empty((height, width, 4), np.float32)
        downsample(fine, q, mean)
        linear = mean[..., :3] + self._behind * (1 - mean[..., 3:])
        if self.camera.softness > 0:
            linear = cv2.GaussianBlur(linear, (0, 0), self.camera.softness * height)
        encoded = np.power(np.clip(linear, 0, 1), np.float32(1 / 2.2)) * np.float32(255)
        rng = np.random.default_rng((self.seed, number))
        grain = rng.standard_normal((height, width, 1)).astype(np.float32) * self.camera.noise
        return np.asarray(np.clip(np.round(encoded + grain), 0, 255), np.uint8)


def _toned(linear: F32) -> F32:
    """Tone curve that compresses highlights; the same as in ``downsample``."""
    x = linear * np.float32(0.62)
    return np.asarray(x * (1 + x / 4) / (1 + 0.55 * x), np.float32)


def rotate_light(light: Light, degrees: float) -> Light:
    """``light`` with its key light rotated around the vertical axis."""
    a = np.deg2rad(degrees)
    x, y, z = light.key
    key = (float(x * np.cos(a) + z * np.sin(a)), y, float(-x * np.sin(a) + z * np.cos(a)))
    return replace(light, key=key)
