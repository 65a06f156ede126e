"""Where the 68 iBUG points and the 13 forehead points lie on the template.

The spots follow the project's landmarker: its training labels' mean face, in centimetres.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.chart import Array, chart_of
from faceswap.synthetic.identity import Hairs
from faceswap.synthetic.template import template

_JAW = (
    (-7.13, -0.79),
    (-7.07, -2.27),
    (-6.98, -3.75),
    (-6.76, -5.31),
    (-6.31, -6.92),
    (-5.66, -8.17),
    (-4.92, -9.05),
    (-3.97, -9.8),
    (0.0, -11.18),
)
_BROW = ((-5.72, 1.49), (-5.08, 2.1), (-4.09, 2.45), (-2.84, 2.44), (-1.43, 2.28))
_NOSE = ((0.0, 0.4), (0.0, -1.0), (0.0, -2.25), (0.0, -3.08))
_NOSTRILS = ((-1.36, -4.03), (-0.82, -4.34), (0.0, -4.38), (0.82, -4.34), (1.36, -4.03))
_EYE_X = (4.52, 3.85, 2.84, 1.72, 2.68, 3.67)
_LIP_X = (-2.55, -1.55, -0.81, 0.0, 0.81, 1.55, 2.55, 1.52, 0.82, 0.0, -0.82, -1.52)
_INNER_X = (-2.4, -0.66, 0.0, 0.66, 2.4, 0.66, 0.0, -0.66)
_FOREHEAD = (
    (-6.98, 0.88),
    (-6.65, 2.19),
    (-6.04, 3.4),
    (-5.07, 4.38),
    (-3.57, 5.05),
    (-1.93, 5.38),
    (0.0, 5.44),
)


def _mirrored(half: tuple[tuple[float, float], ...]) -> Array:
    left = np.array(half)
    return np.concatenate([left, left[-2::-1] * [-1, 1]])


@cache
def _skin_vertices() -> NDArray[np.int32]:
    """Vertices that points may lie on: the face's front, without the inner rims."""
    t = template()
    ok = (t.rest[:, 2] > -7.6) & (t.lid_gap > -0.01) & (t.lip > -0.01)
    return np.flatnonzero(ok).astype(np.int32)


def _nearest(places: Array) -> NDArray[np.int32]:
    """The vertices nearest on the chart to the spots seen at ``places`` (K, 2)."""
    t, allowed = template(), _skin_vertices()
    wanted = np.stack(chart_of(places[:, 0], places[:, 1]), -1)
    distance = np.hypot(*(t.chart[allowed][None] - wanted[:, None]).transpose(2, 0, 1))
    return np.asarray(allowed[distance.argmin(1)], np.int32)


def landmark_vertices(hairs: Hairs) -> NDArray[np.int32]:
    """The vertices (68,) of the iBUG points of a person with such brows."""
    t = template()
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
    return np.concatenate(
        [
            _nearest(_mirrored(_JAW)),
            _nearest(brows),
            _nearest(np.array(_NOSE)),
            _nearest(np.array(_NOSTRILS)),
            np.array(eyes, np.int32),
            np.array(mouth, np.int32),
        ]
    ).astype(np.int32)


def forehead_vertices() -> NDArray[np.int32]:
    """The vertices (13,) of the forehead points, from the picture's left to its right."""
    return _nearest(_mirrored(_FOREHEAD))
