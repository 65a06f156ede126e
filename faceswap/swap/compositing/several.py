"""Swap several people of one film, each by a model of its own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import torch

from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, FaceModel, Swapper
from faceswap.types import UInt8Image


@dataclass(frozen=True)
class Cast:
    """A model and the faces that it swaps, by frame."""

    model: FaceModel
    places: Mapping[int, Sequence[AlignedFace]]


class SeveralSwappers:
    """Swaps the faces of several casts in the same frames, one cast after the other."""

    def __init__(self, casts: Sequence[Cast], device: torch.device, options: BlendOptions) -> None:
        self._casts = casts
        self._swappers = [Swapper(cast.model, device, options) for cast in casts]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for swapper in self._swappers:
            self._stack.enter_context(swapper)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has_faces(self, number: int) -> bool:
        """Whether any face of a frame is swapped."""
        return any(cast.places.get(number) for cast in self._casts)

    def swap(self, numbers: Sequence[int], frames: Sequence[UInt8Image]) -> list[UInt8Image]:
        """Swap the faces of consecutive frames (H, W, 3); others are returned as they are."""
        images = list(frames)
        for cast, swapper in zip(self._casts, self._swappers, strict=True):
            swapper.drop_history(before=numbers[0])
            images = swapper.swap(images, [cast.places.get(number, []) for number in numbers])
        return images
