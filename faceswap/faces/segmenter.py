"""Segment aligned crops: skin, hair, brows and beard, eyes, mouth, glasses, things in front.

The network is our own, trained on rendered people, photographs published for research and labels
that nobody drew; what it reaches stands in ``assets/segmenter.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from faceswap.assets import asset_path
from faceswap.device_support import memory_format
from faceswap.devices import fastest_precision
from faceswap.errors import AssetError
from faceswap.faces.labels import Label
from faceswap.faces.segment_net import SEGMENT_SIZE, SegmentNet
from faceswap.types import FloatImage, UInt8Image, Weights

__all__ = ["FACE", "HIDING", "SEGMENT_SIZE", "Segmentation", "Segmenter", "shared_segmenter"]

_ASSET = "segmenter.safetensors"

FACE = (Label.SKIN, Label.BROWS, Label.BEARD, Label.EYES, Label.LIPS, Label.MOUTH)
"""What belongs to a face and is swapped with it."""
HIDING = (Label.HAIR, Label.IN_FRONT, Label.CLOTH)
"""What hides a face, besides glasses."""


@dataclass(frozen=True)
class Segmentation:
    """Probabilities of the labels of a batch of crops: float32 (N, 11, 128, 128), sums of 1.

    pictures: the crops as they were looked at, float32 (N, 128, 128, 3) in [0, 1].
    """

    probabilities: NDArray[np.float32]
    pictures: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.probabilities)

    def of(self, row: int, labels: Sequence[Label]) -> Weights:
        """Probability (128, 128) that a pixel of crop ``row`` shows one of ``labels``."""
        return np.asarray(self.probabilities[row, list(labels)].sum(0), np.float32)

    def labels(self, row: int) -> NDArray[np.uint8]:
        """The likeliest label (128, 128) of each pixel of crop ``row``."""
        return np.asarray(self.probabilities[row].argmax(0), np.uint8)


class Segmenter:
    """The bundled segmentation network. Raises AssetError when its file is missing or damaged."""

    def __init__(self, device: torch.device | str = "cpu", path: Path | None = None) -> None:
        self._device = torch.device(device)
        on_cpu = self._device.type == "cpu"
        # With bfloat16 matrix units it takes two thirds of the time, and 0.07 % of pixels differ.
        half = on_cpu and fastest_precision(self._device) == "bf16"
        self._type = torch.bfloat16 if half else torch.float32
        net = load_segment_net(path or asset_path(_ASSET)).to(self._device, self._type)
        self._net = net.to(memory_format=memory_format(self._device))  # type: ignore[call-overload]
        if on_cpu:
            net.pack()

    def segment(self, crops: Sequence[FloatImage] | Sequence[UInt8Image]) -> Segmentation:
        """Segment crops (N, S, S, 3), RGB, uint8 or floats in [0, 1], of any framing.

        They are resized to 128 px. A crop's answer does not depend on the others of its batch.
        """
        side = SEGMENT_SIZE
        if not len(crops):
            nothing = np.zeros((0, len(Label), side, side), np.float32)
            return Segmentation(nothing, np.zeros((0, side, side, 3), np.float32))
        small = np.stack([_resized(crop) for crop in crops])
        return Segmentation(self._probabilities(small).cpu().numpy(), small)

    @torch.inference_mode()
    def _probabilities(self, crops: NDArray[np.float32]) -> Tensor:
        # A batch of one may use other kernels with other rounding, so there is none.
        padded = crops if len(crops) > 1 else np.repeat(crops, 2, 0)
        batch = torch.from_numpy(padded).to(self._device).permute(0, 3, 1, 2)
        batch = batch.to(self._type).contiguous(memory_format=memory_format(self._device))
        scores: Tensor = self._net(batch)[: len(crops)]
        return scores.float().softmax(1)


@cache
def shared_segmenter(device: torch.device) -> Segmenter:
    """The segmenter on ``device``, loaded once."""
    return Segmenter(device)


def _resized(crop: FloatImage | UInt8Image) -> FloatImage:
    value = crop.astype(np.float32)
    if crop.dtype == np.uint8:
        value /= 255
    if crop.shape[0] != SEGMENT_SIZE:
        shrinks = crop.shape[0] > SEGMENT_SIZE
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        value = np.asarray(
            cv2.resize(value, (SEGMENT_SIZE, SEGMENT_SIZE), interpolation=way), np.float32
        )
    return value


def load_segment_net(path: Path) -> SegmentNet:
    """Load the folded network from a safetensors file, float32, for inference.

    Raises AssetError, which says how to restore the file, when it is missing or damaged.
    """
    net = SegmentNet().fold()
    try:
        weights = load_file(path)
        net.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise AssetError(
            f"The segmenter's weights {path} are damaged ({str(error).splitlines()[0]}); install "
            "faceswap again (pip install --force-reinstall faceswap), or in a checkout: git "
            "checkout assets."
        ) from error
    return net
