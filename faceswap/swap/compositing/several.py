"""Swap several people of one film, each by a model of its own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

import torch

from faceswap.swap.compositing.color_smoothing import anchors_before
from faceswap.swap.compositing.mask_smoothing import frames_before
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, FaceModel, Swapper
from faceswap.video.patch import Patch
from faceswap.video.reader import Footage, VideoReader


@dataclass(frozen=True)
class Cast:
    """A model and the faces that it swaps, by frame."""

    model: FaceModel
    places: Mapping[int, Sequence[AlignedFace]]


class SeveralSwappers:
    """Swaps the faces of several casts in the same frames."""

    def __init__(self, casts: Sequence[Cast], device: torch.device, options: BlendOptions) -> None:
        self._smoothing = options.color_smoothing
        self._pairs = [(cast, Swapper(cast.model, device, options)) for cast in casts]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for _, swapper in self._pairs:
            self._stack.enter_context(swapper)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has_faces(self, number: int) -> bool:
        """Whether any face of a frame is swapped."""
        return any(cast.places.get(number) for cast, _ in self._pairs)

    def measure_before(self, footage: VideoReader, first: int) -> None:
        """Measure the colours and masks before frame ``first`` that those of it depend on."""
        for cast, swapper in self._pairs:
            needed = anchors_before(cast.places, first, self._smoothing)
            for number, faces in (needed | frames_before(cast.places, first)).items():
                images = [frame.image for frame in footage.frames(number, number + 1)]
                swapper.measure(images, [faces])

    def patches(self, batch: Sequence[Footage]) -> list[list[Patch]]:
        """The patches of consecutive frames, of one cast after the other.

        Only frames with faces are converted to RGB.
        """
        patches: list[list[Patch]] = [[] for _ in batch]
        for cast, swapper in self._pairs:
            swapper.drop_history(before=batch[0].index)
            faces = [cast.places.get(frame.index, ()) for frame in batch]
            some = [n for n, found in enumerate(faces) if found]
            made = swapper.patches([batch[n].image for n in some], [faces[n] for n in some])
            for n, found in zip(some, made, strict=True):
                patches[n] += found
        return patches
