"""From frames of A to frames with B's face: crop, network, colour, blend."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.faces.crops import warp_crop
from faceswap.swap.compositing.blend import paste
from faceswap.swap.compositing.color import ColorShift, apply_shift, color_shift, shading_difference
from faceswap.swap.compositing.color_smoothing import ColorHistory, window_frames
from faceswap.swap.compositing.mask import (
    chin_region,
    feature_region,
    landmark_region,
    learned_mask_region,
    soft_mask,
)
from faceswap.swap.compositing.options import BlendOptions
from faceswap.types import Mask, UInt8Image

_REACH = 0.15  # how far B's outline may lie beyond A's, as a share of A's face's width
_BY_DEFAULT = (
    BlendOptions().mask_dilate,
    BlendOptions().mask_blur,
)  # well inside the outline: where tones are found


class FaceModel(Protocol):
    """What the swapper needs of a model."""

    @property
    def resolution(self) -> int:
        """Side of the model's crops in pixels."""

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        """A's faces (N, 3, R, R) → B's faces (N, 3, R, R) and, if learned, masks (N, 1, R, R)."""


@dataclass(frozen=True)
class AlignedFace:
    """A face to be swapped: where it is in its frame.

    track: which of the footage's faces it is. points (68, 2), forehead (13, 2): landmarks in
    frame pixels. matrix: float64 (2, 3), frame → the model's crop. frame: number of its frame.
    shot: number of the first frame of its shot. anchor: whether its tone counts for the frames
    after it (``faceswap.swap.compositing.color_smoothing``).
    """

    track: int
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    matrix: NDArray[np.float64]
    frame: int = 0
    shot: int = 0
    anchor: bool = True


@dataclass(frozen=True)
class SwappedFaces:
    """What the network made of some faces, in their order.

    faces, originals: float32 (N, R, R, 3) in [0, 1]. regions: what of each is face. masks: its
    weights as they are by default. shifts: what gives it the tone of what it replaces.
    """

    faces: NDArray[np.float32]
    originals: NDArray[np.float32]
    regions: list[Mask]
    masks: list[NDArray[np.float32]]
    shifts: list[ColorShift]


class Swapper:
    """Swaps the faces of frames in batches.

    tones: what is known of the colours of earlier frames, so that they change calmly; it is
    added to. Where frames come one after the other nothing else needs to be done; of a frame
    alone, those of ``anchors_before`` must have been learnt before it.
    """

    def __init__(
        self,
        model: FaceModel,
        device: torch.device,
        look: BlendOptions,
        tones: ColorHistory | None = None,
    ) -> None:
        self._model, self._device, self._look = model, device, look
        self._tones = ColorHistory() if tones is None else tones
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="blend")

    def __enter__(self) -> "Swapper":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def swap(
        self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]
    ) -> list[UInt8Image]:
        """New frames in which each of ``faces`` is swapped; frames without one are passed on.

        frames: uint8 RGB (H, W, 3); faces: for each frame, the faces to swap in it.
        """
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if not work:
            return list(frames)
        made = self._make(frames, work)
        result = [
            frame.copy() if found else frame for frame, found in zip(frames, faces, strict=False)
        ]
        look = self._look
        shifts = [
            self._tones.smoothed_shift(face, own, look.color_smoothing)
            for (_, face), own in zip(work, made.shifts, strict=True)
        ]
        weights = made.masks
        if (look.mask_dilate, look.mask_blur) != _BY_DEFAULT:
            weights = list(
                self._pool.map(
                    lambda r: soft_mask(r, look.mask_dilate, look.mask_blur), made.regions
                )
            )

        def finish(frame: int) -> None:
            # One thread a frame: two faces of one frame may overlap.
            for n, (i, face) in enumerate(work):
                if i == frame:
                    fitted = self._fitted(made.faces[n], made.originals[n], weights[n], shifts[n])
                    paste(
                        result[i],
                        fitted,
                        weights[n] * look.opacity,
                        face.matrix,
                        look.sharpen,
                        look.grain,
                    )

        list(self._pool.map(finish, sorted({i for i, _ in work})))
        return result

    def measure_colors(
        self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]
    ) -> None:
        """Find the tones of faces, as ``swap`` does, without swapping them."""
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if work:
            self._make(frames, work)

    def drop_history(self, before: int) -> None:
        """Forget the tones that don't count any more for the frames from ``before`` on."""
        self._tones.drop_before(before - window_frames(self._look.color_smoothing))

    def _make(
        self, frames: Sequence[UInt8Image], work: Sequence[tuple[int, AlignedFace]]
    ) -> SwappedFaces:
        side = self._model.resolution
        crops = list(self._pool.map(lambda w: warp_crop(frames[w[0]], w[1].matrix, side), work))
        originals = np.stack(crops).astype(np.float32) / np.float32(255)
        faces, learned = self._infer(originals)

        def region(n: int) -> Mask:
            return self._region(work[n][1], None if learned is None else learned[n])

        regions = list(self._pool.map(region, range(len(work))))
        # Tones are found in the same place however the mask is grown or faded.
        masks = list(self._pool.map(lambda r: soft_mask(r, *_BY_DEFAULT), regions))
        shifts = list(self._pool.map(color_shift, faces, originals, masks))
        for (_, face), shift in zip(work, shifts, strict=True):
            self._tones.add(face, shift)
        return SwappedFaces(faces, originals, regions, masks, shifts)

    @torch.inference_mode()
    def _infer(
        self, crops: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        # Alone, a face takes other kernels, which round otherwise, than among others: it is to
        # look in a preview as it does in a conversion.
        several = crops if len(crops) > 1 else np.repeat(crops, 2, 0)
        batch = torch.from_numpy(several).to(self._device).permute(0, 3, 1, 2)
        faces, masks = self._model.swap(batch)
        pictures = faces[: len(crops)].float().clamp(0, 1).permute(0, 2, 3, 1).contiguous()
        if masks is not None:
            masks = masks[: len(crops), 0].float().clamp(0, 1).cpu()
        return pictures.cpu().numpy(), None if masks is None else masks.numpy()

    def _region(self, face: AlignedFace, learned: NDArray[np.float32] | None) -> Mask:
        linear, shift = face.matrix[:, :2], face.matrix[:, 2]
        points = (face.points @ linear.T + shift).astype(np.float32)
        forehead = (face.forehead @ linear.T + shift).astype(np.float32)
        region = landmark_region(points, forehead, self._model.resolution)
        if self._look.mask_outline == "b" and learned is not None:
            # Whatever B's outline leaves free, A's own features and chin must not be seen.
            features = feature_region(points, self._model.resolution)
            region = learned_mask_region(learned, region, _REACH) | features
            region |= chin_region(points, self._model.resolution)
        return region

    def _fitted(
        self,
        face: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.float32],
        shift: ColorShift,
    ) -> NDArray[np.float32]:
        look = self._look
        if look.color_transfer > 0:
            face = apply_shift(face, shift, look.color_transfer)
        if look.shading_transfer > 0:
            field = shading_difference(face, reference, mask, scale=0.15)
            face = np.clip(face + np.float32(look.shading_transfer) * field, 0, 1)
        return face
