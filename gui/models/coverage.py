"""Which poses and expressions of A's faces B's faces have, in figures.

Seconds are those that faces are on screen. B's faces count as far as they are in training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

YAW_EDGES = (-90.0, -50.0, -30.0, -12.0, 12.0, 30.0, 50.0, 90.0)
"""Degrees between the columns of the map, from left to right."""
PITCH_EDGES = (-90.0, -25.0, -10.0, 10.0, 25.0, 90.0)
"""Degrees between its rows, from down to up."""
MOUTH_EDGES = (-1.0, 0.05, 0.2, 9.0)
"""Shut, half open and open, in distances between the outer corners of the eyes."""
LIDS_EDGES = (-1.0, 0.4, 0.75, 99.0)
"""Shut, half open and open, in shares of the person's usual opening."""

LEAST_SECONDS = 0.3
"""What A shows for less is no lack of B."""
FEW = 0.1
"""Share of A's seconds below which B has few faces of a kind."""


@dataclass(frozen=True)
class Faces:
    """Faces of one person: yaw and pitch in degrees, openings of mouth and lids, seconds; (N,)."""

    yaw: NDArray[np.float32]
    pitch: NDArray[np.float32]
    mouth: NDArray[np.float32]
    lids: NDArray[np.float32]
    seconds: NDArray[np.float32]


@dataclass(frozen=True)
class Histograms:
    """Seconds by pose (rows of pitch, columns of yaw), opening of the mouth, and of the lids."""

    pose: NDArray[np.float64]
    mouth: NDArray[np.float64]
    lids: NDArray[np.float64]


@dataclass(frozen=True)
class Lack:
    """What B lacks: a kind of face, the seconds of A that need it, and the seconds B has."""

    kind: str
    needed: float
    has: float


def histograms(faces: Faces) -> Histograms:
    """Count the seconds of faces by their kinds."""
    seconds = faces.seconds.astype(np.float64).round(4)
    usual = float(np.median(faces.lids)) if len(faces.lids) else 1.0
    pose, _, _ = np.histogram2d(faces.pitch, faces.yaw, (PITCH_EDGES, YAW_EDGES), weights=seconds)
    mouth, _ = np.histogram(faces.mouth, MOUTH_EDGES, weights=seconds)
    lids, _ = np.histogram(faces.lids / max(usual, 1e-3), LIDS_EDGES, weights=seconds)
    return Histograms(pose, mouth, lids)


def is_lacking(needed: float, has: float) -> bool:
    """Whether B has too few faces of a kind that A shows for ``needed`` seconds."""
    return needed >= LEAST_SECONDS and has < FEW * needed


def lacks(a: Histograms, b: Histograms) -> list[Lack]:
    """What B lacks of A, what is needed longest first."""
    kinds = {
        "down": (a.pose[:2].sum(), b.pose[:2].sum()),
        "up": (a.pose[3:].sum(), b.pose[3:].sum()),
        "left": (a.pose[:, 1:3].sum(), b.pose[:, 1:3].sum()),
        "right": (a.pose[:, 4:6].sum(), b.pose[:, 4:6].sum()),
        "far left": (a.pose[:, 0].sum(), b.pose[:, 0].sum()),
        "far right": (a.pose[:, 6].sum(), b.pose[:, 6].sum()),
        "ahead": (a.pose[2, 3], b.pose[2, 3]),
        "mouth shut": (a.mouth[0], b.mouth[0]),
        "mouth open": (a.mouth[2], b.mouth[2]),
        "eyes shut": (a.lids[0], b.lids[0]),
    }
    found = [
        Lack(kind, float(needed), float(has))
        for kind, (needed, has) in kinds.items()
        if is_lacking(float(needed), float(has))
    ]
    return sorted(found, key=lambda lack: -round(lack.needed, 2))
