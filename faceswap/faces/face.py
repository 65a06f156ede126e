"""Data types and protocols of detectors and landmarkers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import InputError
from faceswap.types import Points, UInt8Image

__all__ = [
    "Detection",
    "Detector",
    "Face",
    "Landmarker",
    "Landmarks",
    "as_frame",
]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """A detected face: box (left, top, right, bottom) in pixels, score in 0..1.

    keypoints: (5, 2) eyes, tip of the nose, corners of the mouth, left in the picture first;
    None if the detector gives boxes only.
    """

    box: Box
    score: float
    keypoints: Points | None = None


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of one face: points (68, 2), forehead (13, 2) in frame pixels, presence 0..1.

    depth: (68,) in pixels, smaller is nearer; None for a 2-D landmarker. Presence is calibrated so
    that the threshold 0.5 keeps 99.5 % of real faces.
    """

    points: Points
    forehead: Points
    presence: float
    depth: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Face:
    """A face in a frame.

    points (68, 2) in iBUG order and forehead (13, 2), from the left of the picture over the top to
    the right: float32, frame pixels. presence: 0..1, below 0.5 the face is absent or lost. pose:
    yaw, pitch, roll in degrees, see `align.head_pose`. box: left, top, right, bottom of the 68
    points. score: of the detection that the face was tracked from. track: number of the face's
    track in this clip; in a single picture, its rank by size, from 0.
    """

    points: Points
    forehead: Points
    presence: float
    pose: tuple[float, float, float]
    box: Box
    score: float = 1.0
    track: int = 0


class Detector(Protocol):
    """Finds faces in a frame."""

    name: str

    def detect(self, frame: UInt8Image) -> list[Detection]:
        """Detect faces in frame (H, W, 3), highest score first; none in an empty frame."""
        ...


class Landmarker(Protocol):
    """Finds the landmarks of faces from initial guesses."""

    name: str

    def locate(self, frame: UInt8Image, guesses: Sequence[Points]) -> list[Landmarks]:
        """Landmarks for each initial guess (68, 2), in frame pixels."""
        ...


def box_of(points: Points) -> Box:
    """Bounding box (left, top, right, bottom) of points (K, 2)."""
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def as_frame(image: NDArray[np.generic]) -> UInt8Image:
    """Convert an 8-bit image to a frame: grey (H, W), (H, W, 1) and RGBA become RGB (H, W, 3).

    Raises InputError for higher bit depths, which VideoReader converts.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise InputError(
            f"A frame is uint8 (H, W, 3), not {image.dtype} {image.shape}; use VideoReader."
        )
    pixels = np.asarray(image, np.uint8)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 3 or pixels.size == 0:
        return pixels if pixels.size else np.zeros((0, 0, 3), np.uint8)
    if channels == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    if channels == 4:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), np.uint8)
    raise InputError(f"A frame has 1, 3 or 4 channels, not {channels}.")
