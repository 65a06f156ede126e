"""Template vertices of the 68 iBUG landmarks and the 13 forehead points.

Jaw, nose and forehead points are where the mean face has them, the mean of the landmarker's
training labels (FaceMesh's points). Lid, lip and brow points are on the template's own lids, lips
and brows, as FaceMesh's are: an eye corner is where the lids meet, not where the mean face has it.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import mean_face
from faceswap.synthetic.identity import Hairs
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import Array

# In the template's centimetres, seen from the front; _EYE_X: |x|.
_CHIN = (0.0, -11.05)
_BROW = ((-5.72, 1.49), (-5.08, 2.1), (-4.09, 2.45), (-2.84, 2.44), (-1.43, 2.1))
_EYE_X = (4.52, 3.85, 2.84, 1.72, 2.68, 3.67)
_LIP_X = (-2.55, -1.55, -0.81, 0.0, 0.81, 1.55, 2.55, 1.52, 0.82, 0.0, -0.82, -1.52)
_INNER_X = (-2.4, -0.66, 0.0, 0.66, 2.4, 0.66, 0.0, -0.66)


@cache
def _mean_spots() -> Array:
    """The mean face's 81 points (81, 2), from the front, in the template's centimetres."""
    points = mean_face().points[:, :2] * [1, -1] * 2 * _EYE_X[0]
    points[:, 1] -= points[36:48, 1].mean()
    points[8] = _CHIN
    return np.asarray(points)


@cache
def _skin_vertices() -> NDArray[np.int32]:
    """Vertices that landmarks may be on: the fine mesh of the front, without the inner rims."""
    t = template_mesh()
    ok = (np.abs(t.chart[:, 0]) < 9.5) & (t.lid_gap > -0.01) & (t.lip > -0.01)
    return np.flatnonzero(ok).astype(np.int32)


def _nearest(places: Array, *, middle: bool = False) -> NDArray[np.int32]:
    """Vertices nearest to points (K, 2) seen from the front; middle: on the symmetry plane only."""
    allowed = _skin_vertices()
    seen = template_mesh().rest[allowed, :2]
    if middle:
        on = np.abs(seen[:, 0]) < 0.02
        allowed, seen = allowed[on], seen[on]
    distance = np.hypot(*(seen[None] - places[:, None]).transpose(2, 0, 1))
    return np.asarray(allowed[distance.argmin(1)], np.int32)


@cache
def _fixed_vertices() -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Vertices of jaw, ridge of the nose and nostrils, the same for all people (cached)."""
    spots = _mean_spots()
    return _nearest(spots[:17]), _nearest(spots[27:31], middle=True), _nearest(spots[31:36])


def landmark_vertices(hairs: Hairs) -> NDArray[np.int32]:
    """Vertices (68,) of the iBUG landmarks for a person with these brows."""
    t = template_mesh()
    brow = np.array(_BROW)
    along = (-brow[:, 0] - 1.25) / 4.45
    arch = 0.28 * hairs.brow_arch * np.sin(np.pi * np.clip(along * 1.15 - 0.15, 0, 1)) ** 2
    brow[:, 1] += arch + 0.25 * hairs.brow_height
    brows = np.concatenate([brow, brow[::-1] * [-1, 1]])
    x = t.rest[:, 0]
    half = t.lid_rings.shape[2] // 2
    eyes: list[int] = []
    for number, order in ((1, (0, 1, 2, 3, 4, 5)), (0, (3, 2, 1, 0, 5, 4))):
        ring = t.lid_rings[number, 1]
        for k in order:
            part = ring[: half + 1] if k < 4 else np.append(ring[half:], ring[0])
            eyes.append(int(part[np.abs(np.abs(x[part]) - _EYE_X[k]).argmin()]))
    border = t.lip_rings[8]
    line = t.lip_rings[3]
    half = t.lip_rings.shape[1] // 2
    mouth: list[int] = []
    for ring, wanted, over in ((border, _LIP_X, 7), (line, _INNER_X, 5)):
        for k, at in enumerate(wanted):
            part = ring[: half + 1] if k < over else np.append(ring[half:], ring[0])
            mouth.append(int(part[np.abs(x[part] - at).argmin()]))
    jaw, ridge, nostrils = _fixed_vertices()
    return np.concatenate(
        [
            jaw,
            _nearest(brows),
            ridge,
            nostrils,
            np.array(eyes, np.int32),
            np.array(mouth, np.int32),
        ]
    ).astype(np.int32)


@cache
def forehead_vertices() -> NDArray[np.int32]:
    """Vertices (13,) of the forehead points, from the picture's left to its right."""
    return _nearest(_mean_spots()[68:])
