"""Swap the faces of frames: crop, network, colour transfer, blending."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.faces.align import transform
from faceswap.faces.crops import warp_crop
from faceswap.faces.segmenter import shared_segmenter
from faceswap.swap.compositing.blend import make_patch, moved_matrix
from faceswap.swap.compositing.color import ColorTransfer, measure_color_transfer
from faceswap.swap.compositing.color_match import FacePair, match_colors
from faceswap.swap.compositing.color_smoothing import ColorHistory, window_frames
from faceswap.swap.compositing.mask import (
    Growth,
    chin_region,
    feature_region,
    features_of_a,
    growth_of,
    landmark_region,
    learned_mask_region,
    mouth_weights,
    soft_mask,
)
from faceswap.swap.compositing.mask_smoothing import WINDOW, MaskHistory
from faceswap.swap.compositing.membrane import apply_membrane, measure_membrane
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.seen_faces import SeenFaces, eyes_and_mouth, skin_under
from faceswap.types import Mask, Matrix, UInt8Image, Weights
from faceswap.video.patch import Patch

_MASK_REACH = 0.15  # how far B's mask may extend beyond A's face, in widths of that face
# Colours are always measured under the default mask, which is well inside the outline.
_COLOR_MASK = (Growth(), BlendOptions().mask_blur)


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
    shot. anchor: whether its colour transfer is used for later frames (see ``color_smoothing``).
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

    pairs: the faces, each with A's. regions: binary face regions. shown: weights of what is neither
    hidden in A nor B's hair. features: A's brows and eyes, None where not segmented. masks: blend
    weights with the default mask options. transfers: colour transfers from face to original.
    """

    pairs: list[FacePair]
    regions: list[Mask]
    shown: list[Weights]
    features: list[Weights | None]
    masks: list[Weights]
    transfers: list[ColorTransfer]


class Swapper:
    """Swaps the faces of frames in batches.

    color_history, mask_history: colour transfers and masks of earlier frames, for smoothing over
    time; swaps add to them. For consecutive frames that suffices; before a single frame,
    ``measure`` must have been called with its ``anchors_before`` and ``frames_before``.
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
        segmenter = shared_segmenter(device) if segmented else None
        self._seen = SeenFaces(segmenter, options, self._masks)
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
        transfers = [
            self._color_history.smoothed(face, own, look.color_smoothing)
            for (_, face), own in zip(work, swapped.transfers, strict=True)
        ]
        weights = swapped.masks
        shape = (growth_of(look), look.mask_blur)
        if shape != _COLOR_MASK:
            drawn = zip(swapped.regions, swapped.features, strict=True)
            soft = self._pool.map(lambda one: soft_mask(one[0], *shape, one[1]), drawn)
            weights = [mask * shown for mask, shown in zip(soft, swapped.shown, strict=True)]

        def finish(frame: int) -> list[Patch]:
            """One thread per frame: a face is matched to those that it overlaps."""
            mine = [n for n, (i, _) in enumerate(work) if i == frame]
            image = frames[frame].copy() if len(mine) > 1 else frames[frame]
            patches = []
            for n in mine:
                matched = match_colors(swapped.pairs[n], transfers[n], look)
                if (membrane := transfers[n].membrane) is not None:
                    matched = apply_membrane(matched, membrane)
                matrix, alpha = self._placed(work[n][1], weights[n])
                patch = make_patch(image, matched, alpha, matrix, look)
                if patch is not None:
                    patches.append(patch)
                    if n != mine[-1]:
                        patch.apply(image)
            return patches

        return list(self._pool.map(finish, range(len(frames))))

    def measure(self, frames: Sequence[UInt8Image], faces: Sequence[Sequence[AlignedFace]]) -> None:
        """Measure and store colour transfers and masks of faces, without swapping them."""
        work = [(i, face) for i, found in enumerate(faces) for face in found]
        if work:
            self._swap_crops(frames, work)

    def drop_history(self, before: int) -> None:
        """Delete colour transfers and masks that frames from ``before`` on do not depend on."""
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
        found = self._seen.segment(frames, work, originals, faces)
        shown = list(self._pool.map(lambda w: self._seen.shown(w[1], side), work))
        # The same pixels are measured whatever the mask options, and of this frame alone.
        features = [found and features_of_a(found[0], n, side) for n in range(len(work))]
        drawn = zip(regions, features, strict=True)
        soft = list(self._pool.map(lambda one: soft_mask(one[0], *_COLOR_MASK, one[1]), drawn))
        pairs = [
            FacePair(
                faces[n],
                originals[n],
                skin_under(soft[n], found, n, face),
                eyes_and_mouth(side, found, n, face),
            )
            for n, (_, face) in enumerate(work)
        ]
        transfers = list(self._pool.map(self._measure, pairs, soft))
        masks = [mask * part for mask, part in zip(soft, shown, strict=True)]
        for (_, face), transfer in zip(work, transfers, strict=True):
            self._color_history.add(face, transfer)
        return SwappedFaces(pairs, regions, shown, features, masks, transfers)

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

    def _placed(
        self, face: AlignedFace, weights: NDArray[np.float32]
    ) -> tuple[Matrix, NDArray[np.float32]]:
        """Where the swapped face goes, frame → crop, and its blend weights there."""
        look, side = self._options, self._model.resolution
        matrix, alpha = moved_matrix(face.matrix, side, look), weights * np.float32(look.opacity)
        if look.keep_mouth:
            alpha *= 1 - mouth_weights(transform(matrix, face.points), side)
        return matrix, alpha

    def _measure(self, pair: FacePair, mask: Weights) -> ColorTransfer:
        look = self._options
        transfer = measure_color_transfer(pair.face, pair.original, pair.skin, look.color_mode)
        if look.blend_mode != "poisson":
            return transfer
        matched = match_colors(pair, transfer, look)
        return replace(transfer, membrane=measure_membrane(matched, pair.original, mask, pair.skin))
