"""Read picture files as upright 8-bit arrays, grey or RGB; centre crops."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from faceswap.io.orientation import UPRIGHT, apply_orientation, exif_orientation
from faceswap.types import UInt8Image

_WHITE = 255


def read_picture(path: Path, behind: int = _WHITE) -> UInt8Image | None:
    """Read a picture, grey (H, W) or RGB (H, W, 3), upright according to its EXIF.

    behind: grey value, 0 to 255, behind transparent pixels. Returns None when it cannot be read
    or exceeds Pillow's limit of 179 million pixels (decompression bombs).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large pictures and invalid tags
            with Image.open(path) as picture:
                values = _to_array(picture, behind)
                turn = exif_orientation(picture)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  (Pillow raises many kinds of errors on damaged files)
        return None
    return apply_orientation(values, turn or UPRIGHT)


def _to_array(picture: Image.Image, behind: int) -> UInt8Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _to_8_bits(picture)
    grey = picture.mode in ("1", "L", "LA")
    if picture.has_transparency_data:
        background = Image.new("RGBA", picture.size, (behind, behind, behind, 255))
        picture = Image.alpha_composite(background, picture.convert("RGBA"))
    return np.asarray(picture.convert("L" if grey else "RGB"))


def _to_8_bits(picture: Image.Image) -> UInt8Image:
    """Reduce grey values of more than 8 bits to 8.

    Files don't tell the range of 32-bit values: taken is the smallest of 1, 255, 65535 that holds
    the maximum, else the maximum itself.
    """
    values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)
    top = float(values.max(initial=0))
    full = next((full for full in (1, 255, 65535) if top <= full), top)
    if picture.mode.startswith("I;16"):
        full = 65535
    return np.asarray((values * (255 / full)).clip(0, 255).round(), np.uint8)


def center_square(picture: UInt8Image, size: int) -> UInt8Image:
    """Centre crop of a picture (H, W[, 3]), scaled to (size, size[, 3])."""
    part = center_crop(picture)
    how = cv2.INTER_AREA if len(part) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=how), np.uint8)


def center_crop(picture: UInt8Image) -> UInt8Image:
    """The largest centred square of a picture (H, W[, ...])."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
