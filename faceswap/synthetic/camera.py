"""From linear light to the picture of a camera: exposure, lens, sensor, noise and compression."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.rasteriser import F32, compiled
from faceswap.synthetic.shading import Shaded
from faceswap.types import UInt8Image


@dataclass(frozen=True)
class Camera:
    """A camera. distance: from the head, cm. view: height of the picture at the head, cm. centre:
    the point in the middle of the picture, cm.

    softness: standard deviation of the blur as a share of the picture's height, as of a common
    camera and codec. noise: standard deviation in 8-bit steps; shot: more of it in bright parts.
    exposure, balance: factors of brightness and of red, green and blue; contrast: 1 is neutral;
    motion: length of the blur as a share of the height, and its angle in degrees; vignette: loss
    of light in the corners; lines: height of the sensor as a share of the picture's, 1 for all;
    sharpen: strength; jpeg: quality, 0 for none.
    """

    distance: float = 85.0
    view: float = 29.0
    centre: tuple[float, float] = (0.0, -2.2)
    noise: float = 1.0
    softness: float = 0.003
    shot: float = 0.0
    exposure: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    motion: tuple[float, float] = (0.0, 0.0)
    vignette: float = 0.0
    lines: float = 1.0
    sharpen: float = 0.0
    jpeg: int = 0


def toned(linear: F32) -> F32:
    """Tone curve that compresses highlights; the same as in ``downsample``."""
    x = linear * np.float32(0.62)
    return np.asarray(x * (1 + x / 4) / (1 + np.float32(0.55) * x), np.float32)


@compiled
def downsample(fine: F32, alpha: F32, gain: F32, q: int, out: F32) -> None:
    """Tone-map ``fine`` (H·q, W·q, 3), linear, times ``gain`` (3,), and average it with its alpha
    (H·q, W·q) into ``out`` (H, W, 4), premultiplied. Mapping before averaging keeps edges of
    highlights smooth."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            for n in range(4):
                total = np.float32(0)
                for dy in range(q):
                    for dx in range(q):
                        row, column = y * q + dy, x * q + dx
                        if n == 3:
                            total += alpha[row, column]
                            continue
                        value = fine[row, column, n] * gain[n] * np.float32(0.62)
                        value *= (1 + value / 4) / (1 + np.float32(0.55) * value)
                        total += value * alpha[row, column]
                out[y, x, n] = total / np.float32(q * q)


@compiled
def majority(fine: Any, q: int, out: Any) -> None:
    """The most frequent label of each q × q block of ``fine``; the first of equals."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            counts = np.zeros(16, np.int64)
            for dy in range(q):
                for dx in range(q):
                    counts[fine[y * q + dy, x * q + dx]] += 1
            best = fine[y * q, x * q]
            for dy in range(q):
                for dx in range(q):
                    here = fine[y * q + dy, x * q + dx]
                    if counts[here] > counts[best]:
                        best = here
            out[y, x] = best


def labels_of(shaded: Shaded, q: int) -> UInt8Image:
    """Labels (H, W) of the picture, by majority of its q × q samples."""
    height, width = shaded.label.shape
    out = np.zeros((height // q, width // q), np.uint8)
    majority(shaded.label, q, out)
    return out


def developed(
    fine: F32, alpha: F32, behind: F32, camera: Camera, q: int, rng: np.random.Generator
) -> UInt8Image:
    """The picture (H, W, 3) of ``fine`` (H·q, W·q, 3), linear, before ``behind`` (H, W, 3)."""
    height, width = behind.shape[:2]
    gain = (np.array(camera.balance) * camera.exposure).astype(np.float32)
    mean = np.empty((height, width, 4), np.float32)
    downsample(fine, alpha, gain, q, mean)
    picture = mean[..., :3] + toned(behind * gain) * (1 - mean[..., 3:])
    if camera.motion[0] * height > 0.7:
        picture = _moved(picture, camera.motion[0] * height, camera.motion[1])
    if camera.softness > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.2, camera.softness * height))
    if camera.vignette:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        picture = picture * (1 - camera.vignette * (x * x + y * y) / 2)[..., None]
    picture = np.power(np.clip(picture, 0, 1), np.float32(1 / 2.2))
    if camera.contrast != 1.0:
        picture = np.clip((picture - 0.45) * np.float32(camera.contrast) + 0.45, 0, 1)
    picture = np.asarray(picture * 255, np.float32)
    small = (max(16, round(width * camera.lines)), max(16, round(height * camera.lines)))
    if camera.lines < 1:
        picture = np.asarray(cv2.resize(picture, small, interpolation=cv2.INTER_AREA), np.float32)
    picture = _with_noise(picture, camera, rng)
    if camera.sharpen:
        soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
        picture = picture + np.float32(camera.sharpen) * (picture - soft)
    if camera.lines < 1:
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    done = np.asarray(np.clip(np.round(picture), 0, 255), np.uint8)
    return compressed(done, camera.jpeg) if camera.jpeg else done


def _moved(picture: F32, length: float, angle: float) -> F32:
    side = int(np.ceil(length)) | 1
    kernel = np.zeros((side + 2, side + 2), np.float32)
    middle = (side + 1) / 2
    way = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]) * length / 2
    ends = [tuple(round(float(middle + s * w) * 8) for w in way) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 3)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.float32)


def _with_noise(picture: F32, camera: Camera, rng: np.random.Generator) -> F32:
    size = picture.shape[:2]
    grey = rng.standard_normal((*size, 1), np.float32)
    if camera.shot <= 0:
        return picture + grey * np.float32(camera.noise)
    colour = rng.standard_normal((*size, 3), np.float32)
    level = np.sqrt(np.maximum(picture, 0) / 255)
    strength = np.float32(camera.noise) + np.float32(camera.shot) * level
    return np.asarray(picture + (0.75 * grey + 0.6 * colour) * strength, np.float32)


def compressed(picture: UInt8Image, quality: int) -> UInt8Image:
    """``picture`` as it comes back from a JPEG file of this quality."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be compressed")
    back: NDArray[np.uint8] = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(back[..., ::-1])
