"""Swap several people of one film, each by a model of its own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Self

import torch

from faceswap.swap.compositing.color_smoothing import anchors_before, window_frames
from faceswap.swap.compositing.mask_smoothing import WINDOW, frames_before
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, FaceModel, Swapper
from faceswap.swap.compositing.user_mask import UserMask
from faceswap.types import UInt8Image
from faceswap.video.patch import Patch
from faceswap.video.reader import Footage, VideoReader

_END = 1 << 62  # after any frame
_MEMORY = 100 * 2**20
"""Bytes of images that are held at a time to measure their colors."""


@dataclass(frozen=True)
class Cast:
    """A model and the faces that it swaps, by frame."""

    model: FaceModel
    places: Mapping[int, Sequence[AlignedFace]]


class SeveralSwappers:
    """Swaps the faces of several casts in the same frames."""

    def __init__(
        self,
        casts: Sequence[Cast],
        device: torch.device,
        options: BlendOptions,
        mask: UserMask | None = None,
    ) -> None:
        self._smoothing = options.color_smoothing
        self._pairs = [(cast, Swapper(cast.model, device, options)) for cast in casts]
        self._mask, self._stack = mask, ExitStack()

    def __enter__(self) -> Self:
        for _, swapper in self._pairs:
            self._stack.enter_context(swapper)
        if self._mask is not None:
            self._stack.enter_context(self._mask)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def has_faces(self, number: int) -> bool:
        """Whether any face of a frame is swapped."""
        return any(cast.places.get(number) for cast, _ in self._pairs)

    def measure_before(self, footage: VideoReader, first: int) -> None:
        """Measure anew the colors and masks before ``first`` that frames from it on depend on.

        Afterwards they don't depend on which frames were swapped before.
        """
        for cast, swapper in self._pairs:
            swapper.drop_history(before=_END)
            needed = self._needed(cast, first)
            if not needed:
                continue
            size = max(2, _MEMORY // (3 * footage.info.width * footage.info.height))
            images: list[UInt8Image] = []
            faces: list[Sequence[AlignedFace]] = []
            with closing(footage.footage(min(needed), max(needed) + 1)) as pictures:
                for one in pictures:
                    if one.index in needed:
                        images.append(one.image)
                        faces.append(needed[one.index])
                    if len(images) == size:
                        swapper.measure(images, faces)
                        images, faces = [], []
            swapper.measure(images, faces)

    def _needed(self, cast: Cast, first: int) -> dict[int, list[AlignedFace]]:
        """Faces before ``first`` of all tracks that frames from it on may continue, by frame."""
        found: dict[int, list[AlignedFace]] = {}
        colors = window_frames(self._smoothing)
        for number in range(first, first + max(colors, WINDOW)):
            before = [frames_before(cast.places, number)]
            before.append(anchors_before(cast.places, number, self._smoothing))
            for place, faces in (item for some in before for item in some.items()):
                if place < first:
                    known = found.setdefault(place, [])
                    known += [face for face in faces if all(face is not one for one in known)]
        return found

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
        if self._mask is None:
            return patches
        mask = self._mask
        return [mask.cut(frame.index, made) for frame, made in zip(batch, patches, strict=True)]
