"""From frames of A to frames with B's face: crop, network, colour, blend."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.faces.crops import cut_out
from faceswap.swap.blend import (
    chin_region,
    drawn_region,
    feature_region,
    learned_region,
    paste,
    soft_mask,
)
from faceswap.swap.color import ColorShift, apply_shift, color_shift, light_field
from faceswap.swap.look import Look

Frame = NDArray[np.uint8]

_REACH = 0.15  # how far B's outline may lie beyond A's, as a share of A's face's width


class FaceModel(Protocol):
    """What the swapper needs of a model."""

    @property
    def resolution(self) -> int:
        """Side of the model's crops in pixels."""

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        """A's faces (N, 3, R, R) → B's faces (N, 3, R, R) and, if learned, masks (N, 1, R, R)."""


@dataclass(frozen=True)
class Placed:
    """A face to be swapped: where it is in its frame.

    track: which of the footage's faces it is. points (68, 2), forehead (13, 2): landmarks in
    frame pixels. matrix: float64 (2, 3), frame → the model's crop.
    """

    track: int
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    matrix: NDArray[np.float64]


class Swapper:
    """Swaps the faces of frames in batches, in the order of the footage.

    It remembers each track's tone from batch to batch, so that it changes calmly; ``cut``
    forgets it.
    """

    def __init__(self, model: FaceModel, device: torch.device, look: Look) -> None:
        self._model, self._device, self._look = model, device, look
        self._shifts: dict[int, ColorShift] = {}
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="blend")

    def __enter__(self) -> "Swapper":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def cut(self) -> None:
        """A new shot begins: what was seen so far says nothing about it."""
        self._shifts.clear()

    def swap(self, frames: Sequence[Frame], faces: Sequence[Sequence[Placed]]) -> list[Frame]:
        """New frames in which each of ``faces`` is swapped; frames without one are passed on.

        frames: uint8 RGB (H, W, 3); faces: for each frame, the faces to swap in it.
        """
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if not work:
            return list(frames)
        side = self._model.resolution
        crops = list(self._pool.map(lambda w: cut_out(frames[w[0]], w[1].matrix, side), work))
        originals = np.stack(crops).astype(np.float32) / np.float32(255)
        swapped, masks = self._infer(originals)
        result = [
            frame.copy() if found else frame for frame, found in zip(frames, faces, strict=False)
        ]

        def weight(number: int) -> NDArray[np.float32]:
            return self._mask(work[number][1], None if masks is None else masks[number])

        weights = list(self._pool.map(weight, range(len(work))))
        found = self._pool.map(color_shift, swapped, originals, weights)
        shifts = [self._calm(face.track, new) for (_, face), new in zip(work, found, strict=True)]

        def finish(frame: int) -> None:
            # One thread a frame: two faces of one frame may overlap.
            for n, (i, face) in enumerate(work):
                if i == frame:
                    fitted = self._fitted(swapped[n], originals[n], weights[n], shifts[n])
                    paste(
                        result[i],
                        fitted,
                        weights[n] * self._look.opacity,
                        face.matrix,
                        self._look.sharpen,
                        self._look.grain,
                    )

        list(self._pool.map(finish, sorted({i for i, _ in work})))
        return result

    @torch.inference_mode()
    def _infer(
        self, crops: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        batch = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2)
        faces, masks = self._model.swap(batch)
        pictures = faces.float().clamp(0, 1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return pictures, None if masks is None else masks.float().clamp(0, 1)[:, 0].cpu().numpy()

    def _mask(self, face: Placed, learned: NDArray[np.float32] | None) -> NDArray[np.float32]:
        linear, shift = face.matrix[:, :2], face.matrix[:, 2]
        points = (face.points @ linear.T + shift).astype(np.float32)
        forehead = (face.forehead @ linear.T + shift).astype(np.float32)
        look = self._look
        region = drawn_region(points, forehead, self._model.resolution)
        if look.outline == "b" and learned is not None:
            # Whatever B's outline leaves free, A's own features and chin must not be seen.
            features = feature_region(points, self._model.resolution)
            region = learned_region(learned, region, _REACH) | features
            region |= chin_region(points, self._model.resolution)
        return soft_mask(region, look.grow, look.feather)

    def _calm(self, track: int, shift: ColorShift) -> ColorShift:
        if track in self._shifts:
            shift = shift.mixed(self._shifts[track], self._look.steady)
        self._shifts[track] = shift
        return shift

    def _fitted(
        self,
        face: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.float32],
        shift: ColorShift,
    ) -> NDArray[np.float32]:
        look = self._look
        if look.color > 0:
            face = apply_shift(face, shift, look.color)
        if look.light > 0:
            field = light_field(face, reference, mask, scale=0.15)
            face = np.clip(face + np.float32(look.light) * field, 0, 1)
        return face
