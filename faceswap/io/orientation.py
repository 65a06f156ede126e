"""Image orientation from EXIF or a video's display matrix, and how to undo it."""

import struct
import warnings
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Orientation = tuple[bool, bool, bool]
"""(transpose, flip x, flip y), applied in this order to make a picture upright."""

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
"""EXIF orientation values (JEITA CP-3451, 4.6.4 A); 1 is upright."""
_FLIPS = {(True, False): 1, (False, True): 0, (True, True): -1}


Pixels = TypeVar("Pixels", bound=np.integer[Any])


def apply_orientation(image: NDArray[Pixels], turn: Orientation) -> NDArray[Pixels]:
    """Apply ``turn`` to a picture (H, W[, C]); the same array if there is nothing to do."""
    transpose, *flips = turn
    if transpose:
        image = np.asarray(cv2.transpose(image), dtype=image.dtype)
    if any(flips):
        image = np.asarray(cv2.flip(image, _FLIPS[flips[0], flips[1]]), dtype=image.dtype)
    return image


def exif_orientation(picture: Image.Image) -> Orientation | None:
    """Orientation that makes a picture upright, from its EXIF; None where it has none.

    None also for a TIFF that Pillow has loaded: Pillow has already applied it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid tags that are not used
        try:
            orientation = picture.getexif().get(_ORIENTATION_TAG)
        except Exception:  # noqa: BLE001  (damaged EXIF fails in many ways; the pixels may be fine)
            return None
    return _ORIENTATIONS.get(orientation, UPRIGHT) if isinstance(orientation, int) else None


def display_matrix_orientation(data: bytes) -> Orientation:
    """Orientation of a display matrix [[a, b], [c, d]] (x' = ax + cy, y' = bx + dy), stored as
    nine int32 by libav."""
    a, b, _, c, d = struct.unpack("=5i", data[:20])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def display_matrix(turn: Orientation) -> list[int]:
    """The display matrix of an orientation, nine integers as libav stores them.

    The inverse of ``display_matrix_orientation``.
    """
    transpose, flip_x, flip_y = turn
    one = 1 << 16
    across, down = (-one if flip_x else one), (-one if flip_y else one)
    linear = [0, down, 0, across, 0] if transpose else [across, 0, 0, 0, down]
    return [*linear, 0, 0, 0, 1 << 30]
