"""Which pictures are trained on, which are held out, and which are left out between them."""

from collections.abc import Iterator
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

HELD_OUT_GAP = 1.0
"""Seconds between a held-out picture and the nearest training picture. Closer frames are nearly the
same picture, and overfitting would go unnoticed."""

_MAX_LOST = 0.2  # largest share of pictures lost in the gaps
_MIN_PICTURES = 40  # with fewer pictures, none is held out


class Role(IntEnum):
    """Role of a picture in the split."""

    TRAINING = 0
    HELD_OUT = 1
    GAP = 2
    """Unused: too close in time to held-out pictures."""


def split_roles(
    seconds: NDArray[np.float64],
    sources: NDArray[np.int_],
    share: float = 0.05,
    most: int = 64,
    runs: int = 4,
) -> NDArray[np.int8]:
    """Split N pictures into training and held-out ones; returns their ``Role``, int8 (N,).

    seconds (N,): time of a picture in its video; sources (N,): number of the video. A ``share`` of
    them, ``most`` at most, is held out in up to ``runs`` evenly spaced intervals; pictures within
    ``HELD_OUT_GAP`` of these are not used. In short videos there are fewer intervals; with fewer
    than 40 pictures, or less than about five seconds, none is held out.
    """
    count = len(seconds)
    found = np.zeros(count, np.int8)
    if count < _MIN_PICTURES:
        return found
    order = np.lexsort((seconds, sources))
    wanted = min(most, max(runs, round(share * count)))
    for places in _candidates(count, wanted, runs):
        held = np.zeros(count, np.bool_)
        held[order[places]] = True
        near = _near(held, seconds, sources) & ~held
        if near.sum() <= _MAX_LOST * count:
            found[held], found[near] = Role.HELD_OUT, Role.GAP
            break
    return found


def _candidates(count: int, wanted: int, runs: int) -> Iterator[NDArray[np.int_]]:
    """Candidate splits: about ``wanted`` of ``count`` indices, with the most intervals first."""
    for number in range(runs, 0, -1):
        length = wanted // number
        starts = [round((run + 0.5) * count / number) - length // 2 for run in range(number)]
        yield np.concatenate([np.arange(start, start + length) for start in starts])
    yield np.arange(count - wanted, count)  # at the end, where there is a gap on one side only


def _near(
    held: NDArray[np.bool_], seconds: NDArray[np.float64], sources: NDArray[np.int_]
) -> NDArray[np.bool_]:
    """Which pictures are less than ``HELD_OUT_GAP`` from a held-out one of the same video."""
    near = np.zeros(len(held), np.bool_)
    for source in np.unique(sources[held]):
        in_source = sources == source
        times = np.sort(seconds[in_source & held])
        after = np.searchsorted(times, seconds[in_source])
        before = times[np.maximum(after - 1, 0)]
        following = times[np.minimum(after, len(times) - 1)]
        distance = np.minimum(
            np.abs(seconds[in_source] - before), np.abs(following - seconds[in_source])
        )
        # Tolerance for rounded timestamps.
        near[in_source] = distance < HELD_OUT_GAP - 1e-6
    return near
