"""Evaluate a swap frame by frame: against A and, where known, the ground truth."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.errors import InputError
from faceswap.faces.align import crop_matrix, eye_distance, face_similarity, transform
from faceswap.faces.detect import make_detector
from faceswap.faces.expression import SIGNALS, expression_signals
from faceswap.faces.face import Face
from faceswap.faces.face_regions import face_mask
from faceswap.faces.landmarks import make_landmarker
from faceswap.faces.tracking import Tracker
from faceswap.swap.compositing.blend import paste
from faceswap.swap.compositing.color import apply_color_transfer, measure_color_transfer
from faceswap.swap.compositing.mask import Growth, landmark_region, soft_mask
from faceswap.swap.evaluation.metrics import (
    correlation,
    detail_energy,
    flicker,
    ms_ssim,
    points_error,
    psnr,
    seam,
    ssim,
)
from faceswap.swap.evaluation.visible_faults import FacePlace, visible_faults
from faceswap.types import Curve, Mask, Points, UInt8Image
from faceswap.video.reader import VideoReader

SWAP, UNCHANGED, MEAN_FACE = "swap", "A unchanged", "mean face of B pasted in"
FAULTS = (
    "dark patches",
    "odd colors",
    "tone",
    "edge",
    "contrast",
    "eye sharpness",
    "kept in front",
)
"""Names of the faults that an eye sees; see ``visible_faults``."""
_CROP = 128  # pixels of the aligned crops that flicker is measured on
_MEAN_SIZE = 256


@dataclass(frozen=True)
class GroundTruthPoints:
    """Exact points (68, 2) and forehead (13, 2) of one frame of the ground truth."""

    points: Points
    forehead: Points


@dataclass(frozen=True)
class AverageFace:
    """Mean of B's aligned faces, float32 RGB (S, S, 3) in [0, 1], and its mask (S, S)."""

    picture: NDArray[np.float32]
    mask: NDArray[np.float32]


def new_tracker() -> Tracker:
    """Create a single-face tracker with the built-in detector and landmarker."""
    return Tracker(make_landmarker(), make_detector())


def read_ground_truth(truth: Path) -> list[GroundTruthPoints] | None:
    """Read the exact points that ``faceswap sample`` wrote beside ``truth``, or None.

    Raises InputError when the file exists but is damaged.
    """
    path = truth.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        frames = json.loads(path.read_text(encoding="utf-8"))["clips"]["a"]
        return [
            GroundTruthPoints(
                np.asarray(one["truth"]["points"], np.float32).reshape(68, 2),
                np.asarray(one["truth"]["forehead"], np.float32).reshape(13, 2),
            )
            for one in frames
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; render the sample again or delete it.") from error


def average_face(video: Path) -> Iterator[AverageFace | None]:
    """Average B's face over ``video``: yields None per frame, then the average, if any."""
    tracker = new_tracker()
    total = np.zeros((_MEAN_SIZE, _MEAN_SIZE, 3))
    outlines: list[Points] = []
    with VideoReader(video, tolerate_damage=True) as reader:
        for frame in reader.frames():
            faces = tracker.update(frame.image).faces
            if faces:
                matrix = crop_matrix(face_similarity(faces[0].points), _MEAN_SIZE)
                total += cv2.warpAffine(frame.image, matrix, (_MEAN_SIZE, _MEAN_SIZE))
                both = np.concatenate([faces[0].points, faces[0].forehead])
                outlines.append(transform(matrix, both))
            yield None
    if outlines:
        mean = np.mean(outlines, 0).astype(np.float32)
        mask = soft_mask(landmark_region(mean[:68], mean[68:], _MEAN_SIZE), Growth(0.03), 0.06)
        yield AverageFace((total / len(outlines) / 255).astype(np.float32), mask)


def paste_average_face(frame: UInt8Image, face: Face, average: AverageFace) -> UInt8Image:
    """Baseline: ``frame`` with B's average face pasted over ``face``, after colour transfer."""
    matrix = crop_matrix(face_similarity(face.points), _MEAN_SIZE)
    here = cv2.warpAffine(frame, matrix, (_MEAN_SIZE, _MEAN_SIZE)).astype(np.float32)
    shift = measure_color_transfer(average.picture, here / np.float32(255), average.mask)
    pasted = frame.copy()
    paste(pasted, apply_color_transfer(average.picture, shift), average.mask, matrix)
    return pasted


@dataclass
class SwapEvaluator:
    """Accumulates metrics of a swap: ``update`` with each frame in order, then ``compute``.

    known: exact landmarks per frame. average: for the mean-face baseline. front: finds what is in
    front of a face of A, as a mask of the frame, (H, W); without it nothing is told of that.
    curves: one value per frame by name, NaN where nothing could be measured. places: A's faces by
    frame.
    """

    known: list[GroundTruthPoints] | None = None
    average: AverageFace | None = None
    front: Callable[[UInt8Image, Face], Mask] | None = None
    curves: dict[str, list[float]] = field(default_factory=dict)
    frames: int = 0
    places: dict[int, FacePlace] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._trackers = {name: new_tracker() for name in ("a", "out", "truth")}
        self._recent: list[tuple[UInt8Image, UInt8Image, Mask]] = []

    def update(self, a: UInt8Image, out: UInt8Image, truth: UInt8Image | None = None) -> None:
        """Measure the next frame: of A, the swap and the ground truth, all of one size."""
        row: dict[str, float] = {}
        face_a = self._face("a", a)
        face_out = self._face("out", out)
        if face_a is not None:
            row |= self._against_a(a, out, face_a, face_out)
            row |= self._faults(a, out, face_a)
        else:
            self._recent.clear()
        if truth is not None:
            row |= self._against_truth(a, out, truth, face_a, face_out)
        for name in row.keys() - self.curves.keys():
            self.curves[name] = [float("nan")] * self.frames
        for name, curve in self.curves.items():
            curve.append(row.get(name, float("nan")))
        self.frames += 1

    def curve(self, name: str) -> Curve:
        """A curve as an array (frames,); all NaN if it was never measured."""
        return np.array(self.curves.get(name, [float("nan")] * self.frames))

    def compute(self) -> dict[str, float]:
        """Metrics over all frames by name, without those that could not be measured."""
        values = {
            "frames": float(self.frames),
            "faces in A": float(np.isfinite(self.curve("A yaw")).sum()),
            "faces in the swap": float(np.isfinite(self.curve("swap yaw")).sum()),
        }
        each = [correlation(self.curve(f"A {s}"), self.curve(f"swap {s}")) for s in SIGNALS]
        values |= {f"correlation of {s}": value for s, value in zip(SIGNALS, each, strict=True)}
        values["expression correlation"] = _mean(np.array(each))
        for angle in ("yaw", "pitch", "roll"):
            values[f"{angle} error"] = _mean(
                np.abs(self.curve(f"swap {angle}") - self.curve(f"A {angle}"))
            )
        values["pose error"] = _mean(
            np.array([values[f"{angle} error"] for angle in ("yaw", "pitch", "roll")])
        )
        for name in ("detail", "flicker"):
            base = _mean(self.curve(f"A {name}"))
            values[f"{name} ratio"] = _mean(self.curve(f"swap {name}")) / max(base, 1e-9)
        for name in (
            *FAULTS,
            "seam",
            "background PSNR",
            "landmark error",
            "truth pose error",
            "truth expression error",
        ):
            values[name] = _mean(self.curve(name))
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def rows(self) -> dict[str, dict[str, float]]:
        """PSNR, SSIM and MS-SSIM against the ground truth, for the swap and trivial baselines."""
        found: dict[str, dict[str, float]] = {}
        for name in (SWAP, UNCHANGED, MEAN_FACE):
            scores = {m: _mean(self.curve(f"{m} of {name}")) for m in ("PSNR", "SSIM", "MS-SSIM")}
            if np.isfinite(scores["PSNR"]):
                found[name] = scores
        return found

    def _face(self, name: str, picture: UInt8Image) -> Face | None:
        faces = self._trackers[name].update(picture).faces
        return faces[0] if faces else None

    def _against_a(
        self, a: UInt8Image, out: UInt8Image, face: Face, other: Face | None
    ) -> dict[str, float]:
        height, width = a.shape[:2]
        mask = face_mask(face.points, face.forehead, (height, width))
        row = _signals_and_pose("A", face) | (_signals_and_pose("swap", other) if other else {})
        row["A detail"], row["swap detail"] = detail_energy(a, mask), detail_energy(out, mask)
        row["seam"] = seam(out, a, mask)
        reach = max(3, round(0.12 * eye_distance(face.points))) * 2 + 1
        beyond = 255 - cv2.dilate(mask, np.ones((reach, reach), np.uint8))
        row["background PSNR"] = psnr(out, a, np.asarray(beyond, np.uint8))
        matrix = crop_matrix(face_similarity(face.points), _CROP)
        small = [
            np.asarray(cv2.warpAffine(x, matrix, (_CROP, _CROP)), np.uint8) for x in (a, out, mask)
        ]
        self._recent = [*self._recent[-2:], (small[0], small[1], small[2])]
        if len(self._recent) == 3:
            first, now, last = self._recent
            inside = np.asarray(np.minimum(np.minimum(first[2], now[2]), last[2]), np.uint8)
            row["A flicker"] = flicker(first[0], now[0], last[0], inside)
            row["swap flicker"] = flicker(first[1], now[1], last[1], inside)
        return row

    def _faults(self, a: UInt8Image, out: UInt8Image, face: Face) -> dict[str, float]:
        place = self.places[self.frames] = FacePlace(face.points, face.forehead)
        found = visible_faults(a, out, place, self.front(a, face) if self.front else None)
        return found.values if found else {}

    def _against_truth(
        self,
        a: UInt8Image,
        out: UInt8Image,
        truth: UInt8Image,
        face: Face | None,
        other: Face | None,
    ) -> dict[str, float]:
        seen = self._face("truth", truth)
        exact: GroundTruthPoints | None = None
        if self.known is not None and self.frames < len(self.known):
            exact = self.known[self.frames]
        elif seen is not None:
            exact = GroundTruthPoints(seen.points, seen.forehead)
        if exact is None:
            return {}
        mask = face_mask(exact.points, exact.forehead, (truth.shape[0], truth.shape[1]))
        candidates = {SWAP: out, UNCHANGED: a}
        if self.average is not None and face is not None:
            candidates[MEAN_FACE] = paste_average_face(a, face, self.average)
        row: dict[str, float] = {}
        for name, picture in candidates.items():
            row[f"PSNR of {name}"] = psnr(picture, truth, mask)
            row[f"SSIM of {name}"] = ssim(picture, truth, mask)
            row[f"MS-SSIM of {name}"] = ms_ssim(picture, truth, mask)
        if seen is not None and other is not None:
            row["landmark error"] = points_error(other.points, seen.points)
            angles = np.abs(np.array(other.pose) - np.array(seen.pose))
            row["truth pose error"] = float(angles.mean())
            signals = expression_signals(other.points) - expression_signals(seen.points)
            row["truth expression error"] = float(np.abs(signals).mean()) * 100
        return row


def _signals_and_pose(name: str, face: Face) -> dict[str, float]:
    row = {f"{name} {s}": v for s, v in zip(SIGNALS, expression_signals(face.points), strict=True)}
    angles: dict[str, Any] = dict(zip(("yaw", "pitch", "roll"), face.pose, strict=True))
    return row | {f"{name} {angle}": float(value) for angle, value in angles.items()}


def _mean(curve: Curve) -> float:
    """Mean of the finite values; NaN if there are none."""
    kept = curve[np.isfinite(curve)]
    return float(kept.mean()) if len(kept) else float("nan")
