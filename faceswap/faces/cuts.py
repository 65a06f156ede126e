"""Cut detection: whether a new shot begins with a frame, frame by frame."""

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import ProjectError
from faceswap.types import UInt8Image

__all__ = ["BlockCutDetector", "CutDetector"]

_Thumb = NDArray[np.uint8]

_SIDE, _BLOCK = 32, 4  # pixels of the thumbnail and of the blocks that are matched
_REACH = 4  # pixels of the thumbnail that a block may move between two frames: an eighth of it
_SAME = 6.0  # of 255 levels: frames that differ by less on average are of one shot
_FLAT = 8.0  # of 255 levels: a frame whose deviation is less, such as a white flash, shows nothing
_UNLIKE = 0.3  # deviations by which the blocks of two shots differ at least, on average
_STANDS_OUT = 2.5  # times as much as frames differed just before: those of a fast pan all do
_RECENT = 2  # frames before
_WHITE = 250  # of 255 levels: a flash turns so many more pixels white
_WHITENED = 0.3
_FLASH = 3  # frames that a flash lasts at most


class CutDetector(Protocol):
    """Finds the cuts of one clip, frame by frame in presentation order."""

    def update(self, frame: UInt8Image) -> bool:
        """Whether a new shot begins with the clip's next frame (H, W, 3)."""

    def state(self) -> dict[str, Any]:
        """Complete state to resume from, as JSON data."""

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`. Raises ProjectError when it is invalid."""


class BlockCutDetector:
    """Finds cuts by matching blocks of the frame in the last one that showed something.

    Blocks may move, as they do a lot at few frames per second. Brightness and contrast are taken
    out, and frames that show nothing are passed over, so that neither a flash nor a fade is a cut.

    Own code: PySceneDetect's AdaptiveDetector, the best of its detectors, answers two frames late
    and takes flashes and changes of light for cuts; docs/performance.md has the figures.
    """

    def __init__(self) -> None:
        self._before: _Thumb | None = None
        self._shape: tuple[int, ...] | None = None
        self._recent = [0.0] * _RECENT
        self._flashed = 0

    def update(self, frame: UInt8Image) -> bool:
        """Whether a new shot begins with the clip's next frame (H, W, 3)."""
        resized = self._shape not in (None, frame.shape)
        self._shape = frame.shape
        if frame.size == 0:
            return resized
        now = _thumbnail(frame)
        before = self._before
        if before is None or resized:
            self._before = now
            return resized
        if now.std() < _FLAT or self._is_flash(before, now):
            return False
        self._before, self._flashed = now, 0
        if before.std() < _FLAT:
            return False
        found, usual = unlikeness(before, now), sum(self._recent) / _RECENT
        self._recent = [*self._recent[1:], found]
        return found > max(_UNLIKE, _STANDS_OUT * usual)

    def _is_flash(self, before: _Thumb, now: _Thumb) -> bool:
        """Whether much turned white, for a few frames at most."""
        added = (now >= _WHITE).mean() - (before >= _WHITE).mean()
        self._flashed += 1
        return bool(added > _WHITENED) and self._flashed <= _FLASH

    def state(self) -> dict[str, Any]:
        """Complete state to resume from, as JSON data."""
        return {
            "shape": self._shape,
            "before": None if self._before is None else self._before.tolist(),
            "recent": self._recent,
            "flashed": self._flashed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`. Raises ProjectError when it is invalid."""
        try:
            before, shape = state["before"], state["shape"]
            self._recent = [float(value) for value in state["recent"]]
            self._flashed = int(state["flashed"])
            self._shape = None if shape is None else tuple(int(n) for n in shape)
            self._before = (
                None if before is None else np.asarray(before, np.uint8).reshape(_SIDE, _SIDE, 3)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError("The stored state of the cut detector is damaged.") from error


def _thumbnail(frame: UInt8Image) -> _Thumb:
    """The frame at 32 by 32 pixels, each the mean of some 64 that are spread over its part."""
    rows, columns = (max(1, size // (8 * _SIDE)) for size in frame.shape[:2])
    sampled = np.ascontiguousarray(frame[::rows, ::columns])
    return np.asarray(cv2.resize(sampled, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def unlikeness(before: _Thumb, now: _Thumb) -> float:
    """How unlike two thumbnails are, in deviations, as they are or with their brightness equal.

    Equal: with a mean of 0 and a deviation of 1.
    """
    one, other = before.astype(np.float32), now.astype(np.float32)
    if np.abs(one - other).mean() < _SAME:
        return 0.0
    first, second = max(float(one.std()), _FLAT), max(float(other.std()), _FLAT)
    as_they_are = _block_difference(one, other) / max(first, second)
    if as_they_are <= _UNLIKE:
        return as_they_are
    equal = _block_difference((one - one.mean()) / first, (other - other.mean()) / second)
    return min(as_they_are, equal)


def _block_difference(before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Mean difference of the blocks of ``now`` from those they resemble most in ``before``."""
    around = cv2.copyMakeBorder(before, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
    blocks = (_SIDE // _BLOCK, _SIDE // _BLOCK)
    moves = range(2 * _REACH + 1)
    changes = [
        cv2.resize(
            cv2.absdiff(around[y : y + _SIDE, x : x + _SIDE], now),
            blocks,
            interpolation=cv2.INTER_AREA,
        )
        for y in moves
        for x in moves
    ]
    return float(np.stack(changes).mean(3).min(0).mean())
