"""Alignment smoothing: zero-phase filter on a track's similarity transforms, not its points.

Savitzky-Golay smoothing (1964; local quadratic, Gaussian weights) of log scale, angle and position
over a symmetric window, which neither lags nor flattens slow peaks. Its residual is noise, which
alternates from frame to frame, or motion too fast for the quadratic, which does not. So the
smoothed residual is added back with a Wiener gain, and fast motion is not damped.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import invert
from faceswap.types import Curve, Matrix

__all__ = ["LOOK_AHEAD", "Smoother", "smooth"]


_RADIUS = 8
"""Window radius in frames: over two deviations of the weights at the default strength."""
_RESIDUAL_RADIUS = 3
_RESIDUAL_WIDTH = 1.0
"""Deviation of the residual's weights in frames; 9 % of noise that alternates in sign is left."""
LOOK_AHEAD = _RADIUS + _RESIDUAL_RADIUS
"""Latency in frames: how far the smoother sees beyond the frame it returns."""
_WIDTH = 7.0
"""Deviation of the Gaussian weights in frames, at strength 1."""
_NOISE = 0.02
"""Residual with a gain of one half at strength 1: eye distances, log scale and radians."""


def smooth(similarities: Iterable[Matrix], strength: float = 0.5) -> list[Matrix]:
    """Smooth one shot of one track: matrices (2, 3), frame -> face space, of consecutive frames.

    strength: 0 (off) to 1. Call it once per shot, so that nothing is smoothed across a cut.
    """
    smoother = Smoother(strength)
    smoothed = [done for similarity in similarities for done in smoother.push(similarity)]
    return smoothed + smoother.flush()


class Smoother:
    """Streaming `smooth`: returns identical matrices, `LOOK_AHEAD` frames later."""

    def __init__(self, strength: float = 0.5) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0 to 1, not {strength}")
        self._strength = strength
        self._reset()

    def push(self, similarity: Matrix) -> list[Matrix]:
        """Add the next frame's matrix; returns the smoothed matrices that are ready, in order."""
        if self._strength == 0:
            return [np.array(similarity, np.float64)]
        self._rows.append(_row(similarity))
        return self._ready(ended=False)

    def flush(self) -> list[Matrix]:
        """Return the remaining matrices at a track's end or a cut and reset for a new shot."""
        smoothed = self._ready(ended=True)
        self._reset()
        return smoothed

    def _reset(self) -> None:
        # Rows and fits from frame `_first` on; older ones are outside of all windows.
        self._rows: list[Curve] = []
        self._fits: list[Curve] = []
        self._first = 0
        self._fitted = 0
        self._given = 0

    def _ready(self, *, ended: bool) -> list[Matrix]:
        last = self._first + len(self._rows) - 1
        while self._fitted + (0 if ended else _RADIUS) <= last:
            self._fits.append(self._fit(self._fitted, last))
            self._fitted += 1
        smoothed = []
        while self._given + (0 if ended else LOOK_AHEAD) <= last:
            smoothed.append(self._smoothed(self._given))
            self._given += 1
        old = self._given - LOOK_AHEAD - self._first
        if old > 64:
            del self._rows[:old], self._fits[:old]
            self._first += old
        return smoothed

    def _fit(self, frame: int, last: int) -> Curve:
        """Local quadratic minus the frame's own row, at that frame."""
        begin, end = max(frame - _RADIUS, 0), min(frame + _RADIUS, last)
        rows = np.stack(self._rows[begin - self._first : end + 1 - self._first])
        offsets = rows - self._rows[frame - self._first]
        offsets[:, 1] = (offsets[:, 1] + math.pi) % (2 * math.pi) - math.pi
        return _kernel(frame - begin, end - frame, _WIDTH * self._strength) @ offsets

    def _smoothed(self, frame: int) -> Matrix:
        begin, end = (
            max(frame - _RESIDUAL_RADIUS, 0),
            min(frame + _RESIDUAL_RADIUS, self._fitted - 1),
        )
        residuals = -np.stack(self._fits[begin - self._first : end + 1 - self._first])
        residual = _kernel(frame - begin, end - frame, _RESIDUAL_WIDTH) @ residuals
        row = self._rows[frame - self._first]
        # exp(row[0]) is the scale from frame pixels to eye distances, the unit of face space.
        shift = np.hypot(residual[2], residual[3]) * math.exp(row[0])
        power = float(shift**2 + residual[0] ** 2 + residual[1] ** 2)
        gain = power / (power + (_NOISE * self._strength) ** 2)
        return _matrix(row + self._fits[frame - self._first] + gain * residual)


@functools.cache
def _kernel(before: int, after: int, width: float) -> NDArray[np.float64]:
    """Savitzky-Golay kernel (before + 1 + after,) of degree 2, evaluated at its own frame.

    Weighted least squares; fewer than three frames lower the degree to 1 or 0.
    """
    offset = np.arange(-before, after + 1, dtype=np.float64)
    weights = np.exp(-0.5 * (offset / width) ** 2)
    degree = min(2, before + after)
    basis = offset[:, None] ** np.arange(degree + 1)
    weighted = basis * weights[:, None]
    row: NDArray[np.float64] = np.linalg.pinv(basis.T @ weighted)[0] @ weighted.T
    return row


def _row(similarity: Matrix) -> Curve:
    """Parameters (4,): log scale, angle, and the origin of face space in frame pixels."""
    matrix = np.asarray(similarity, np.float64)
    back = invert(matrix)
    scale = math.log(math.hypot(matrix[0, 0], matrix[1, 0]))
    return np.array([scale, math.atan2(matrix[1, 0], matrix[0, 0]), back[0, 2], back[1, 2]])


def _matrix(row: Curve) -> Matrix:
    scale, angle = math.exp(row[0]), float(row[1])
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([linear, -linear @ row[2:, None]])
