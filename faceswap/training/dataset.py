"""In-memory image data set (uint8) and balanced sampling weights."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

MEMORY_BUDGET = 4 << 30
"""Bytes a data set may take in memory; a larger one is memory-mapped from a temporary file."""


def allocate_pictures(
    shape: tuple[int, ...], budget: int = MEMORY_BUDGET, folder: Path | None = None
) -> NDArray[np.uint8]:
    """Allocate an array for pictures; above ``budget`` bytes, memory-map a temporary file.

    The file is in ``folder`` (by default the system's temporary folder), has no name, and
    disappears with the array.
    """
    size = int(np.prod(shape))
    if size <= budget:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(size)
        return np.memmap(file, np.uint8, "r+", shape=shape)


@dataclass(frozen=True)
class ImageDataset:
    """Pictures with their maps and sampling weights.

    pictures: uint8 (N, C, H, W). maps: uint8 (N, M, h, w), such as masks, possibly smaller; any
    integer type where ``gather`` is not used. weights: float32 (N,), as not every device has
    float64; not negative, at least one above zero.
    """

    pictures: Tensor
    maps: Tensor
    weights: Tensor

    def __post_init__(self) -> None:
        if not len(self.pictures) == len(self.maps) == len(self.weights) > 0:
            raise ValueError("a data set needs pictures, and as many maps and weights")
        if self.weights.dtype != torch.float32:
            raise ValueError(f"the weights of a data set must be float32, not {self.weights.dtype}")
        if not bool(self.weights.sum() > 0) or bool((self.weights < 0).any()):
            raise ValueError("the weights of a data set must not be negative, and not all zero")

    def __len__(self) -> int:
        return len(self.pictures)

    def sample_indices(self, count: int, generator: Generator) -> Tensor:
        """Indices (count,) of random pictures, by weight, with replacement."""
        # At least two: older versions of PyTorch sample a single one in another way, which
        # synchronises with the GPU.
        several = max(2, count)
        drawn = torch.multinomial(self.weights, several, replacement=True, generator=generator)
        return drawn[:count]

    def gather(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures and maps at ``places`` as floats in [0, 1], on the device of the weights."""
        places, device = places.to(self.pictures.device), self.weights.device
        pictures, maps = self.pictures[places].to(device), self.maps[places].to(device)
        return pictures.float().div_(255), maps.float().div_(255)

    def subset(self, places: Tensor) -> "ImageDataset":
        """A data set of the pictures at ``places`` (K,) only."""
        return ImageDataset(self.pictures[places], self.maps[places], self.weights[places])

    def index_batches(self, size: int) -> Iterator[Tensor]:
        """Indices of all pictures in order, in batches of ``size``."""
        for start in range(0, len(self), size):
            end = min(len(self), start + size)
            yield torch.arange(start, end, device=self.pictures.device)

    def to(self, device: torch.device) -> "ImageDataset":
        """Move the data set to ``device``, if it fits into half of the free memory there.

        Otherwise only the weights move, and ``gather`` copies pictures and maps batch by batch.
        """
        free = _free(device)
        if free is not None and self.pictures.numel() + self.maps.numel() > free // 2:
            return ImageDataset(self.pictures, self.maps, self.weights.to(device))
        return ImageDataset(self.pictures.to(device), self.maps.to(device), self.weights.to(device))


def _free(device: torch.device) -> int | None:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def balanced_weights(
    attributes: NDArray[np.float64], bins: int = 8, most: float = 4.0
) -> NDArray[np.float32]:
    """Sampling weights (N,) that favour rare values of ``attributes`` (N, K).

    Each column is binned into ``bins`` equal bins between its 2nd and 98th percentile. A weight is
    the product over the columns of the inverse square root of the bin's share, at most ``most``
    times the median. The mean is 1.
    """
    weights = np.ones(len(attributes))
    for column in attributes.T:
        low, high = np.percentile(column, (2, 98))
        place = np.clip((column - low) / max(high - low, 1e-9) * bins, 0, bins - 1).astype(int)
        share = np.bincount(place, minlength=bins)[place] / len(column)
        weights *= share**-0.5
    weights = np.minimum(weights, most * np.median(weights))
    return np.asarray(weights / weights.mean(), np.float32)
