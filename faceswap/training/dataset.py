"""Pictures for training, held as one uint8 tensor."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

MEMORY_BUDGET = 4 << 30
"""Bytes a set may take in memory; a larger one lies in a temporary file mapped into it."""


def allocate_pictures(
    shape: tuple[int, ...], budget: int = MEMORY_BUDGET, folder: Path | None = None
) -> NDArray[np.uint8]:
    """An array to fill with pictures; above ``budget`` bytes a mapped temporary file.

    The file goes into ``folder`` (by default the system's place for temporary files) and is
    nameless: it is gone when the array is.
    """
    size = int(np.prod(shape))
    if size <= budget:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        return np.memmap(file, np.uint8, "r+", shape=shape)


@dataclass(frozen=True)
class ImageDataset:
    """Pictures, maps that belong to them, and how often each is drawn.

    pictures: uint8 (N, C, H, W). maps: uint8 (N, M, h, w), any further planes, possibly
    smaller; whole numbers of any type where ``take`` is not asked for them. weights: float32
    (N,), as not every device has float64; not negative, at least one above zero.
    """

    pictures: Tensor
    maps: Tensor
    weights: Tensor

    def __post_init__(self) -> None:
        if not len(self.pictures) == len(self.maps) == len(self.weights) > 0:
            raise ValueError("a set needs pictures, and as many maps and weights")
        if self.weights.dtype != torch.float32:
            raise ValueError(f"the weights of a set must be float32, not {self.weights.dtype}")
        if not bool(self.weights.sum() > 0) or bool((self.weights < 0).any()):
            raise ValueError("the weights of a set must not be negative, and not all zero")

    def __len__(self) -> int:
        return len(self.pictures)

    def sample_indices(self, count: int, generator: Generator) -> Tensor:
        """Places (count,) of random pictures, by weight, with replacement."""
        # Never a single one: older versions of PyTorch draw that in another way, which waits for
        # a graphics card.
        several = max(2, count)
        drawn = torch.multinomial(self.weights, several, replacement=True, generator=generator)
        return drawn[:count]

    def gather(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures and maps at ``places`` as floats in [0, 1], where the weights are."""
        places, device = places.to(self.pictures.device), self.weights.device
        pictures, maps = self.pictures[places].to(device), self.maps[places].to(device)
        return pictures.float().div_(255), maps.float().div_(255)

    def subset(self, places: Tensor) -> "ImageDataset":
        """A set of the pictures at ``places`` (K,) only."""
        return ImageDataset(self.pictures[places], self.maps[places], self.weights[places])

    def index_batches(self, size: int) -> Iterator[Tensor]:
        """The places of all pictures in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            end = min(len(self), start + size)
            yield torch.arange(start, end, device=self.pictures.device)

    def to(self, device: torch.device) -> "ImageDataset":
        """The set on ``device``, where it fits into half of the free memory.

        Where not, its pictures stay where they are and go there as they are taken.
        """
        free = _free(device)
        if free is not None and self.pictures.numel() + self.maps.numel() > free // 2:
            return ImageDataset(self.pictures, self.maps, self.weights.to(device))
        return ImageDataset(self.pictures.to(device), self.maps.to(device), self.weights.to(device))


def _free(device: torch.device) -> int | None:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


HELD_OUT_GAP = 1.0
"""Seconds between a picture that is held out and the nearest that is trained on: what is nearer
in a film is nearly the same picture, and a model that learns it by heart would seem to do well."""

_LOST = 0.2  # of all pictures, at most, lie between and are of no use
_FEWEST = 40  # pictures of which some are held out


class Role(IntEnum):
    """What a picture is for."""

    TRAINING = 0
    HELD_OUT = 1
    GAP = 2
    """Too near to what is held out to be trained on."""


def split_roles(
    seconds: NDArray[np.float64],
    sources: NDArray[np.int_],
    share: float = 0.05,
    most: int = 64,
    runs: int = 4,
) -> NDArray[np.int8]:
    """The ``Role`` of each of N pictures, int8 (N,).

    seconds (N,): when a picture is shown in its film; sources (N,): which film that is. ``share``
    of them, ``most`` at most, are held out in up to ``runs`` evenly spaced stretches, and what
    lies within ``HELD_OUT_GAP`` of these is left out of training. Where the films are too short for
    that, stretches become fewer; of fewer than 40 pictures, or of less than about five seconds,
    none is held out.
    """
    count = len(seconds)
    found = np.zeros(count, np.int8)
    if count < _FEWEST:
        return found
    order = np.lexsort((seconds, sources))
    wanted = min(most, max(runs, round(share * count)))
    for places in _stretches(count, wanted, runs):
        held = np.zeros(count, np.bool_)
        held[order[places]] = True
        near = _near(held, seconds, sources) & ~held
        if near.sum() <= _LOST * count:
            found[held], found[near] = Role.HELD_OUT, Role.GAP
            break
    return found


def _stretches(count: int, wanted: int, runs: int) -> Iterator[NDArray[np.int_]]:
    """Ways to choose about ``wanted`` of ``count`` places, those of the most stretches first."""
    for number in range(runs, 0, -1):
        length = wanted // number
        starts = [round((run + 0.5) * count / number) - length // 2 for run in range(number)]
        yield np.concatenate([np.arange(start, start + length) for start in starts])
    yield np.arange(count - wanted, count)  # of the end: there is nothing on its other side


def _near(
    held: NDArray[np.bool_], seconds: NDArray[np.float64], sources: NDArray[np.int_]
) -> NDArray[np.bool_]:
    """Which pictures are less than ``HELD_OUT_GAP`` from one that is held out, in the same film."""
    near = np.zeros(len(held), np.bool_)
    for source in np.unique(sources[held]):
        mine = sources == source
        times = np.sort(seconds[mine & held])
        after = np.searchsorted(times, seconds[mine])
        before = times[np.maximum(after - 1, 0)]
        behind = times[np.minimum(after, len(times) - 1)]
        distance = np.minimum(np.abs(seconds[mine] - before), np.abs(behind - seconds[mine]))
        # Timestamps are rounded: what is a second away may be a little less.
        near[mine] = distance < HELD_OUT_GAP - 1e-6
    return near


def balanced_weights(
    attributes: NDArray[np.float64], bins: int = 8, most: float = 4.0
) -> NDArray[np.float32]:
    """Weights (N,) that draw rare values of ``attributes`` (N, K) more often.

    Each column is cut into ``bins`` equal steps between its 2nd and 98th percentile; a picture
    weighs the inverse root of its step's share, multiplied over the columns, limited to
    ``most`` times the median. The mean is 1.
    """
    weights = np.ones(len(attributes))
    for column in attributes.T:
        low, high = np.percentile(column, (2, 98))
        place = np.clip((column - low) / max(high - low, 1e-9) * bins, 0, bins - 1).astype(int)
        share = np.bincount(place, minlength=bins)[place] / len(column)
        weights *= share**-0.5
    weights = np.minimum(weights, most * np.median(weights))
    return np.asarray(weights / weights.mean(), np.float32)
