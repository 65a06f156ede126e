"""Face tracking: each frame's landmarks are the initial guess for the next frame.

What a face looks like (``appearance.py``) decides where motion cannot: which of two faces that
overlapped is which, whether a face that comes back is the one that was lost, and whether it is
still the same one after a change that no cut was seen at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from faceswap.errors import ProjectError
from faceswap.faces.align import upright_matrix
from faceswap.faces.appearance import (
    DIFFERENT,
    FaceEmbedder,
    Vector,
    has_jumped,
    small_patch,
)
from faceswap.faces.cuts import BlockCutDetector, CutDetector
from faceswap.faces.face import Detector, Face, Landmarker, Landmarks, as_frame
from faceswap.faces.finder import (
    PRESENCE_THRESHOLD,
    detect_and_refine,
    face_from,
    overlap,
    plausible,
)
from faceswap.faces.tracks import Track, exchanged, match_lost
from faceswap.types import Points, UInt8Image

__all__ = ["TrackedFrame", "Tracker"]

_FLAT = 3.0  # standard deviation of the pixels of a frame that shows nothing
_SAMPLES = 32  # along each side, by which that is judged
_RETRY = 5  # frames between two detections while a face is lost
_REMEMBER = 150  # frames for which a lost track can come back
_RETRIED = 150  # frames for which the detector runs more often because of it
_SAME_OVERLAP = 0.6  # two tracks whose boxes overlap by more follow the same face
_MIX_OVERLAP = 0.2  # two faces whose boxes overlap by more may be mistaken for each other
_HIDDEN = 50  # frames after which nobody is expected to come out from behind another face
_LOOK_EVERY = 12  # frames between two embeddings of a face
_MAX_MOTION = 0.05  # in crop sides; half of the limit on scale and rotation (radians)


@dataclass(frozen=True)
class TrackedFrame:
    """Faces of one frame, sorted by track.

    cut: a new shot begins with this frame and all tracks are new. dropped: faces beyond
    ``max_faces`` in the last detection, which were left out. embeddings: of the tracks that were
    looked at in this frame.
    """

    faces: tuple[Face, ...]
    cut: bool
    dropped: int
    embeddings: Mapping[int, Vector] = field(default_factory=dict)


class Tracker:
    """Tracks the faces of one clip, frame by frame in presentation order.

    The detector runs on the first frame, after a cut, when a face was lost (at once, then every
    fifth frame) and every `detect_every` frames. A face that comes back keeps its track. Frames
    that show nothing, such as grey ones, interrupt no track. embedder: without one, faces are told
    apart by place alone. max_faces: how many are tracked at once, the largest first. min_face:
    narrowest new face to track, in pixels.

    `state` is JSON data, exact in a round trip; a new tracker with it `restore`d continues as this
    one would have.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        detector: Detector,
        *,
        embedder: FaceEmbedder | None = None,
        detect_every: int = 25,
        max_faces: int = 1,
        min_face: int = 0,
    ) -> None:
        self._landmarker, self._detector, self._embedder = landmarker, detector, embedder
        self._detect_every, self._max_faces, self._min_face = detect_every, max_faces, min_face
        self._tracks: list[Track] = []
        self._next = 0
        self._frames = 0
        self._dropped = 0
        self._gap = 0
        self._plain = False
        self._cuts: CutDetector = BlockCutDetector()

    def update(self, image: UInt8Image) -> TrackedFrame:
        """Track the faces into the clip's next frame (H, W, 3)."""
        frame = as_frame(image)
        plain = _shows_nothing(frame)
        if self._is_gap(frame, plain):
            self._frames += 1
            self._gap += 1
            return TrackedFrame((), False, self._dropped)
        self._plain, self._gap = plain, 0
        cut = self._cuts.update(frame)
        if cut:
            self._tracks.clear()
        vectors: dict[int, Vector] = {}
        faces = self._follow(frame, [track for track in self._tracks if not track.missing])
        faces = self._recognised(frame, faces, vectors)
        self._note(faces, vectors, lose=True)
        if self._due(cut or self._frames == 0):
            turned = cut or self._frames % self._detect_every == 0
            found = self._detect(frame, faces, vectors, turned=turned)
            self._note(found, vectors, lose=False)
            faces += found
        self._frames += 1
        faces.sort(key=lambda face: face.track)
        return TrackedFrame(tuple(faces), cut, self._dropped, vectors)

    def state(self) -> dict[str, Any]:
        """Complete state to resume from, as JSON data."""
        return {
            "frames": self._frames,
            "next": self._next,
            "dropped": self._dropped,
            "gap": self._gap,
            "plain": self._plain,
            "cuts": self._cuts.state(),
            "tracks": [track.to_json() for track in self._tracks],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a `state`. Raises ProjectError when it is invalid."""
        try:
            self._frames, self._next = int(state["frames"]), int(state["next"])
            self._dropped, self._gap = int(state["dropped"]), int(state.get("gap", 0))
            self._plain = bool(state.get("plain", False))
            if "cuts" in state:  # not in those of earlier versions: then the next frame is no cut
                self._cuts.restore(state["cuts"])
            self._tracks = [Track.from_json(track) for track in state["tracks"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError("The stored state of the face tracker is damaged.") from error

    def _follow(self, frame: UInt8Image, tracks: Sequence[Track]) -> list[Face]:
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
            same = [other for other in faces if overlap(face.box, other.box) >= _SAME_OVERLAP]
            if not same:
                faces.append(face)
            elif self._is_rather(frame, face, same[0]):
                faces[faces.index(same[0])] = face
        return faces

    def _is_rather(self, frame: UInt8Image, face: Face, other: Face) -> bool:
        """Whether a face that two tracks have come to follow is the first's one."""
        if self._embedder is None:
            return False
        (vector,) = self._embedder.embed(frame, [face.points])
        first, second = self._track(face.track), self._track(other.track)
        return first.appearance.similarity(vector) > second.appearance.similarity(vector)

    def _track(self, number: int) -> Track:
        return next(track for track in self._tracks if track.number == number)

    def _recognised(
        self, frame: UInt8Image, faces: list[Face], vectors: dict[int, Vector]
    ) -> list[Face]:
        """The faces with the tracks that they are of by their looks; fills ``vectors``."""
        if self._embedder is None or not faces:
            return faces
        mixed = _overlapping(faces)
        hidden = any(0 < track.missing <= _HIDDEN and track.mixed for track in self._tracks)
        looked = [
            face for face in faces if self._look_due(frame, face, face.track in mixed, hidden)
        ]
        if not looked:
            return faces
        embedded = self._embedder.embed(frame, [face.points for face in looked])
        found = {face.track: vector for face, vector in zip(looked, embedded, strict=True)}
        names = self._untangled(found)
        kept = []
        for face in faces:
            number = names.get(face.track, face.track)
            vector = found.get(face.track)
            if vector is not None:
                if self._track(number).appearance.similarity(vector) < DIFFERENT:
                    continue  # another person's face at the same place
                vectors[number] = vector
            kept.append(replace(face, track=number))
        return kept

    def _look_due(self, frame: UInt8Image, face: Face, mixed: bool, hidden: bool) -> bool:
        """Whether to look who a followed face is; never while it overlaps another one.

        hidden: whether someone went behind another face just now, and may come out of it.
        """
        place = next(n for n, track in enumerate(self._tracks) if track.number == face.track)
        track = self._tracks[place]
        patch = small_patch(frame, face.points)
        jumped = has_jumped(track.patch, patch)
        doubted = track.mixed or hidden or jumped
        due = not mixed and (doubted or track.age % _LOOK_EVERY == 0)
        self._tracks[place] = replace(track, patch=patch, mixed=mixed or (track.mixed and not due))
        return due

    def _untangled(self, found: Mapping[int, Vector]) -> dict[int, int]:
        """New numbers of the tracks that have exchanged their faces."""
        names: dict[int, int] = {}
        for one, two in combinations(found, 2):
            if one in names or two in names:
                continue
            if exchanged(self._track(one), self._track(two), (found[one], found[two])):
                names |= {one: two, two: one}
        return names

    def _note(self, faces: Sequence[Face], vectors: Mapping[int, Vector], *, lose: bool) -> None:
        """Bring the tracks up to date with the faces of this frame; ``lose`` those without one."""
        placed = {face.track: face for face in faces}
        tracks = []
        for track in self._tracks:
            face = placed.get(track.number)
            if face is not None:
                seen = track.appearance
                if track.number in vectors and not track.mixed:
                    seen = seen.with_one(vectors[track.number])
                track = replace(
                    track, points=face.points, age=track.age + 1, missing=0, appearance=seen
                )
            elif lose:
                track = replace(track, missing=track.missing + 1, patch=None)
            if track.missing <= _REMEMBER:
                tracks.append(track)
        self._tracks = tracks

    def _due(self, first: bool) -> bool:
        """Whether to run the detector on this frame."""
        lost = [track.missing for track in self._tracks if 0 < track.missing <= _RETRIED]
        retry = any(missing % _RETRY == 1 for missing in lost)
        followed = any(not track.missing for track in self._tracks)
        empty = not followed and self._frames % _RETRY == 0
        return first or retry or empty or self._frames % self._detect_every == 0

    def _detect(
        self,
        frame: UInt8Image,
        followed: list[Face],
        vectors: dict[int, Vector],
        *,
        turned: bool,
    ) -> list[Face]:
        """Detect further faces and assign them to lost tracks or new ones."""
        known = [face.box for face in followed]
        found = detect_and_refine(
            frame, self._landmarker, self._detector, known=known, turned=turned
        )
        found = [face for face in found if face.box[2] - face.box[0] >= self._min_face]
        capacity = max(self._max_faces - len(followed), 0)
        self._dropped = max(len(found) - capacity, 0)
        found = found[:capacity]
        if not found:
            return []
        looks = None
        if self._embedder is not None:
            looks = list(self._embedder.embed(frame, [face.points for face in found]))
        again = match_lost(self._tracks, found, looks)
        taken: list[Face] = []
        for place, face in enumerate(found):
            number = again[place].number if place in again else self._begin(face)
            if looks is not None:
                vectors[number] = looks[place]
            taken.append(replace(face, track=number))
        return taken

    def _begin(self, face: Face) -> int:
        self._tracks.append(Track(self._next, face.points, face.score))
        self._next += 1
        return self._next - 1

    def _is_gap(self, frame: UInt8Image, plain: bool) -> bool:
        """Whether the frame shows nothing, as a grey one does, though the one before it did."""
        if not plain or self._plain or not self._tracks or self._gap >= _REMEMBER:
            return False
        return not detect_and_refine(frame, self._landmarker, self._detector)


def _overlapping(faces: Sequence[Face]) -> set[int]:
    """Numbers of the tracks whose faces overlap another one's."""
    pairs: Iterator[tuple[Face, Face]] = combinations(faces, 2)
    return {
        face.track
        for pair in pairs
        if overlap(pair[0].box, pair[1].box) > _MIX_OVERLAP
        for face in pair
    }


def _shows_nothing(frame: UInt8Image) -> bool:
    """Whether a frame has one colour, judged by up to 32 x 32 pixels spread over it."""
    if frame.size == 0:
        return False
    rows, columns = (max(1, size // _SAMPLES) for size in frame.shape[:2])
    return bool(frame[::rows, ::columns].std((0, 1)).max() < _FLAT)


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
