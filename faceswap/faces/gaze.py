"""Gaze estimate from the position of the iris."""

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face_regions import EYES
from faceswap.types import Points, UInt8Image

_EYE_WIDTH = 24  # pixels that an eye is scaled to


def iris_offsets(image: UInt8Image, points: Points) -> NDArray[np.float32]:
    """Offset (2,) of the irises from the eye centres, in eye widths, mean of both eyes.

    image (H, W, 3), points (68, 2) in its pixels. x is along the line of the eye corners, y across
    it. The iris is found as the centroid of the dark pixels inside the eye, so for a shut eye it
    is that of the lashes. (0, 0) where no pixel is darker than the median.
    """
    found = [_iris_offset(image, points[eye].astype(np.float64)) for eye in EYES]
    return np.asarray(np.mean(found, axis=0), np.float32)


def _iris_offset(image: UInt8Image, eye: NDArray[np.float64]) -> NDArray[np.float64]:
    middle, across = (eye[0] + eye[3]) / 2, eye[3] - eye[0]
    width = max(float(np.linalg.norm(across)), 1.0)
    scale, (c, s) = _EYE_WIDTH / width, across / width
    linear = scale * np.array([[c, s], [-s, c]])
    half = _EYE_WIDTH * 0.75
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
    centroid = np.array([(columns * dark).sum(), (rows * dark).sum()]) / dark.sum()
    return np.asarray((centroid - half) / _EYE_WIDTH)
