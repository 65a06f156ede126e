"""A sheet of people: a row of thumbnails of each, under a line that says who it is."""

from collections.abc import Sequence

import cv2
import numpy as np

from faceswap.types import UInt8Image

THUMBNAILS = 8
_SIDE, _LINE, _GAP = 112, 26, 4
_BACK, _TEXT = 24, (230, 230, 230)


def people_sheet(rows: Sequence[tuple[str, Sequence[UInt8Image]]]) -> UInt8Image:
    """Picture (H, W, 3) of rows of a text and up to 8 crops (S, S, 3)."""
    width = THUMBNAILS * (_SIDE + _GAP) + _GAP
    height = len(rows) * (_SIDE + _LINE + _GAP) + _GAP
    sheet = np.full((max(height, 1), width, 3), _BACK, np.uint8)
    for number, (text, crops) in enumerate(rows):
        top = number * (_SIDE + _LINE + _GAP)
        plain = text.encode("ascii", "replace").decode("ascii")  # OpenCV's font has no more
        place = (_GAP, top + 18)
        cv2.putText(sheet, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _TEXT, 1, cv2.LINE_AA)
        for column, crop in enumerate(crops[:THUMBNAILS]):
            left = _GAP + column * (_SIDE + _GAP)
            small = cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
            sheet[top + _LINE : top + _LINE + _SIDE, left : left + _SIDE] = small
    return sheet


def encode_png(image: UInt8Image) -> bytes:
    """A picture (H, W, 3) as a PNG file."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()
