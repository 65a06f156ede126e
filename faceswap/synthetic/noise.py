"""Seeded value noise and fractal noise."""

from functools import lru_cache

import cv2
import numpy as np

from faceswap.types import FloatImage


def smooth_noise(
    rng: np.random.Generator, size: tuple[int, int], cell: tuple[float, float]
) -> FloatImage:
    """Value noise of mean 0 and standard deviation of about 1, ``size`` (H, W).

    cell: feature size (rows, columns) in pixels; different values give streaks.
    """
    rows = max(2, round(size[0] / cell[0]) + 2)
    columns = max(2, round(size[1] / cell[1]) + 2)
    coarse = rng.standard_normal((rows, columns), np.float32)
    fine = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    # Interpolation lowers the standard deviation; the factor restores it.
    return np.asarray(fine * np.float32(1.25), np.float32)


def fractal_noise(
    rng: np.random.Generator, size: tuple[int, int], cell: float, octaves: int = 4
) -> FloatImage:
    """Fractal noise: octaves from ``cell`` pixels down, each half the size and strength."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        step = max(1.0, cell / 2**octave)
        total += smooth_noise(rng, size, (step, step)) * np.float32(0.5**octave)
    return total / np.float32(1.15)  # sqrt(1 + 1/4 + 1/16 + …), for unit standard deviation


@lru_cache(maxsize=48)
def _sheet(size: tuple[int, int], cell: tuple[float, float], octaves: int) -> FloatImage:
    """A sheet of noise half as large again as ``size``, the same for all (cached, read only)."""
    rng = np.random.default_rng((977, round(cell[0] * 100), round(cell[1] * 100), octaves))
    large = (size[0] * 3 // 2, size[1] * 3 // 2)
    if octaves == 1:
        sheet = smooth_noise(rng, large, cell)
    else:
        sheet = fractal_noise(rng, large, cell[0], octaves)
    sheet.setflags(write=False)
    return sheet


def noise_window(
    rng: np.random.Generator,
    size: tuple[int, int],
    cell: tuple[float, float],
    octaves: int = 1,
) -> FloatImage:
    """A random window (H, W) of a sheet of noise, read only: as ``smooth_noise``, or with more
    octaves as ``fractal_noise``, and much faster."""
    sheet = _sheet(size, cell, octaves)
    top = int(rng.integers(sheet.shape[0] - size[0]))
    left = int(rng.integers(sheet.shape[1] - size[1]))
    window = sheet[top : top + size[0], left : left + size[1]]
    if rng.random() < 0.5:
        window = window[:, ::-1]
    return window if rng.random() < 0.5 else -window
