"""What the user took out of training stays out of it when a clip is extracted anew."""

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face import box_of
from faceswap.faces.index_schema import FaceRow

_NEAR = 0.5
"""How far the middles of two faces may be apart to be one, in widths of the old one."""


def previously_excluded(
    old: Iterable[FaceRow], every: int, kept: Collection[str], new: Iterable[FaceRow]
) -> list[str]:
    """The names of the crops of ``new`` whose faces were out of training before.

    old: all faces before, of which each ``every``-th frame has crops; kept: the names of those
    that are still in training, the others having been excluded or deleted. Each old crop stands
    for its track until the next one. Of the old faces in a frame a new one is the nearest, if
    that is near enough.
    """
    seen = _seen(old, every, kept)
    names = []
    for face in new:
        if face.crop is None or face.frame not in seen:
            continue
        middle = face.points.mean(0)
        before = min(seen[face.frame], key=lambda place: float(np.hypot(*(place[0] - middle))))
        if before[2] and float(np.hypot(*(before[0] - middle))) < _NEAR * before[1]:
            names.append(face.crop)
    return names


_Place = tuple[NDArray[np.float32], float, bool]


def _seen(old: Iterable[FaceRow], every: int, kept: Collection[str]) -> dict[int, list[_Place]]:
    """For each frame the middles and widths of its faces, and whether they were out."""
    seen: dict[int, list[_Place]] = defaultdict(list)
    states: dict[int, tuple[int, bool]] = {}
    for face in old:
        if face.crop is not None:
            states[face.track] = face.frame, face.crop not in kept
        frame, out = states.get(face.track, (face.frame, False))
        left, _, right, _ = box_of(face.points)
        out = out and face.frame - frame < every
        seen[face.frame].append((face.points.mean(0), right - left, out))
    return seen
