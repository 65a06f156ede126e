"""Evaluate a landmarker on the rendered characters, whose landmarks are known exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.detect import CenterFace
from faceswap.faces.face import Landmarker
from faceswap.faces.tracking import Tracker
from faceswap.synthetic.characters import CHARACTERS
from faceswap.synthetic.pair import Clip

Floats = NDArray[np.float64]

_SIZE, _RATE, _SEED = 256, 25, 11
_LIGHT = "window"
SHUT = 0.02
"""Lips closer than this share of the eye distance are shut."""
MOUTH = ((61, 67), (62, 66), (63, 65))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))


def opening(points: NDArray[np.floating], pairs: Sequence[tuple[int, int]]) -> Floats:
    """Mean distance of ``pairs`` of points (N, 68, 2) in % of the outer eye distance."""
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=-1)
    gaps = [np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in pairs]
    return np.asarray(100 * np.mean(gaps, 0) / eyes, np.float64)


def follow(landmarker: Landmarker, name: str, frames: int) -> dict[str, str | float]:
    """Metrics of the character `name`, tracked while talking for `frames` frames.

    r: correlation of the predicted opening with the exact one; slope: of the regression line;
    shut: predicted opening where the lips are shut, in % of the eye distance.
    """
    clip = Clip(CHARACTERS[name], _SIZE, frames, _RATE, _SEED, _LIGHT)
    tracker = Tracker(landmarker, CenterFace())
    exact, seen = [], []
    for shot in clip.shots(workers=1):
        found = tracker.update(shot.frame.picture)
        if found.faces:
            exact.append(shot.frame.points)
            seen.append(found.faces[0].points)
    truth, guess = np.stack(exact), np.stack(seen)
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)
    error = 100 * np.linalg.norm(guess - truth, axis=-1) / eyes[:, None]
    mouth, lids = opening(truth, MOUTH), opening(truth, LIDS)
    seen_mouth, seen_lids = opening(guess, MOUTH), opening(guess, LIDS)
    return {
        "head": name,
        "beard": CHARACTERS[name].hairs.beard,
        "inner": float(error[:, 17:].mean()),
        "mouth r": float(np.corrcoef(mouth, seen_mouth)[0, 1]),
        "mouth slope": _slope(mouth, seen_mouth),
        "shut": float(seen_mouth[mouth < 100 * SHUT].mean()),
        "lids r": float(np.corrcoef(lids, seen_lids)[0, 1]),
        "lids slope": _slope(lids, seen_lids),
    }


def _slope(exact: Floats, seen: Floats) -> float:
    """Slope of the regression of the predicted on the exact values."""
    return float(np.polyfit(exact, seen, 1)[0])
