"""Training batches of the built-in landmarker: augmented faces and negatives.

Every batch is drawn from a generator seeded with (seed, step), so runs are reproducible and can
be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from torch.utils.data import Dataset

from faceswap.faces.align import upright_matrix
from landmarker.data import IBUG, SIZE, FaceSet, Floats, Gray

TEXTURES = [
    "brick",
    "gravel",
    "coins",
    "text",
    "clock_motion",
    "chelsea",
    "rocket",
    "horse",
    "phantom",
    "cell",
    "retina",
]
TEXTURES_HELD_OUT = ["coffee", "page", "grass", "moon", "ihc", "motorcycle_left"]
"""Pictures that scikit-image ships, none with a human face, for negatives and backgrounds."""


def textures(names: list[str]) -> list[Gray]:
    """Load pictures of scikit-image's data folder by name, grey, at most 640 px."""
    pictures = []
    for name in names:
        path = next((Path(skimage.__file__).parent / "data").glob(f"{name}.*"))
        picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        scale = min(1.0, 640 / max(picture.shape))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(small, np.uint8))
    return pictures


def jitter(rng: np.random.Generator, wild: float) -> Floats:
    """Random similarity (3, 3) about the crop's centre, with a slight stretch.

    wild: probability of errors as large as a detector's; otherwise they are a tracker's.
    """
    rough = rng.random() < wild
    angle = np.radians(np.clip(rng.normal(0, 24 if rough else 7), -60, 60))
    scale = np.exp(np.clip(rng.normal(0, 0.17 if rough else 0.06), -0.45, 0.45))
    shift = rng.normal(0, 0.075 if rough else 0.025, 2) * SIZE
    stretch = np.exp(rng.normal(0, 0.03))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([stretch, 1 / stretch])
    centre = np.full(2, (SIZE - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, centre + shift - linear @ centre
    return matrix.astype(np.float32)


def compose(outer: Floats, matrix: Floats) -> Floats:
    """Compose outer (3, 3) after matrix (2, 3) to (2, 3)."""
    return np.asarray((outer @ np.vstack([matrix, [0, 0, 1]]))[:2], np.float32)


def warp(image: Gray, matrix: Floats, border: int) -> Gray:
    """Crop (112, 112) of a picture by a matrix from picture to crop."""
    size = (SIZE, SIZE)
    crop = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(crop, np.uint8)


def random_border(rng: np.random.Generator) -> int:
    return int(rng.choice([cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT, cv2.BORDER_REFLECT]))


def random_window(rng: np.random.Generator, picture: Gray, shortest: int = 40) -> Gray:
    """Random square of a picture, of any size and rotation, resampled to (112, 112)."""
    height, width = picture.shape
    side = rng.uniform(shortest, min(height, width))
    turn = rng.uniform(-180, 180)
    centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, turn, SIZE / side), np.float64)
    matrix[:, 2] += SIZE / 2 - np.array(centre)
    return warp(picture, matrix.astype(np.float32), cv2.BORDER_REFLECT)


def light(rng: np.random.Generator, crop: Gray) -> Floats:
    """Random gamma, contrast, brightness and light gradient; float (112, 112) in 0..255."""
    x = (crop.astype(np.float32) / 255) ** np.float32(np.exp(rng.normal(0, 0.35)))
    x = (x - 0.5) * np.exp(rng.normal(-0.1, 0.25)) + 0.5 + rng.normal(0, 0.08)
    if rng.random() < 0.3:
        ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
        across, down = rng.normal(0, 0.35, 2)
        x = x * np.exp(across * ramp[None] + down * ramp[:, None])
    return np.asarray(np.clip(x * 255, 0, 255), np.float32)


def shrunk(x: Floats, low: int) -> Floats:
    """The crop as a camera sees it that has only ``low`` pixels for its side."""
    small = cv2.resize(x, (low, low), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.float32)


def as_jpeg(crop: Gray, quality: int) -> Gray:
    """The crop after JPEG compression."""
    data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def camera(rng: np.random.Generator, x: Floats) -> Gray:
    """Camera degradation: defocus and motion blur, low resolution, noise, black bars, JPEG."""
    if rng.random() < 0.15:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 2.2)), np.float32)
    if rng.random() < 0.08:
        length = int(rng.integers(3, 10))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        x = np.asarray(cv2.filter2D(x, -1, kernel if rng.random() < 0.7 else kernel.T), np.float32)
    if rng.random() < 0.25:
        low = int(rng.integers(22, 90))
        x = shrunk(x, low)
    if rng.random() < 0.4:
        x = x + rng.standard_normal(x.shape, np.float32) * rng.uniform(1, 12)
    if rng.random() < 0.07:
        bar = int(rng.integers(2, 40))
        x = np.rot90(x, int(rng.integers(4))).copy()
        x[:bar] = rng.choice([0, 16, 255])
    crop = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        crop = as_jpeg(crop, int(rng.integers(15, 80)))
    return crop


class Augmenter:
    """Draws augmented positives and negatives from a face set."""

    def __init__(self, faces: FaceSet, pictures: list[Gray], mirror: NDArray[np.int64]) -> None:
        self.faces, self.pictures, self.mirror = faces, pictures, mirror
        shapes = np.random.default_rng(7)
        self.blobs = [_polygons(shapes) for _ in range(48)]
        self.shares = np.cumsum(rarity(faces.points))

    def positive(
        self, rng: np.random.Generator, *, expressive: bool = False
    ) -> tuple[Gray, Floats]:
        """An augmented face (112, 112) and its points (478, 3) in the crop's pixels.

        expressive: draw rare expressions more often, and stretch open mouths further open.
        """
        if expressive:
            row = int(np.searchsorted(self.shares, rng.random()))
        else:
            row = int(rng.integers(len(self.faces.points)))
        points = self.faces.points[row]
        if expressive and rng.random() < 0.3:
            crop, placed = self._opened(rng, row)
        else:
            matrix = upright_matrix(points[IBUG, :2], SIZE)
            matrix = compose(jitter(rng, wild=0.3), matrix)
            crop = warp(self.faces.images[row], matrix, random_border(rng))
            placed = moved(points, matrix)
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            placed = placed[self.mirror]
            placed[:, 0] = SIZE - 1 - placed[:, 0]
        return self.seen(rng, crop, placed), placed

    def seen(self, rng: np.random.Generator, crop: Gray, points: Floats) -> Gray:
        """Augment background, light, occlusion and camera of a crop with points (K, 2 or 3)."""
        if rng.random() < 0.4:
            crop = self._on_background(rng, crop, points)
        lit = light(rng, crop)
        if rng.random() < 0.3:
            self._occlude(rng, lit, points)
        return camera(rng, lit)

    def _opened(self, rng: np.random.Generator, row: int) -> tuple[Gray, Floats]:
        """A face whose open mouth is stretched further open; everything below moves down.

        Stretches the rows of the upright face between the inner lips; a shut mouth, which has no
        rows there, stays unchanged.
        """
        upright = upright_matrix(self.faces.points[row, IBUG, :2], SIZE)
        points = moved(self.faces.points[row], upright)
        kept = points[IBUG]
        top, bottom = float(kept[61:64, 1].mean()), float(kept[65:68, 1].mean())
        gap, eyes = bottom - top, float(np.linalg.norm(kept[36] - kept[45]))
        factor = 1.0
        if gap > 0.04 * eyes:
            factor = min(4.0, max(1.0, rng.uniform(0.1, 0.65) * eyes / gap))
        grown = np.clip(points[:, 1] - top, 0, gap) * (factor - 1)
        points[:, 1] += grown.astype(np.float32)
        matrix = compose(jitter(rng, wild=0.3), upright_matrix(points[IBUG, :2], SIZE))
        back = cv2.invertAffineTransform(matrix)
        y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
        source_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
        source_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
        source_y -= np.clip(source_y - top, 0, gap * factor) * np.float32(1 - 1 / factor)
        home = cv2.invertAffineTransform(upright)
        crop = cv2.remap(
            self.faces.images[row],
            home[0, 0] * source_x + home[0, 1] * source_y + home[0, 2],
            home[1, 0] * source_x + home[1, 1] * source_y + home[1, 2],
            cv2.INTER_LINEAR,
            borderMode=random_border(rng),
        )
        return np.asarray(crop, np.uint8), moved(points, matrix)

    def negative(self, rng: np.random.Generator) -> Gray:
        """A negative crop (112, 112), without a face at the expected place."""
        kind = rng.random()
        if kind < 0.35:
            crop = self.background(rng)
        elif kind < 0.55:
            crop = self._misplaced(rng)
        elif kind < 0.65:
            crop = self._shuffled(rng)
        else:
            crop = random_window(rng, self._picture(rng))
        return camera(rng, light(rng, crop))

    def background(self, rng: np.random.Generator) -> Gray:
        """Random window of a face picture with at most a fifth of the face."""
        row = int(rng.integers(len(self.faces.points)))
        image, box = self.faces.images[row], self.faces.points[row, IBUG, :2]
        low, high = box.min(0), box.max(0)
        while True:
            side = rng.uniform(30, 120)
            corner = rng.uniform(-10, 234 - side, 2)
            overlap = np.minimum(high, corner + side) - np.maximum(low, corner)
            shared = np.prod(np.maximum(overlap, 0))
            if shared < 0.2 * min(np.prod(high - low), side * side):
                break
        scale = SIZE / side
        matrix = np.hstack([np.eye(2) * scale, -corner[:, None] * scale]).astype(np.float32)
        crop = warp(image, matrix, random_border(rng))
        return np.ascontiguousarray(np.rot90(crop, int(rng.integers(4))))

    def _misplaced(self, rng: np.random.Generator) -> Gray:
        """A face that is far too large, too small, off centre or upside down."""
        row = int(rng.integers(len(self.faces.points)))
        matrix = upright_matrix(self.faces.points[row, IBUG, :2], SIZE)
        kind, angle, scale, shift = rng.random(), rng.uniform(-40, 40), 1.0, np.zeros(2)
        if kind < 0.3:
            scale, shift = rng.uniform(2.6, 5), rng.normal(0, 40, 2)
        elif kind < 0.5:
            scale, shift = rng.uniform(0.15, 0.36), rng.normal(0, 15, 2)
        elif kind < 0.8:
            aside = rng.uniform(0, 2 * np.pi)
            shift = rng.uniform(0.75, 1.1) * SIZE * np.array([np.cos(aside), np.sin(aside)])
        else:
            angle = rng.uniform(125, 235)
        middle = ((SIZE - 1) / 2, (SIZE - 1) / 2)
        turn = np.asarray(cv2.getRotationMatrix2D(middle, angle, scale), np.float64)
        turn[:, 2] += shift
        outer = np.vstack([turn, [0, 0, 1]]).astype(np.float32)
        return warp(self.faces.images[row], compose(outer, matrix), random_border(rng))

    def _shuffled(self, rng: np.random.Generator) -> Gray:
        crop, _ = self._plain(rng)
        tile = SIZE // 4
        tiles = crop.reshape(4, tile, 4, tile).swapaxes(1, 2).reshape(16, tile, tile)
        mixed = tiles[rng.permutation(16)].reshape(4, 4, tile, tile)
        return np.ascontiguousarray(mixed.swapaxes(1, 2).reshape(SIZE, SIZE))

    def _plain(self, rng: np.random.Generator) -> tuple[Gray, int]:
        row = int(rng.integers(len(self.faces.points)))
        matrix = upright_matrix(self.faces.points[row, IBUG, :2], SIZE)
        return warp(self.faces.images[row], matrix, cv2.BORDER_REPLICATE), row

    def _picture(self, rng: np.random.Generator) -> Gray:
        pool = self.pictures if rng.random() < 0.7 else self.blobs
        return pool[int(rng.integers(len(pool)))]

    def _on_background(self, rng: np.random.Generator, crop: Gray, points: Floats) -> Gray:
        """Replace the background: the data's own ends in stripes of border pixels."""
        hull = cv2.convexHull(np.ascontiguousarray(points[:, :2]))[:, 0]
        middle = hull.mean(0)
        grown = middle + (hull - middle) * rng.uniform(1.1, 1.45)
        mask = np.zeros((SIZE, SIZE), np.float32)
        cv2.fillConvexPoly(mask, grown.round().astype(np.int32), 1.0)
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.7, 3)), np.float32)
        other = random_window(rng, self._picture(rng)).astype(np.float32)
        other = (other - other.mean()) * rng.uniform(0.2, 1.2) + rng.uniform(0, 255)
        mixed = crop * soft + np.clip(other, 0, 255) * (1 - soft)
        return np.asarray(mixed, np.float32).astype(np.uint8)

    def _occlude(self, rng: np.random.Generator, lit: Floats, points: Floats) -> None:
        """Draw one or two occluders near the face, plain or textured, in place."""
        for _ in range(int(rng.integers(1, 3))):
            mask = np.zeros((SIZE, SIZE), np.uint8)
            x, y = points[int(rng.integers(len(points))), :2] + rng.normal(0, 10, 2)
            half = (int(rng.uniform(4, 34)), int(rng.uniform(4, 26)))
            turn = float(rng.uniform(0, 180))
            if rng.random() < 0.5:
                cv2.ellipse(mask, (int(x), int(y)), half, turn, 0, 360, 1, -1)
            else:
                box = cv2.boxPoints(((float(x), float(y)), (2.0 * half[0], 2.0 * half[1]), turn))
                cv2.fillConvexPoly(mask, box.round().astype(np.int32), 1)
            patch = random_window(rng, self._picture(rng)).astype(np.float32)
            patch = (patch - patch.mean()) * rng.uniform(0, 1) + rng.uniform(0, 255)
            np.copyto(lit, np.clip(patch, 0, 255), where=mask.astype(bool))


def rarity(points: Floats) -> NDArray[np.float64]:
    """Sampling probability of each face (N,), higher for open mouths, shut or wide-open eyes."""
    kept = points[:, IBUG]
    eyes = np.linalg.norm(kept[:, 36] - kept[:, 45], axis=-1)
    mouth = np.linalg.norm(kept[:, 62] - kept[:, 66], axis=-1) / eyes
    lids = np.linalg.norm(kept[:, [37, 44]] - kept[:, [41, 46]], axis=-1).mean(1) / eyes
    weights = 1 + 3 * np.clip((mouth - 0.15) / 0.15, 0, 1)
    weights += np.where((lids < 0.05) | (lids > 0.115), 2.0, 0.0)
    return np.asarray(weights / weights.sum(), np.float64)


def moved(points: Floats, matrix: Floats) -> Floats:
    """Transform points (K, 3) by a matrix (2, 3); depth is scaled too."""
    placed = np.empty_like(points)
    placed[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    placed[:, 2] = points[:, 2] * np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return placed


def _polygons(rng: np.random.Generator) -> Gray:
    """A picture (256, 256) of random polygons, lines and noise."""
    picture = np.full((256, 256), rng.integers(256), np.uint8)
    for _ in range(int(rng.integers(2, 25))):
        corners = rng.integers(-40, 296, (int(rng.integers(3, 7)), 2)).astype(np.int32)
        cv2.fillPoly(picture, [corners], int(rng.integers(256)))
    noise = rng.normal(0, rng.uniform(0, 40), picture.shape)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.1, 6))
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)


@dataclass
class Batch:
    """crops (N, 112, 112), the P positives first; points (P, 478, 3); face: bool (N,)."""

    crops: Gray
    points: Floats
    face: NDArray[np.bool_]


class Batches(Dataset[Batch]):
    """Data set whose item `step` is that step's whole batch, deterministic by the seed."""

    def __init__(
        self, augmenter: Augmenter, seed: int, steps: int, batch: int, expressive: int
    ) -> None:
        """expressive: first step with rare expressions drawn more often."""
        self.augmenter, self.seed, self.steps = augmenter, seed, steps
        self.expressive = expressive
        self.positives, self.negatives = batch - batch // 8, batch // 8

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, step))
        expressive = step >= self.expressive
        drawn = [self.augmenter.positive(rng, expressive=expressive) for _ in range(self.positives)]
        empty = [self.augmenter.negative(rng) for _ in range(self.negatives)]
        face = np.arange(self.positives + self.negatives) < self.positives
        crops = np.stack([crop for crop, _ in drawn] + empty)
        return Batch(crops, np.stack([points for _, points in drawn]), face)
