"""Swap the faces of frames: crop, network, colour transfer, blending."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.faces.crops import warp_crop
from faceswap.faces.labels import Label
from faceswap.faces.segmenter import SEGMENT_SIZE, shared_segmenter
from faceswap.swap.compositing.blend import make_patch
from faceswap.swap.compositing.color import (
    ColorShift,
    apply_color_transfer,
    measure_color_transfer,
    shading_difference,
)
from faceswap.swap.compositing.color_smoothing import ColorHistory, window_frames
from faceswap.swap.compositing.mask import (
    Growth,
    chin_region,
    feature_region,
    growth_of,
    landmark_region,
    learned_mask_region,
    seen_of_a,
    seen_of_b,
    soft_mask,
    swapped_face,
    unhidden,
)
from faceswap.swap.compositing.mask_smoothing import WINDOW, MaskHistory, SeenFace
from faceswap.swap.compositing.options import BlendOptions
from faceswap.types import FloatImage, Mask, UInt8Image, Weights
from faceswap.video.patch import Patch

_MASK_REACH = 0.15  # how far B's mask may extend beyond A's face, in widths of that face
# Colours are always measured under the default mask, which is well inside the outline.
_COLOR_MASK = (Growth(), BlendOptions().mask_blur)
_LEAST_SKIN = 0.1  # share of a mask that must be skin, or colours are measured under all of it


class FaceModel(Protocol):
    """Interface of a swap model."""

    @property
    def resolution(self) -> int:
        """Side of the model's crops in pixels."""

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        """Swap faces (N, 3, R, R): B's faces (N, 3, R, R) and, if learned, masks (N, 1, R, R)."""


@dataclass(frozen=True)
class AlignedFace:
    """A face to swap, aligned in its frame.

    track: number of its track. points (68, 2), forehead (13, 2): landmarks in frame pixels.
    matrix: float64 (2, 3), frame → the model's crop. frame: its number. shot: first frame of its
    shot. anchor: whether its colour shift is used for later frames (see ``color_smoothing``).
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
    """Network output for a batch of faces.

    faces, originals: float32 (N, R, R, 3) in [0, 1]. regions: binary face regions. shown: weights
    of what is neither hidden in A nor B's hair. masks: blend weights with the default mask options.
    skins: where both are skin, for colours. shifts: colour shifts from face to original.
    """

    faces: NDArray[np.float32]
    originals: NDArray[np.float32]
    regions: list[Mask]
    shown: list[Weights]
    masks: list[Weights]
    skins: list[Weights]
    shifts: list[ColorShift]


class Swapper:
    """Swaps the faces of frames in batches.

    color_history, mask_history: colour shifts and masks of earlier frames, for temporal smoothing;
    swaps add to them. For consecutive frames that suffices; before a single frame, ``measure`` must
    have been called with its ``anchors_before`` and ``frames_before``.
    """

    def __init__(
        self,
        model: FaceModel,
        device: torch.device,
        options: BlendOptions,
        color_history: ColorHistory | None = None,
        mask_history: MaskHistory | None = None,
    ) -> None:
        self._model, self._device, self._options = model, device, options
        self._color_history = ColorHistory() if color_history is None else color_history
        self._masks = MaskHistory() if mask_history is None else mask_history
        segmented = options.mask_type in ("all", "segmented")
        self._segmenter = shared_segmenter(device) if segmented else None
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="blend")

    def __enter__(self) -> "Swapper":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def swap(
        self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]
    ) -> list[UInt8Image]:
        """Swap ``faces`` in copies of the frames; frames without faces are returned as they are.

        frames: uint8 RGB (H, W, 3); faces: the faces to swap, per frame.
        """
        result = []
        for frame, patches in zip(frames, self.patches(frames, faces), strict=True):
            image = frame.copy() if patches else frame
            for patch in patches:
                patch.apply(image)
            result.append(image)
        return result

    def patches(
        self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]
    ) -> list[list[Patch]]:
        """The patches of each frame, to be applied in this order; the frames are not changed.

        frames: uint8 RGB (H, W, 3); faces: the faces to swap, per frame.
        """
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if not work:
            return [[] for _ in frames]
        swapped = self._swap_crops(frames, work)
        look = self._options
        shifts = [
            self._color_history.smoothed_shift(face, own, look.color_smoothing)
            for (_, face), own in zip(work, swapped.shifts, strict=True)
        ]
        weights = swapped.masks
        shape = (growth_of(look), look.mask_blur)
        if shape != _COLOR_MASK:
            soft = self._pool.map(lambda r: soft_mask(r, *shape), swapped.regions)
            weights = [mask * shown for mask, shown in zip(soft, swapped.shown, strict=True)]

        def finish(frame: int) -> list[Patch]:
            """One thread per frame: a face is matched to those that it overlaps."""
            mine = [n for n, (i, _) in enumerate(work) if i == frame]
            image = frames[frame].copy() if len(mine) > 1 else frames[frame]
            patches = []
            for n in mine:
                matched = self._match_colors(
                    swapped.faces[n], swapped.originals[n], weights[n], shifts[n]
                )
                alpha, matrix = weights[n] * look.opacity, work[n][1].matrix
                patch = make_patch(image, matched, alpha, matrix, look.sharpen, look.grain)
                if patch is not None:
                    patches.append(patch)
                    if n != mine[-1]:
                        patch.apply(image)
            return patches

        return list(self._pool.map(finish, range(len(frames))))

    def measure(self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]) -> None:
        """Measure and store colour shifts and masks of faces, without swapping them."""
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if work:
            self._swap_crops(frames, work)

    def drop_history(self, before: int) -> None:
        """Delete colour shifts and masks that frames from ``before`` on do not depend on."""
        self._masks.drop_before(before - WINDOW)
        self._color_history.drop_before(before - window_frames(self._options.color_smoothing))

    def _swap_crops(
        self, frames: Sequence[UInt8Image], work: Sequence[tuple[int, AlignedFace]]
    ) -> SwappedFaces:
        side = self._model.resolution
        crops = list(self._pool.map(lambda w: warp_crop(frames[w[0]], w[1].matrix, side), work))
        originals = np.stack(crops).astype(np.float32) / np.float32(255)
        faces, learned = self._infer(originals)

        def region(n: int) -> Mask:
            return self._region(work[n][1], None if learned is None else learned[n])

        regions = list(self._pool.map(region, range(len(work))))
        shown, skins = self._segment(frames, work, originals, faces)
        # The same pixels are measured whatever the mask options.
        soft = self._pool.map(lambda r: soft_mask(r, *_COLOR_MASK), regions)
        masks = [mask * part for mask, part in zip(soft, shown, strict=True)]
        skins = [_enough_skin(mask, skin) for mask, skin in zip(masks, skins, strict=True)]
        shifts = list(self._pool.map(measure_color_transfer, faces, originals, skins))
        for (_, face), shift in zip(work, shifts, strict=True):
            self._color_history.add(face, shift)
        return SwappedFaces(faces, originals, regions, shown, masks, skins, shifts)

    def _segment(
        self,
        frames: Sequence[UInt8Image],
        work: Sequence[tuple[int, AlignedFace]],
        originals: NDArray[np.float32],
        faces: NDArray[np.float32],
    ) -> tuple[list[Weights], list[Weights]]:
        """What is shown of each face, and where both are skin: weights (R, R) each."""
        side = self._model.resolution
        if self._segmenter is None:
            everything = [np.ones((side, side), np.float32)] * len(work)
            return everything, everything
        large: Sequence[FloatImage] | Sequence[UInt8Image] = list(originals)
        if side < SEGMENT_SIZE:  # the frame knows more than a small model's crop
            larger = [(i, _scaled(face.matrix, SEGMENT_SIZE / side)) for i, face in work]
            large = [warp_crop(frames[i], m, SEGMENT_SIZE) for i, m in larger]
        original = self._segmenter.segment(large)
        swapped = self._segmenter.segment(list(faces))
        options = self._options
        for n, (_, face) in enumerate(work):
            planes = seen_of_a(original, n, options.keep_glasses), seen_of_b(swapped, n)
            self._masks.add(face, SeenFace(original.pictures[n], np.stack(planes)))

        def shown(n: int) -> Weights:
            of_a, of_b = self._masks.smoothed(work[n][1], options.mask_smoothing)
            return unhidden(of_a, side) * swapped_face(of_b, side)

        def skin(n: int) -> Weights:
            both = original.of(n, (Label.SKIN,)) * swapped.of(n, (Label.SKIN,))
            return np.asarray(cv2.resize(both, (side, side)), np.float32)

        rows = range(len(work))
        return list(self._pool.map(shown, rows)), list(self._pool.map(skin, rows))

    @torch.inference_mode()
    def _infer(
        self, crops: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        # A batch of one may use other kernels with other rounding: it is padded to two, so that a
        # preview equals the conversion.
        padded = crops if len(crops) > 1 else np.repeat(crops, 2, 0)
        batch = torch.from_numpy(padded).to(self._device).permute(0, 3, 1, 2)
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
        if self._options.mask_type in ("learned", "all") and learned is not None:
            # Where B's mask is smaller, A's own features and chin must still be covered.
            features = feature_region(points, self._model.resolution)
            region = learned_mask_region(learned, region, _MASK_REACH) | features
            region |= chin_region(points, self._model.resolution)
        return region

    def _match_colors(
        self,
        face: NDArray[np.float32],
        reference: NDArray[np.float32],
        mask: NDArray[np.float32],
        shift: ColorShift,
    ) -> NDArray[np.float32]:
        look = self._options
        if look.color_transfer > 0:
            face = apply_color_transfer(face, shift, look.color_transfer)
        if look.shading_transfer > 0:
            field = shading_difference(face, reference, mask, scale=0.15)
            face = np.clip(face + np.float32(look.shading_transfer) * field, 0, 1)
        return face


def _enough_skin(mask: Weights, skin: Weights) -> Weights:
    """The skin under a mask, or all of the mask where hardly any is skin."""
    under = np.asarray(mask * skin, np.float32)
    return under if under.sum() > _LEAST_SKIN * mask.sum() else mask


def _scaled(matrix: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Frame → crop matrix of the same crop, larger by ``factor``."""
    scaled = matrix * factor
    scaled[:, 2] += (factor - 1) / 2
    return scaled
