"""Carry the user's exclusions over to a new extraction of the same clip."""

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face import box_of
from faceswap.faces.index_schema import FaceRow

_MAX_DISTANCE = 0.5
"""Largest distance between the centres of two faces that count as the same, in old face widths."""


def previously_excluded(
    old: Iterable[FaceRow], every: int, kept: Collection[str], new: Iterable[FaceRow]
) -> list[str]:
    """Names of the crops of ``new`` whose faces were out of training before.

    old: all faces of the previous extraction, with crops every ``every`` frames; kept: names of
    the crops still in training, the others having been excluded or deleted. Each old crop stands
    for its track until the next one. A new face is matched to the nearest old one of its frame,
    within ``_MAX_DISTANCE``.
    """
    previous = _faces_by_frame(old, every, kept)
    names = []
    for face in new:
        if face.crop is None or face.frame not in previous:
            continue
        centre = face.points.mean(0)
        nearest = min(previous[face.frame], key=lambda old: float(np.hypot(*(old[0] - centre))))
        if nearest[2] and float(np.hypot(*(nearest[0] - centre))) < _MAX_DISTANCE * nearest[1]:
            names.append(face.crop)
    return names


_OldFace = tuple[NDArray[np.float32], float, bool]


def _faces_by_frame(
    old: Iterable[FaceRow], every: int, kept: Collection[str]
) -> dict[int, list[_OldFace]]:
    """Centre, width and whether excluded, of each old face, by frame."""
    faces: dict[int, list[_OldFace]] = defaultdict(list)
    states: dict[int, tuple[int, bool]] = {}
    for face in old:
        if face.crop is not None:
            states[face.track] = face.frame, face.crop not in kept
        frame, excluded = states.get(face.track, (face.frame, False))
        left, _, right, _ = box_of(face.points)
        excluded = excluded and face.frame - frame < every
        faces[face.frame].append((face.points.mean(0), right - left, excluded))
    return faces
