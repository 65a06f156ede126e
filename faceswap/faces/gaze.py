"""Where an eye looks, from the place of its iris."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face_regions import EYES
from faceswap.types import Points, UInt8Image

_FINEST = 24  # pixels of an eye's width to work at


def iris_offsets(image: UInt8Image, points: Points) -> NDArray[np.float32]:
    """How far the irises are from the middles of the eyes, x and y in eye widths: (2,).

    image (H, W, 3), points (68, 2) in its pixels. The mean of both eyes; along the line of the
    corners and across it. The iris and pupil are what is dark in the open eye; of shut eyes the
    answer is that of the lashes. (0, 0) where nothing is darker than the rest.
    """
    found = [_place(image, points[eye].astype(np.float64)) for eye in EYES]
    return np.asarray(np.mean(found, axis=0), np.float32)


def _place(image: UInt8Image, eye: NDArray[np.float64]) -> NDArray[np.float64]:
    middle, across = (eye[0] + eye[3]) / 2, eye[3] - eye[0]
    width = max(float(np.linalg.norm(across)), 1.0)
    scale, (c, s) = _FINEST / width, across / width
    linear = scale * np.array([[c, s], [-s, c]])
    half = _FINEST * 0.75
    matrix = np.c_[linear, half - linear @ middle]
    side = int(2 * half)
    near = cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.cvtColor(near, cv2.COLOR_RGB2GRAY)
    outline = np.zeros((side, side), np.uint8)
    hull = np.round((eye @ linear.T + matrix[:, 2]) * 16).astype(np.int32)
    cv2.fillConvexPoly(outline, cv2.convexHull(hull), 1, cv2.LINE_8, 4)
    inside = outline > 0
    if not inside.any():
        return np.zeros(2)
    dark = np.where(inside, np.median(grey[inside]) - grey.astype(np.float64), 0).clip(min=0)
    if dark.sum() <= 0:
        return np.zeros(2)
    rows, columns = np.indices(dark.shape)
    place = np.array([(columns * dark).sum(), (rows * dark).sum()]) / dark.sum()
    return np.asarray((place - half) / _FINEST)
