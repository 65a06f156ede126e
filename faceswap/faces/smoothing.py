"""Calm alignment: zero-phase smoothing of a track's similarity, never of its points.

Scale, angle and place of a face are each followed by a local quadratic over a symmetric window
(Savitzky & Golay 1964, with Gaussian weights), which neither lags nor flattens a slow peak. What
the quadratic leaves is noise, which changes its sign from frame to frame, or motion too fast for
it, which doesn't: the smoothed rest is put back as far as it stands out of the noise, so that fast
motion keeps its peaks.
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


_REACH = 8
_REST_REACH = 3
_REST_WIDTH = 1.0
LOOK_AHEAD = _REACH + _REST_REACH
"""How many frames the smoother must see beyond the one it answers for."""
_WIDTH = 7.0
_NOISE = 0.02


def smooth(similarities: Iterable[Matrix], strength: float = 0.5) -> list[Matrix]:
    """One shot of one track, smoothed: matrices (2, 3), frame -> face space, frame after frame.

    strength: 0 (off) to 1. Call it once for each shot: at a cut nothing is carried over.
    """
    smoother = Smoother(strength)
    calm = [done for similarity in similarities for done in smoother.push(similarity)]
    return calm + smoother.flush()


class Smoother:
    """`smooth` for a stream: gives the identical matrices `LOOK_AHEAD` frames later."""

    def __init__(self, strength: float = 0.5) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0 to 1, not {strength}")
        self._strength = strength
        self._reset()

    def push(self, similarity: Matrix) -> list[Matrix]:
        """Take the next frame's matrix; the smoothed matrices that are ready, in order."""
        if self._strength == 0:
            return [np.array(similarity, np.float64)]
        self._rows.append(_row(similarity))
        return self._ready(ended=False)

    def flush(self) -> list[Matrix]:
        """The remaining matrices at a track's end or a cut; the next push begins a new shot."""
        calm = self._ready(ended=True)
        self._reset()
        return calm

    def _reset(self) -> None:
        # Rows and fits of the frames from `_first` on; older ones no window reaches any more.
        self._rows: list[Curve] = []
        self._fits: list[Curve] = []
        self._first = 0
        self._fitted = 0
        self._given = 0

    def _ready(self, *, ended: bool) -> list[Matrix]:
        last = self._first + len(self._rows) - 1
        while self._fitted + (0 if ended else _REACH) <= last:
            self._fits.append(self._fit(self._fitted, last))
            self._fitted += 1
        calm = []
        while self._given + (0 if ended else LOOK_AHEAD) <= last:
            calm.append(self._calm(self._given))
            self._given += 1
        old = self._given - LOOK_AHEAD - self._first
        if old > 64:
            del self._rows[:old], self._fits[:old]
            self._first += old
        return calm

    def _fit(self, frame: int, last: int) -> Curve:
        """How far the local quadratic runs from the frame's own row."""
        begin, end = max(frame - _REACH, 0), min(frame + _REACH, last)
        rows = np.stack(self._rows[begin - self._first : end + 1 - self._first])
        away = rows - self._rows[frame - self._first]
        away[:, 1] = (away[:, 1] + math.pi) % (2 * math.pi) - math.pi
        return _kernel(frame - begin, end - frame, _WIDTH * self._strength) @ away

    def _calm(self, frame: int) -> Matrix:
        begin, end = max(frame - _REST_REACH, 0), min(frame + _REST_REACH, self._fitted - 1)
        rests = -np.stack(self._fits[begin - self._first : end + 1 - self._first])
        rest = _kernel(frame - begin, end - frame, _REST_WIDTH) @ rests
        row = self._rows[frame - self._first]
        # Face space's unit is the eye distance: exp(-row[0]) of it is one pixel's share.
        moved = np.hypot(rest[2], rest[3]) * math.exp(row[0])
        stands_out = float(moved**2 + rest[0] ** 2 + rest[1] ** 2)
        share = stands_out / (stands_out + (_NOISE * self._strength) ** 2)
        return _matrix(row + self._fits[frame - self._first] + share * rest)


@functools.cache
def _kernel(before: int, after: int, width: float) -> NDArray[np.float64]:
    """Weights (before + 1 + after,) that give a local quadratic's value at its own frame.

    Weighted least squares; fewer than three frames allow only a line or a constant.
    """
    offset = np.arange(-before, after + 1, dtype=np.float64)
    trust = np.exp(-0.5 * (offset / width) ** 2)
    degree = min(2, before + after)
    basis = offset[:, None] ** np.arange(degree + 1)
    weighted = basis * trust[:, None]
    row: NDArray[np.float64] = np.linalg.pinv(basis.T @ weighted)[0] @ weighted.T
    return row


def _row(similarity: Matrix) -> Curve:
    """log scale, angle, and the place in the frame of face space's origin."""
    matrix = np.asarray(similarity, np.float64)
    back = invert(matrix)
    scale = math.log(math.hypot(matrix[0, 0], matrix[1, 0]))
    return np.array([scale, math.atan2(matrix[1, 0], matrix[0, 0]), back[0, 2], back[1, 2]])


def _matrix(row: Curve) -> Matrix:
    scale, angle = math.exp(row[0]), float(row[1])
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([linear, -linear @ row[2:, None]])
