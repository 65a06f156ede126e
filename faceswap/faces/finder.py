"""Find all faces of a single picture, without tracking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from faceswap.faces.align import head_pose
from faceswap.faces.detect import initial_landmarks
from faceswap.faces.face import (
    Box,
    Detection,
    Detector,
    Face,
    Landmarker,
    Landmarks,
    as_frame,
    box_of,
)
from faceswap.types import Points, UInt8Image

__all__ = ["PRESENCE_THRESHOLD", "find_faces", "overlap", "detect_and_refine"]

PRESENCE_THRESHOLD = 0.5
"""Lowest presence of an accepted face."""
_PASSES = 2  # the second starts from the landmarks of the first
_SAME_OVERLAP = 0.4  # boxes that overlap by more are the same face


def find_faces(
    frame: UInt8Image,
    landmarker: Landmarker,
    detector: Detector,
    *,
    max_faces: int | None = None,
    min_face: int = 0,
) -> list[Face]:
    """Find the faces of one picture (H, W, 3), largest first, numbered in that order.

    Each detection is refined in two landmark passes. If there is none, the picture is searched
    again rotated by 180°, 90° and 270°. min_face: narrowest face to keep, in pixels.
    """
    frame = as_frame(frame)
    found = detect_and_refine(frame, landmarker, detector, turned=True)
    found = [face for face in found if face.box[2] - face.box[0] >= min_face]
    return [replace(face, track=number) for number, face in enumerate(found[:max_faces])]


def detect_and_refine(
    frame: UInt8Image,
    landmarker: Landmarker,
    detector: Detector,
    *,
    known: Sequence[Box] = (),
    turned: bool = False,
) -> list[Face]:
    """Detect faces of a frame outside the known boxes, with landmarks, largest first.

    turned: if nothing is found, search again with the frame rotated by 180°, 90° and 270°.
    """
    detections = detector.detect(frame)
    new = [one for one in detections if all(overlap(one.box, box) < _SAME_OVERLAP for box in known)]
    faces = _refine(frame, landmarker, new, [initial_landmarks(one) for one in new])
    if turned and not faces and not known and frame.size:
        for quarters in (2, 1, 3):
            faces = _search_turned(frame, landmarker, detector, quarters)
            if faces:
                break
    return sorted(faces, key=_face_area, reverse=True)


def _search_turned(
    frame: UInt8Image, landmarker: Landmarker, detector: Detector, quarters: int
) -> list[Face]:
    """Faces found with the frame rotated by ``quarters`` · 90° anticlockwise, in frame pixels."""
    view = np.ascontiguousarray(np.rot90(frame, quarters))
    detections = detector.detect(view)
    undo = _rotate_back(frame.shape[0], frame.shape[1], quarters)
    guesses = [undo(initial_landmarks(one)) for one in detections]
    return _refine(frame, landmarker, detections, guesses)


def _rotate_back(height: int, width: int, quarters: int) -> Callable[[Points], Points]:
    """Map from points of `np.rot90(frame, quarters)` to the frame (height, width)."""
    right, bottom = width - 1, height - 1

    def undo(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        columns = {1: (right - y, x), 2: (right - x, bottom - y), 3: (y, bottom - x)}[quarters]
        return np.stack(columns, -1).astype(np.float32)

    return undo


def _refine(
    frame: UInt8Image,
    landmarker: Landmarker,
    detections: Sequence[Detection],
    guesses: Sequence[Points],
) -> list[Face]:
    answers: list[Landmarks] = []
    for _ in range(_PASSES):
        answers = landmarker.locate(frame, guesses)
        guesses = [answer.points for answer in answers]
    faces: list[Face] = []
    for detection, answer in zip(detections, answers, strict=True):
        face = face_from(answer, score=detection.score)
        duplicate = any(overlap(face.box, other.box) > _SAME_OVERLAP for other in faces)
        if (
            answer.presence >= PRESENCE_THRESHOLD
            and plausible(answer.points, frame)
            and not duplicate
        ):
            faces.append(face)
    return faces


def face_from(answer: Landmarks, *, score: float, track: int = 0) -> Face:
    """Face from landmarks, with its box and pose."""
    return Face(
        points=answer.points,
        forehead=answer.forehead,
        presence=answer.presence,
        pose=head_pose(answer.points, answer.depth),
        box=box_of(answer.points),
        score=score,
        track=track,
    )


def plausible(points: Points, frame: UInt8Image) -> bool:
    """Whether points (68, 2) can be a face: finite, at least 4 px, a quarter inside the frame."""
    if not np.isfinite(points).all():
        return False
    left, top, right, bottom = box_of(points)
    height, width = frame.shape[:2]
    if max(right - left, bottom - top) < 4 or right - left > 4 * width:
        return False
    inside = (points >= -0.5).all(1) & (points <= [width - 0.5, height - 0.5]).all(1)
    return bool(inside.mean() >= 0.25)


def overlap(first: Box, second: Box) -> float:
    """Intersection of two boxes over the smaller one's area, 0..1."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min(_box_area(first), _box_area(second))
    return max(across, 0.0) * max(down, 0.0) / smaller if smaller > 0 else 0.0


def _box_area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _face_area(face: Face) -> float:
    return _box_area(face.box)
