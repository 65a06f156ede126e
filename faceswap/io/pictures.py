"""One picture from a file: the right way up, in 8 bits, grey or in colour."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from faceswap.io.file_types import PICTURE_SUFFIXES
from faceswap.io.orientation import UPRIGHT, apply_orientation, exif_orientation
from faceswap.types import UInt8Image

_PAPER = 255


def picture_files(folder: Path) -> list[Path]:
    """What looks like a picture in ``folder``, by name; nothing where there is no such folder."""
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURE_SUFFIXES)


def read_picture(path: Path, behind: int = _PAPER) -> UInt8Image | None:
    """A picture, grey (H, W) or RGB (H, W, 3), upright as its EXIF says.

    behind: the grey, 0 to 255, that shows where a picture is transparent. None is returned when
    it cannot be read, or has more pixels than Pillow reads (179 million, against "bombs").
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, and of odd tags
            with Image.open(path) as picture:
                values = _values(picture, behind)
                turn = exif_orientation(picture)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  (what is damaged fails in many ways, deep inside Pillow)
        return None
    return apply_orientation(values, turn or UPRIGHT)


def _values(picture: Image.Image, behind: int) -> UInt8Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _eight_bits(picture)
    grey = picture.mode in ("1", "L", "LA")
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, (behind, behind, behind, 255))
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return np.asarray(picture.convert("L" if grey else "RGB"))


def _eight_bits(picture: Image.Image) -> UInt8Image:
    """Grey values of more than 8 bits in 8.

    What 32 bits hold no file tells: it is taken for the smallest range that holds the largest
    value, fractions up to 1, 8 bits, 16 bits, or the values' own.
    """
    values = np.nan_to_num(np.asarray(picture).astype(np.float64), posinf=0, neginf=0)
    top = float(values.max(initial=0))
    full = next((full for full in (1, 255, 65535) if top <= full), top)
    if picture.mode.startswith("I;16"):
        full = 65535
    return np.asarray((values * (255 / full)).clip(0, 255).round(), np.uint8)


def center_square(picture: UInt8Image, size: int) -> UInt8Image:
    """The middle of a picture (H, W[, 3]), scaled to (size, size[, 3])."""
    part = center_crop(picture)
    how = cv2.INTER_AREA if len(part) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=how), np.uint8)


def center_crop(picture: UInt8Image) -> UInt8Image:
    """The largest square in the middle of a picture (H, W[, ...])."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
