"""Label sets of the press photographs, from FaceMesh's points and MediaPipe's person masks.

Nobody drew these labels: inside the eyes and lips of FaceMesh a pixel is an eye or the mouth,
outside the person it is background, and GrabCut (Rother et al., SIGGRAPH 2004) divides the rest of
the head into what looks like its skin and what does not. Where they are not sure, a pixel may be
anything.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from landmarker.data import IBUG
from numpy.typing import NDArray

from faceswap.faces.labels import Label
from faceswap.types import Points, UInt8Image
from segmenter.data import ANYTHING, Labels, bits, canvas

_HALF = 112
OVAL = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip
"""FaceMesh's points around the face, forehead included."""
_COVERED = 0.97
"""Share of the oval that the person mask must cover to be believed."""
_CONTRAST = 22
"""Grey levels between the medians of skin and of the rest below which they are not told apart."""
_SKIN = bits(Label.SKIN)
_OVER_SKIN = bits(Label.IN_FRONT, Label.GLASSES)
_ANY_HAIR = bits(Label.HAIR, Label.CLOTH)


def press_sets(
    image: UInt8Image, mesh: NDArray[np.float32], person: NDArray[np.uint8]
) -> Labels | None:
    """Label sets (112, 112) of a picture (112, 112) with points (478, 2) and its person mask.

    None where the mask or the division into skin and the rest failed.
    """
    outside, inside = person < 25, person > 230
    points = mesh[IBUG].astype(np.float32)
    eyes = float(np.linalg.norm(points[45] - points[36]))
    oval = _filled(mesh[OVAL])
    if inside[oval > 0].mean() < _COVERED:
        return None
    sets = np.full((_HALF, _HALF), ANYTHING, np.uint16)
    sets[outside] = bits(Label.BACKGROUND)
    sets[inside] = ANYTHING - bits(Label.BACKGROUND)
    features = _features(points, eyes)
    skin = _skin_like(image, mesh, inside, oval, features, eyes)
    if skin is None:
        return None
    core = cv2.erode(oval, _disc(0.06 * eyes)) > 0
    around = cv2.dilate(oval, _disc(0.35 * eyes)) > 0
    upper = np.arange(_HALF)[:, None] < points[33, 1]
    levels = image[..., 0].astype(np.float32)
    # A bald head's lights differ from its skin too: only what is darker is hair for certain.
    darker = levels < np.median(levels[core & (skin == 1)]) - _CONTRAST
    sure, other = skin == 1, (skin == 0) & darker
    sets[inside & core & sure & ~features] = _SKIN
    brow_rows = _filled(_grown(points[17:27], 1.3)) > 0
    sets[inside & other & upper & around & ~features & ~brow_rows] = _ANY_HAIR | _OVER_SKIN
    for part, allowed in (
        (points[36:42], bits(Label.EYES, Label.SKIN)),
        (points[42:48], bits(Label.EYES, Label.SKIN)),
        (points[48:60], bits(Label.LIPS, Label.MOUTH)),
    ):
        sets[(_filled(part) > 0) & inside] = allowed | bits(Label.IN_FRONT)
    # LFWcrop repeats the edge of a tight crop: far from the face there is no picture.
    sets[cv2.dilate(oval, _disc(0.55 * eyes)) == 0] = ANYTHING
    return sets


def _skin_like(
    image: UInt8Image,
    mesh: NDArray[np.float32],
    person: NDArray[np.bool_],
    oval: UInt8Image,
    features: NDArray[np.bool_],
    eyes: float,
) -> NDArray[np.uint8] | None:
    """1 where a pixel looks like the skin, 0 where not, 2 where unsure; None if nothing differs."""
    near = cv2.erode(oval, _disc(0.22 * eyes)) > 0
    far = cv2.dilate(oval, _disc(0.16 * eyes)) == 0
    above = np.arange(_HALF)[:, None] < mesh[IBUG][36:48, 1].mean()
    seeds = np.full((_HALF, _HALF), cv2.GC_PR_BGD, np.uint8)
    seeds[oval > 0] = cv2.GC_PR_FGD
    seeds[near & ~features] = cv2.GC_FGD
    seeds[far & above] = cv2.GC_BGD
    seeds[~person] = cv2.GC_BGD
    head = far & above & person
    if head.sum() < 60 or (near & ~features).sum() < 60:
        return None
    levels = image[..., 0].astype(np.float32)
    if abs(np.median(levels[near & ~features]) - np.median(levels[head])) < _CONTRAST:
        return None
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(1)
    whole = (0, 0, _HALF, _HALF)  # not looked at: the seeds say where to begin
    cut, _, _ = cv2.grabCut(image, seeds, whole, *models, 3, cv2.GC_INIT_WITH_MASK)
    found = ((cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)).astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    edge = cv2.dilate(found, kernel) != cv2.erode(found, kernel)
    return np.where(edge, 2, found).astype(np.uint8)


def _features(points: Points, eyes: float) -> NDArray[np.bool_]:
    """Brows, eyes, nostrils and mouth with a margin: dark without being hair."""
    mask = np.zeros((_HALF, _HALF), np.uint8)
    parts = (points[17:22], points[22:27], points[36:42], points[42:48], points[31:36],
             points[48:60])  # fmt: skip
    for part in parts:
        mask |= _filled(part)
    return np.asarray(cv2.dilate(mask, _disc(0.1 * eyes)) > 0)


def _filled(points: NDArray[np.floating]) -> UInt8Image:
    mask = np.zeros((_HALF, _HALF), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return mask


def _grown(points: Points, factor: float) -> Points:
    centre = points.mean(0)
    return np.asarray(centre + (points - centre) * factor, np.float32)


def _disc(radius: float) -> UInt8Image:
    side = max(1, round(radius)) * 2 + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def press_photographs(data: Path, masks: Path, count: int) -> Iterator[tuple[UInt8Image, Labels]]:
    """Canvases of the first ``count`` press photographs; masks: of ``person_masks.py``."""
    with np.load(data / "points.npz") as stored:
        mesh = stored["points"][:count, :, :2].astype(np.float32)
    with np.load(masks) as stored:
        person = stored["masks"]
    with zipfile.ZipFile(data / "faces.zip") as file:
        for number in range(min(count, len(person))):
            raw = np.frombuffer(file.read(f"{number:05d}.jpg"), np.uint8)
            picture = np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8)
            small = cv2.resize(picture, (_HALF, _HALF), interpolation=cv2.INTER_AREA)
            half = (mesh[number] + 0.5) / 2 - 0.5
            sets = press_sets(np.asarray(small, np.uint8), half, person[number])
            if sets is None:
                continue
            side = picture.shape[0]
            wide = cv2.resize(sets, (side, side), interpolation=cv2.INTER_NEAREST)
            yield canvas(picture, np.asarray(wide, np.uint16), mesh[number][IBUG])
