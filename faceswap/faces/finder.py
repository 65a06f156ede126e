"""Static mode: all faces of one picture, without knowledge of any other."""

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
"""Presence from which a face counts as one."""
_PASSES = 2
_SAME = 0.4


def find_faces(
    frame: UInt8Image,
    landmarker: Landmarker,
    detector: Detector,
    *,
    max_faces: int | None = None,
    min_face: int = 0,
) -> list[Face]:
    """Faces of one picture (H, W, 3), the largest first, numbered in that order.

    Each detection is refined in two passes. Where nothing is found the picture is turned upside
    down and to both sides. min_face: faces less wide than so many pixels are left out.
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
    """Faces of a frame that are not at one of the known boxes, the largest first.

    turned: where nothing at all is found, look again with the frame turned by 180°, 90° and 270°.
    """
    detections = detector.detect(frame)
    fresh = [one for one in detections if all(overlap(one.box, box) < _SAME for box in known)]
    faces = _refined(frame, landmarker, fresh, [initial_landmarks(one) for one in fresh])
    if turned and not faces and not known and frame.size:
        for quarters in (2, 1, 3):
            faces = _search_turned(frame, landmarker, detector, quarters)
            if faces:
                break
    return sorted(faces, key=_area, reverse=True)


def _search_turned(
    frame: UInt8Image, landmarker: Landmarker, detector: Detector, quarters: int
) -> list[Face]:
    """Faces of the frame turned counter-clockwise by so many quarters, in the frame's pixels."""
    view = np.ascontiguousarray(np.rot90(frame, quarters))
    detections = detector.detect(view)
    undo = _unturn(frame.shape[0], frame.shape[1], quarters)
    guesses = [undo(initial_landmarks(one)) for one in detections]
    return _refined(frame, landmarker, detections, guesses)


def _unturn(height: int, width: int, quarters: int) -> Callable[[Points], Points]:
    """Takes points of `np.rot90(frame, quarters)` back to the frame (height, width)."""
    right, bottom = width - 1, height - 1

    def undo(points: Points) -> Points:
        x, y = points[:, 0], points[:, 1]
        columns = {1: (right - y, x), 2: (right - x, bottom - y), 3: (y, bottom - x)}[quarters]
        return np.stack(columns, -1).astype(np.float32)

    return undo


def _refined(
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
        doubled = any(overlap(face.box, other.box) > _SAME for other in faces)
        if (
            answer.presence >= PRESENCE_THRESHOLD
            and plausible(answer.points, frame)
            and not doubled
        ):
            faces.append(face)
    return faces


def face_from(answer: Landmarks, *, score: float, track: int = 0) -> Face:
    """A landmarker's answer as a face, with its box and pose."""
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
    """Whether points (68, 2) can be a face of the frame: finite, of some size, partly inside."""
    if not np.isfinite(points).all():
        return False
    left, top, right, bottom = box_of(points)
    height, width = frame.shape[:2]
    if max(right - left, bottom - top) < 4 or right - left > 4 * width:
        return False
    inside = (points >= -0.5).all(1) & (points <= [width - 0.5, height - 0.5]).all(1)
    return bool(inside.mean() >= 0.25)


def overlap(first: Box, second: Box) -> float:
    """Shared area of two boxes over the smaller one's, 0..1."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min(_extent(first), _extent(second))
    return max(across, 0.0) * max(down, 0.0) / smaller if smaller > 0 else 0.0


def _extent(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _area(face: Face) -> float:
    return _extent(face.box)
