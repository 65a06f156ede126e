"""What an eye objects to at once: dark patches, odd colours, another tone, an edge, flat light.

Frames are uint8 RGB (H, W, 3), masks uint8 (H, W); L* and a*b* are CIE Lab. All is measured in the
skin zone: the face without eyes, brows, nose, mouth and chin, and without what is dark or oddly
coloured in A itself (a fringe, a hand).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.align import eye_distance
from faceswap.faces.face_regions import chin_mask, eyes_mask, face_mask, features_mask, nose_mask
from faceswap.swap.evaluation.metrics import detail_energy
from faceswap.types import Mask, Points, UInt8Image

DARKER = 20.0
"""L* below the skin's median from which on a pixel is a dark patch."""
ODDER = 14.0
"""Distance in a*b* from the skin's median from which on a colour is odd."""
CHANGED = 8
"""Levels of 255 from which on a pixel counts as changed."""

_FEWEST = 200  # pixels of skin, below which nothing is told
_MARK = np.array([255, 40, 40], np.uint8)


@dataclass(frozen=True)
class FacePlace:
    """A face in a frame: its points (68, 2) and forehead (13, 2) in pixels."""

    points: Points
    forehead: Points

    def box(self, height: int, width: int, margin: float = 0.25) -> tuple[slice, slice]:
        """Rows and columns of the face, with a margin as a share of its size."""
        every = np.concatenate([self.points, self.forehead])
        low, high = every.min(0), every.max(0)
        reach = margin * (high - low).max()
        x0, y0 = np.clip(np.floor(low - reach), 0, [width, height]).astype(int)
        x1, y1 = np.clip(np.ceil(high + reach), 0, [width, height]).astype(int)
        return slice(int(y0), int(y1)), slice(int(x0), int(x1))


@dataclass(frozen=True)
class VisibleFaults:
    """Faults of one frame, as figures and as places, bool (h, w), within the face's box."""

    values: dict[str, float]
    places: dict[str, NDArray[np.bool_]]


def visible_faults(
    a: UInt8Image, out: UInt8Image, face: FacePlace, front: Mask | None = None
) -> VisibleFaults | None:
    """Faults of the swap ``out`` of frame ``a``; None where hardly any skin is seen.

    dark patches, odd colors: share of the skin zone. tone: ΔE (CIE 1976) between the medians. edge:
    mean gain in the gradient of L* per pixel along the edge of what was changed. contrast: spread
    of L*, swap over A. eye sharpness: detail in the eyes, swap over A. front (H, W): what is in
    front of the face, inside from 128 on; kept in front: the share of it that was not changed.
    """
    box = face.box(*a.shape[:2])
    corner = np.array([box[1].start, box[0].start], np.float32)
    here = FacePlace(face.points - corner, face.forehead - corner)
    before, after = a[box], out[box]
    if not before.size:
        return None
    own, other = _lab(after), _lab(before)
    skin = _skin_zone(here, other)
    if int(skin.sum()) < _FEWEST:
        return None
    middle, wanted = np.median(own[skin], 0), np.median(other[skin], 0)
    dark = skin & (own[..., 0] < middle[0] - DARKER)
    odd = skin & (np.linalg.norm(own[..., 1:] - middle[1:], axis=2) > ODDER)
    edge, gain = _edge_gain(before, after, other, own, eye_distance(face.points))
    eyes = eyes_mask(here.points, before.shape[:2])
    values = {
        "dark patches": float(dark.sum() / skin.sum()),
        "odd colors": float(odd.sum() / skin.sum()),
        "tone": float(np.linalg.norm(middle - wanted)),
        "edge": float(gain[edge].mean()) if edge.any() else 0.0,
        "contrast": float(own[..., 0][skin].std() / max(other[..., 0][skin].std(), 1e-3)),
        "eye sharpness": detail_energy(after, eyes) / max(detail_energy(before, eyes), 1e-3),
    }
    if front is not None and (ahead := front > 127).any():
        values["kept in front"] = float((_change(a, out)[ahead] <= CHANGED).mean())
    steep = edge & (gain > max(0.5, float(np.quantile(gain[edge], 0.9)) if edge.any() else 0))
    return VisibleFaults(values, {"dark patches": dark, "odd colors": odd, "edge": steep})


def marked(picture: UInt8Image, places: NDArray[np.bool_]) -> UInt8Image:
    """``picture`` (h, w, 3) with ``places`` (h, w) tinted red."""
    shown = picture.copy()
    shown[places] = (0.5 * shown[places] + 0.5 * _MARK).astype(np.uint8)
    return shown


def _skin_zone(face: FacePlace, lab: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The skin zone of A (h, w), whose Lab is given."""
    size = lab.shape[0], lab.shape[1]
    holes = np.maximum(features_mask(face.points, size), nose_mask(face.points, size))
    holes = np.maximum(holes, chin_mask(face.points, size))
    reach = max(3, int(0.12 * eye_distance(face.points)) | 1)
    holes = np.asarray(cv2.dilate(holes, np.ones((reach, reach), np.uint8)), np.uint8)
    whole = cv2.erode(
        face_mask(face.points, face.forehead, size), np.ones((reach, reach), np.uint8)
    )
    zone = (np.asarray(whole, np.uint8) > 127) & (holes < 128)
    if not zone.any():
        return zone
    middle = np.median(lab[zone], 0)
    plain = np.linalg.norm(lab[..., 1:] - middle[1:], axis=2) < ODDER
    return np.asarray(zone & plain & (lab[..., 0] > middle[0] - DARKER))


def _edge_gain(
    before: UInt8Image,
    after: UInt8Image,
    lab_before: NDArray[np.float32],
    lab_after: NDArray[np.float32],
    eyes: float,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Where the edge of what was changed is (h, w), and by how much L* is steeper there."""
    reach = max(3, int(0.06 * eyes) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    changed = (_change(before, after) > CHANGED).astype(np.uint8)
    for way in (cv2.MORPH_CLOSE, cv2.MORPH_OPEN):
        changed = np.asarray(cv2.morphologyEx(changed, way, kernel), np.uint8)
    edge = cv2.dilate(changed, kernel) != cv2.erode(changed, kernel)
    sigma = max(0.7, eyes / 120)
    steep = [_gradient(lab[..., 0], sigma) for lab in (lab_before, lab_after)]
    return np.asarray(edge), np.maximum(steep[1] - steep[0], 0)


def _gradient(lightness: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    soft = cv2.GaussianBlur(lightness, (0, 0), sigma)
    along = [cv2.Sobel(soft, cv2.CV_32F, x, y, scale=1 / 8) for x, y in ((1, 0), (0, 1))]
    return np.asarray(np.hypot(along[0], along[1]), np.float32)


def _change(before: UInt8Image, after: UInt8Image) -> UInt8Image:
    return np.asarray(cv2.absdiff(before, after).max(2), np.uint8)


def _lab(picture: UInt8Image) -> NDArray[np.float32]:
    scaled = np.asarray(picture, np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), np.float32)
