"""How a picture is turned upright: as its EXIF, or a video's display matrix, says."""

import struct
import warnings

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Orientation = tuple[bool, bool, bool]
"""Transpose, flip x and flip y, applied in this order."""

UPRIGHT: Orientation = (False, False, False)

_ORIENTATION_TAG = 0x0112
_ORIENTATIONS: dict[int, Orientation] = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""The orientations of EXIF (JEITA CP-3451, 4.6.4 A)."""
_FLIPS = {(True, False): 1, (False, True): 0, (True, True): -1}


def apply_orientation(image: NDArray[np.uint8], turn: Orientation) -> NDArray[np.uint8]:
    """A picture (H, W[, C]) after ``turn``; itself where there is nothing to do."""
    transpose, *flips = turn
    if transpose:
        image = np.asarray(cv2.transpose(image), dtype=np.uint8)
    if any(flips):
        image = np.asarray(cv2.flip(image, _FLIPS[flips[0], flips[1]]), dtype=np.uint8)
    return image


def exif_orientation(picture: Image.Image) -> Orientation | None:
    """What undoes the way a camera was held, by a picture's EXIF; None where it says nothing.

    Of a TIFF that Pillow has loaded it says nothing: that is upright by then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are odd: nothing else is read
        try:
            orientation = picture.getexif().get(_ORIENTATION_TAG)
        except Exception:  # noqa: BLE001  (damaged EXIF fails in many ways; the pixels may be whole)
            return None
    return _ORIENTATIONS.get(orientation, UPRIGHT) if isinstance(orientation, int) else None


def display_matrix_orientation(data: bytes) -> Orientation:
    """What a display matrix [[a, b], [c, d]] (x' = ax + cy, y' = bx + dy) does, as libav holds it:
    nine int32."""
    a, b, _, c, d = struct.unpack("=5i", data[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
