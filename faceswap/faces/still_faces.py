"""Find the faces of photographs, with the interface of the tracker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faceswap.errors import ProjectError
from faceswap.faces.appearance import FaceEmbedder
from faceswap.faces.face import Detector, Landmarker
from faceswap.faces.finder import find_faces
from faceswap.faces.tracking import TrackedFrame
from faceswap.types import UInt8Image


class StillFaces:
    """Finds the faces of pictures that have nothing to do with each other.

    Each face of each picture is a track of its own. See ``Tracker`` for the arguments.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        detector: Detector,
        *,
        embedder: FaceEmbedder | None = None,
        max_faces: int = 16,
        min_face: int = 0,
    ) -> None:
        self._landmarker, self._detector, self._embedder = landmarker, detector, embedder
        self._max_faces, self._min_face = max_faces, min_face
        self._next = 0

    def update(self, image: UInt8Image) -> TrackedFrame:
        """Find the faces of the next picture (H, W, 3)."""
        found = find_faces(image, self._landmarker, self._detector, min_face=self._min_face)
        kept = [
            replace(face, track=self._next + number)
            for number, face in enumerate(found[: self._max_faces])
        ]
        self._next += len(kept)
        vectors = {}
        if self._embedder is not None and kept:
            embedded = self._embedder.embed(image, [face.points for face in kept])
            vectors = {face.track: vector for face, vector in zip(kept, embedded, strict=True)}
        return TrackedFrame(tuple(kept), True, len(found) - len(kept), vectors)

    def state(self) -> dict[str, Any]:
        """Complete state to resume from, as JSON data."""
        return {"next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a ``state``; raises ProjectError when it is invalid."""
        try:
            self._next = int(state["next"])
        except (KeyError, TypeError, ValueError) as error:
            raise ProjectError("The stored state of the face finder is damaged.") from error
