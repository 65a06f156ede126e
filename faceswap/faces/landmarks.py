"""Landmarkers: the built-in network, and face-alignment's FAN with the same interface."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # what torch.load raises; nothing is unpickled here
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from faceswap.assets import asset_path
from faceswap.device_support import memory_format
from faceswap.devices import pick_device
from faceswap.errors import AssetError, OptionsError
from faceswap.faces.align import fit_similarity, invert, mean_face, transform, upright_matrix
from faceswap.faces.downloads import weights_paths
from faceswap.faces.face import Landmarker, Landmarks, box_of
from faceswap.faces.landmark_net import CROP_SIZE, LandmarkNet
from faceswap.types import Points, UInt8Image

__all__ = ["LANDMARKERS", "BuiltinLandmarker", "FanLandmarker", "grey_crop", "make_landmarker"]

LANDMARKERS = ("builtin", "fan")
_ASSET = "landmarker.safetensors"


def make_landmarker(name: str = "builtin", device: str = "auto") -> Landmarker:
    """Create a landmarker by name, `builtin` or `fan`.

    Raises AssetError when its weights are missing, damaged or cannot be downloaded, OptionsError
    for an unknown name.
    """
    if name == "builtin":
        return BuiltinLandmarker(device)
    if name == "fan":
        return FanLandmarker(device)
    raise OptionsError(f"There is no landmarker {name!r}; choose one of {', '.join(LANDMARKERS)}.")


def grey_crop(
    frame: UInt8Image, matrix: NDArray[np.floating[Any]], size: int = CROP_SIZE
) -> UInt8Image:
    """Grey crop (size, size) of a frame (H, W, 3) under a frame -> crop matrix, black outside.

    A face larger than the crop is supersampled up to four times and averaged: aliasing would make
    its landmarks flicker with sub-pixel motion. Only the pixels around the face are read, of a
    very large face every n-th, so that the cost depends neither on the size of the frame nor,
    beyond that, on that of the face.
    """
    linear = np.asarray(matrix, np.float64)
    left, top, right, bottom = _covered(linear, size, frame)
    if right <= left or bottom <= top:
        return np.zeros((size, size), np.uint8)
    shrink = 1 / math.sqrt(abs(_determinant(linear)))
    fine = min(max(round(shrink / 2), 1), 4)
    step = max(int(shrink / 2 / fine), 1)
    part = frame[top:bottom:step, left:right:step]
    grey = cv2.cvtColor(part if step == 1 else np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)
    sampled = linear * fine
    sampled[:, 2] += (fine - 1) / 2 + sampled[:, :2] @ (left, top)
    sampled[:, :2] *= step
    side = size * fine
    crop = cv2.warpAffine(grey, sampled, (side, side), flags=cv2.INTER_LINEAR)
    if fine > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def _determinant(matrix: NDArray[np.float64]) -> float:
    (a, b, _), (c, d, _) = matrix.tolist()
    return float(a * d - b * c)


def _covered(
    matrix: NDArray[np.float64], size: int, frame: UInt8Image
) -> tuple[int, int, int, int]:
    """Rectangle (left, top, right, bottom) of the frame that covers a crop."""
    if not 1e-12 < abs(_determinant(matrix)) < 1e12:  # singular or NaN: an empty rectangle
        return 0, 0, 0, 0
    corners = np.array([(-1, -1), (size, -1), (-1, size), (size, size)], np.float64)
    back = invert(matrix)
    columns, rows = (back[:, :2] @ corners.T + back[:, 2:]).tolist()
    left, top = max(math.floor(min(columns)), 0), max(math.floor(min(rows)), 0)
    right = min(math.ceil(max(columns)) + 1, frame.shape[1])
    return left, top, right, min(math.ceil(max(rows)) + 1, frame.shape[0])


class BuiltinLandmarker:
    """The bundled landmark network. Raises AssetError when its file is missing or damaged."""

    name = "builtin"

    def __init__(self, device: str = "auto", path: Path | None = None) -> None:
        self._device = pick_device(device, apple=False)
        net = load_net(path or asset_path(_ASSET)).to(self._device)
        self._net = net.to(memory_format=memory_format(self._device))  # type: ignore[call-overload]
        if self._device.type == "cpu":
            net.pack()

    def locate(self, frame: UInt8Image, guesses: Sequence[Points]) -> list[Landmarks]:
        """Landmarks for each guess (68, 2); all faces of the frame in one batch."""
        if not guesses or frame.size == 0:
            return [_no_face(guess) for guess in guesses]
        matrices = [upright_matrix(guess[:68], CROP_SIZE) for guess in guesses]
        crops = np.stack([grey_crop(frame, matrix) for matrix in matrices])
        with torch.inference_mode():
            batch = torch.from_numpy(crops)[:, None].to(self._device).float().mul_(1 / 255)
            answer = self._net(batch)
            points, depth = answer.points.cpu().numpy(), answer.depth.cpu().numpy()
            presence = torch.sigmoid(answer.presence).tolist()
        located = []
        for row, matrix in enumerate(matrices):
            back = invert(matrix)
            placed = transform(back, points[row])
            scale = math.sqrt(abs(_determinant(back)))
            deep = (depth[row, :68] * scale).astype(np.float32)
            located.append(Landmarks(placed[:68], placed[68:], presence[row], deep))
        return located


def load_net(path: Path) -> LandmarkNet:
    """Load the folded network from a safetensors file, float32, for inference.

    Raises AssetError, which says how to restore the file, when it is missing or damaged.
    """
    net = LandmarkNet().fold()
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            names = list(stored.keys())
            weights = {name: stored.get_tensor(name) for name in names}
        if metadata.get("crc32") != str(checksum(weights)):
            raise ValueError("its checksum does not match")
        net.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise AssetError(
            f"The landmarker's weights {path} are damaged ({str(error).splitlines()[0]}); install "
            "faceswap again (pip install --force-reinstall faceswap), or in a checkout: git "
            "checkout assets."
        ) from error
    return net


def checksum(weights: Mapping[str, torch.Tensor]) -> int:
    """CRC-32 over the bytes of all tensors, sorted by name."""
    value = 0
    for name in sorted(weights):
        value = zlib.crc32(weights[name].contiguous().numpy().tobytes(), value)
    return value


class _Fan(Protocol):
    def get_landmarks_from_image(self, image: UInt8Image, **options: Any) -> Any: ...


class FanLandmarker:
    """face-alignment's 2-D FAN (Bulat & Tzimiropoulos 2017), downloaded on first use.

    About 200 ms a face on a CPU. It gives no depth and no forehead; the forehead is the mean
    face's, fitted to the upper face. Presence is a logistic function of its heat maps' mean peak.
    Raises AssetError when the weights cannot be loaded or downloaded.
    """

    name = "fan"

    def __init__(self, device: str = "auto") -> None:
        self._net = _load_fan(str(pick_device(device, apple=False)))

    def locate(self, frame: UInt8Image, guesses: Sequence[Points]) -> list[Landmarks]:
        """Landmarks for each guess (68, 2)."""
        if not guesses or frame.size == 0:
            return [_no_face(guess) for guess in guesses]
        boxes = [np.asarray([*_detector_box(guess), 1.0]) for guess in guesses]
        points, scores, _ = self._net.get_landmarks_from_image(
            frame, detected_faces=boxes, return_landmark_score=True
        )
        located = []
        for face, score in zip(points, scores, strict=True):
            placed = np.asarray(face, np.float32)[:, :2]
            # Mean peaks of faces are near 0.8, of background below 0.3.
            presence = 1 / (1 + math.exp(-12 * (float(np.mean(np.asarray(score))) - 0.4)))
            located.append(Landmarks(placed, estimate_forehead(placed), presence))
        return located


def _load_fan(device: str) -> _Fan:
    weights_paths("fan")  # face-alignment finds the file there and loads it with weights_only
    try:
        import face_alignment

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net: _Fan = face_alignment.FaceAlignment(
                face_alignment.LandmarksType.TWO_D,
                device=device,
                flip_input=False,
                compile=False,
                face_detector="folder",
            )
    except (OSError, RuntimeError, ImportError, UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AssetError(f"FAN cannot be loaded ({reason}); use --landmarker builtin.") from error
    return net


def estimate_forehead(points: Points) -> Points:
    """Forehead (13, 2) for points (68, 2): the mean face's, fitted to brows, eyes and nose."""
    mean = mean_face().points
    upper = slice(17, 48)
    matrix = fit_similarity(mean[upper, :2], points[upper])
    return transform(matrix, mean[68:, :2])


def _detector_box(points: Points) -> tuple[float, float, float, float]:
    """Box as S3FD gives it, 12 % above the brows: FAN was trained on crops made from it."""
    left, top, right, bottom = box_of(points)
    return left, top - 0.12 * (bottom - top), right, bottom


def _no_face(guess: Points) -> Landmarks:
    return Landmarks(guess.astype(np.float32), estimate_forehead(guess), 0.0)
