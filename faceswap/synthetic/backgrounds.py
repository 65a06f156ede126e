"""What is behind a person: photographs that come with scikit-image, and made-up rooms."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from faceswap.synthetic.noise import fractal_noise

_PHOTOGRAPHS = (
    *("brick.png", "coffee.png", "chelsea.png", "clock_motion.png", "coins.png", "grass.png"),
    *("gravel.png", "hubble_deep_field.jpg", "motorcycle_left.png", "motorcycle_right.png"),
    *("retina.jpg", "rocket.jpg", "text.png", "page.png", "moon.png", "ihc.png"),
)
"""Pictures inside scikit-image's package, all free; none of them shows a person's face."""


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


@cache
def photographs() -> tuple[NDArray[np.float32], ...]:
    """The photographs, linear RGB (H, W, 3), at most 320 pixels high."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    found = []
    for name in _PHOTOGRAPHS:
        with Image.open(folder / name) as page:
            picture = np.asarray(page.convert("RGB"))
        scale = min(1.0, 320 / min(picture.shape[:2]))
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        table = (np.arange(256, dtype=np.float64) / 255) ** 2.2
        found.append(table.astype(np.float32)[small])
    return tuple(found)


def background(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random background, linear RGB (H, W, 3): a photograph's part, a wall, a room, a colour."""
    kind = rng.random()
    if kind < 0.3:
        picture = _photograph(size, rng)
    elif kind < 0.55:
        picture = backdrop(size, int(rng.integers(1 << 30)))
        picture = picture * np.exp(rng.normal(0, 0.35, 3)).astype(np.float32)
    elif kind < 0.85:
        picture = _wall(size, rng)
    else:
        picture = _bars(size, rng)
    return np.asarray(np.clip(picture * float(np.exp(rng.normal(0, 0.35))), 0, 2.5), np.float32)


def _photograph(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    found = photographs()
    whole = found[int(rng.integers(len(found)))]
    side = int(min(whole.shape[:2]) * rng.uniform(0.35, 1.0))
    top = int(rng.integers(whole.shape[0] - side + 1))
    left = int(rng.integers(whole.shape[1] - side + 1))
    part = whole[top : top + side, left : left + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    fine = cv2.resize(np.ascontiguousarray(part), size[::-1], interpolation=cv2.INTER_LINEAR)
    blur = size[0] * float(rng.choice([0.0, 0.006, 0.015, 0.03]))
    if blur > 0.3:
        fine = cv2.GaussianBlur(fine, (0, 0), blur)
    return np.asarray(fine * np.exp(rng.normal(0, 0.12, 3)).astype(np.float32), np.float32)


def _wall(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A wall or a paper background with a slope of light, from white to black, often grey."""
    tone = float(rng.choice([0.75, 0.6, 0.45, 0.3, 0.15, 0.05])) * float(np.exp(rng.normal(0, 0.2)))
    colour = np.clip(tone * np.exp(rng.normal(0, 0.22 * float(rng.random()), 3)), 0.01, 1.2)
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    slope = 1 + rng.normal(0, 0.2) * (x * np.cos(angle) + y * np.sin(angle))
    slope = slope * (1 - abs(rng.normal(0, 0.15)) * (x * x + y * y))
    rough = 1 + 0.03 * fractal_noise(rng, size, size[0] / 5, 4)
    return np.asarray(colour * np.clip(slope * rough, 0.1, 2)[..., None], np.float32)


def _bars(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Shelves, windows, leaves and lamps: many sharp or blurred shapes."""
    base = np.exp(rng.normal(-1.6, 0.5, 3)).astype(np.float32)
    picture = np.ones((*size, 3), np.float32) * base
    for _ in range(int(rng.integers(6, 40))):
        colour = np.exp(rng.normal(-1.4, 0.9)) * np.exp(rng.normal(0, 0.3, 3))
        x, y = rng.uniform(-0.1, 1.1, 2) * size[0]
        w, h = np.exp(rng.normal(-2.2, 0.7, 2)) * size[0]
        tone = tuple(float(c) for c in colour)
        if rng.random() < 0.5:
            cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), tone, -1)
        else:
            axes = (max(1, int(w)), max(1, int(h)))
            cv2.ellipse(picture, (int(x), int(y)), axes, rng.uniform(0, 180), 0, 360, tone, -1)
    blur = size[0] * float(rng.choice([0.003, 0.01, 0.03]))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(blur, 0.3)), np.float32)
