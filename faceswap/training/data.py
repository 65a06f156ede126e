"""Pictures for training, held as one uint8 tensor."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

BUDGET = 4 << 30
"""Bytes a set may take in memory; a larger one lies in a temporary file mapped into it."""


def allocate(
    shape: tuple[int, ...], budget: int = BUDGET, folder: Path | None = None
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
class ImageSet:
    """Pictures, maps that belong to them, and how often each is drawn.

    pictures: uint8 (N, C, H, W). maps: uint8 (N, M, h, w), any further planes, possibly
    smaller; whole numbers of any type where ``take`` is not asked for them. weights: float64
    (N,), not negative, at least one above zero.
    """

    pictures: Tensor
    maps: Tensor
    weights: Tensor

    def __post_init__(self) -> None:
        if not len(self.pictures) == len(self.maps) == len(self.weights) > 0:
            raise ValueError("a set needs pictures, and as many maps and weights")
        if not bool(self.weights.sum() > 0) or bool((self.weights < 0).any()):
            raise ValueError("the weights of a set must not be negative, and not all zero")

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Places (count,) of random pictures, by weight, with replacement."""
        # Never a single one: older versions of PyTorch draw that in another way, which waits for
        # a graphics card.
        several = max(2, count)
        drawn = torch.multinomial(self.weights, several, replacement=True, generator=generator)
        return drawn[:count]

    def take(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The pictures and maps at ``places`` as floats in [0, 1], where the weights are."""
        places, device = places.to(self.pictures.device), self.weights.device
        pictures, maps = self.pictures[places].to(device), self.maps[places].to(device)
        return pictures.float().div_(255), maps.float().div_(255)

    def subset(self, places: Tensor) -> "ImageSet":
        """A set of the pictures at ``places`` (K,) only."""
        return ImageSet(self.pictures[places], self.maps[places], self.weights[places])

    def portions(self, size: int) -> Iterator[Tensor]:
        """The places of all pictures in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            end = min(len(self), start + size)
            yield torch.arange(start, end, device=self.pictures.device)

    def to(self, device: torch.device) -> "ImageSet":
        """The set on ``device``, where it fits into half of the free memory.

        Where not, its pictures stay where they are and go there as they are taken.
        """
        free = _free(device)
        if free is not None and self.pictures.numel() + self.maps.numel() > free // 2:
            return ImageSet(self.pictures, self.maps, self.weights.to(device))
        return ImageSet(self.pictures.to(device), self.maps.to(device), self.weights.to(device))


def _free(device: torch.device) -> int | None:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def held_out(count: int, share: float = 0.05, most: int = 64, runs: int = 4) -> NDArray[np.bool_]:
    """Which of ``count`` pictures, in the order of their time, stay out of training.

    Neighbours in a film are nearly equal, so they are taken in ``runs`` evenly spaced stretches
    rather than one by one. At least ``runs`` pictures where there are ten times as many.
    """
    mask = np.zeros(count, np.bool_)
    wanted = min(most, max(runs, round(share * count)))
    if count < 10 * runs:
        return mask
    length = wanted // runs
    for run in range(runs):
        middle = round((run + 0.5) * count / runs)
        mask[middle - length // 2 : middle - length // 2 + length] = True
    return mask


def balance(
    attributes: NDArray[np.float64], bins: int = 8, most: float = 4.0
) -> NDArray[np.float64]:
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
    return np.asarray(weights / weights.mean(), np.float64)
