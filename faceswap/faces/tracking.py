"""Face tracking: each frame's landmarks are the initial guess for the next frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faceswap.errors import ProjectError
from faceswap.faces.align import upright_matrix
from faceswap.faces.cuts import BlockCutDetector, CutDetector
from faceswap.faces.face import Detector, Face, Landmarker, Landmarks, as_frame
from faceswap.faces.finder import (
    PRESENCE_THRESHOLD,
    detect_and_refine,
    face_from,
    overlap,
    plausible,
)
from faceswap.types import Points, UInt8Image

__all__ = ["TrackedFrame", "Tracker"]

_RETRY = 5  # frames between two detections while a face is lost
_REMEMBER = 50  # frames for which a lost track can come back
_SAME_OVERLAP = 0.6  # two tracks whose boxes overlap by more follow the same face
_MAX_MOTION = 0.05  # in crop sides; half of the limit on scale and rotation (radians)


@dataclass(frozen=True)
class TrackedFrame:
    """Faces of one frame, sorted by track.

    cut: a new shot begins with this frame and all tracks are new. dropped: faces beyond
    ``max_faces`` in the last detection, which were left out.
    """

    faces: tuple[Face, ...]
    cut: bool
    dropped: int


@dataclass(frozen=True)
class _Track:
    number: int
    points: Points
    score: float
    missing: int = 0


class Tracker:
    """Tracks the faces of one clip, frame by frame in presentation order.

    The detector runs on the first frame, after a cut, when a face was lost (at once, then every
    fifth frame) and every `detect_every` frames. A face that reappears where it was lost keeps its
    track. max_faces: how many are tracked at once, the largest first. min_face: narrowest new face
    to track, in pixels.

    `state` is JSON data, exact in a round trip; a new tracker with it `restore`d continues as this
    one would have.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        detector: Detector,
        *,
        detect_every: int = 25,
        max_faces: int = 1,
        min_face: int = 0,
    ) -> None:
        self._landmarker, self._detector = landmarker, detector
        self._detect_every, self._max_faces, self._min_face = detect_every, max_faces, min_face
        self._tracks: list[_Track] = []
        self._next = 0
        self._frames = 0
        self._dropped = 0
        self._cuts: CutDetector = BlockCutDetector()

    def update(self, image: UInt8Image) -> TrackedFrame:
        """Track the faces into the clip's next frame (H, W, 3)."""
        frame = as_frame(image)
        cut = self._cuts.update(frame)
        if cut:
            self._tracks.clear()
        active = [track for track in self._tracks if track.missing == 0]
        faces = self._follow(frame, active)
        kept = {face.track for face in faces}
        self._tracks = [
            replace(track, missing=0 if track.number in kept else track.missing + 1)
            for track in self._tracks
            if track.missing < _REMEMBER
        ]
        if self._due(cut or self._frames == 0):
            turned = cut or self._frames % self._detect_every == 0
            faces += self._detect(frame, faces, turned=turned)
        self._frames += 1
        faces.sort(key=lambda face: face.track)
        placed = {face.track: face.points for face in faces}
        self._tracks = [
            replace(track, points=placed.get(track.number, track.points)) for track in self._tracks
        ]
        return TrackedFrame(tuple(faces), cut, self._dropped)

    def state(self) -> dict[str, Any]:
        """Complete state to resume from, as JSON data."""
        return {
            "frames": self._frames,
            "next": self._next,
            "dropped": self._dropped,
            "cuts": self._cuts.state(),
            "tracks": [
                {
                    "number": track.number,
                    "points": track.points.astype(float).tolist(),
                    "score": track.score,
                    "missing": track.missing,
                }
                for track in self._tracks
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`. Raises ProjectError when it is invalid."""
        try:
            self._frames, self._next = int(state["frames"]), int(state["next"])
            self._dropped = int(state["dropped"])
            if "cuts" in state:  # not in those of earlier versions: then the next frame is no cut
                self._cuts.restore(state["cuts"])
            self._tracks = [
                _Track(
                    int(track["number"]),
                    np.asarray(track["points"], np.float32).reshape(68, 2),
                    float(track["score"]),
                    int(track["missing"]),
                )
                for track in state["tracks"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError("The stored state of the face tracker is damaged.") from error

    def _follow(self, frame: UInt8Image, tracks: Sequence[_Track]) -> list[Face]:
        """Faces of the tracks in this frame, without those that are lost."""
        answers = self._landmarker.locate(frame, [track.points for track in tracks])
        again = [
            row
            for row, (track, answer) in enumerate(zip(tracks, answers, strict=True))
            if _moved_far(track.points, answer)
        ]
        if again:
            second = self._landmarker.locate(frame, [answers[row].points for row in again])
            for row, answer in zip(again, second, strict=True):
                answers[row] = answer
        faces: list[Face] = []
        for track, answer in zip(tracks, answers, strict=True):
            if answer.presence < PRESENCE_THRESHOLD or not plausible(answer.points, frame):
                continue
            face = face_from(answer, score=track.score, track=track.number)
            if all(overlap(face.box, other.box) < _SAME_OVERLAP for other in faces):
                faces.append(face)
        return faces

    def _due(self, first: bool) -> bool:
        """Whether to run the detector on this frame."""
        lost = [track.missing for track in self._tracks if track.missing]
        retry = any(missing % _RETRY == 1 for missing in lost)
        empty = not self._tracks and self._frames % _RETRY == 0
        return first or retry or empty or self._frames % self._detect_every == 0

    def _detect(self, frame: UInt8Image, followed: list[Face], *, turned: bool) -> list[Face]:
        """Detect further faces and assign them to lost tracks or new ones."""
        known = [face.box for face in followed]
        found = detect_and_refine(
            frame, self._landmarker, self._detector, known=known, turned=turned
        )
        found = [face for face in found if face.box[2] - face.box[0] >= self._min_face]
        capacity = max(self._max_faces - len(followed), 0)
        self._dropped = max(len(found) - capacity, 0)
        taken: list[Face] = []
        for face in found[:capacity]:
            track = self._lost_near(face)
            if track is None:
                track = _Track(self._next, face.points, face.score)
                self._next += 1
                self._tracks.append(track)
            else:
                self._tracks[self._tracks.index(track)] = revived = replace(
                    track, missing=0, points=face.points, score=face.score
                )
                track = revived
            taken.append(replace(face, track=track.number))
        return taken

    def _lost_near(self, face: Face) -> _Track | None:
        """The lost track whose last position is nearest to the face, within one face width."""
        lost = [track for track in self._tracks if track.missing]
        centre, width = face.points.mean(0), face.box[2] - face.box[0]
        distance = {
            track.number: float(np.linalg.norm(track.points.mean(0) - centre)) for track in lost
        }
        near = [track for track in lost if distance[track.number] < width]
        return min(near, key=lambda track: distance[track.number], default=None)


def _moved_far(before: Points, answer: Landmarks) -> bool:
    """Whether the crop of the previous points was so far off that a second pass pays."""
    if answer.presence < 0.05 or not np.isfinite(answer.points).all():
        return False
    old, new = upright_matrix(before, 1), upright_matrix(answer.points, 1)
    middle = np.append(before.mean(0), 1)
    shift = float(np.linalg.norm((new - old) @ middle))
    (a, b), (c, d) = old[0, :2].tolist(), new[0, :2].tolist()
    scale = math.hypot(c, d) / max(math.hypot(a, b), 1e-9)
    turn = abs(math.atan2(a * d - b * c, a * c + b * d))
    return shift > _MAX_MOTION or abs(scale - 1) > 2 * _MAX_MOTION or turn > 2 * _MAX_MOTION
