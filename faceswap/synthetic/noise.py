"""Seeded value noise and fractal noise."""

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
