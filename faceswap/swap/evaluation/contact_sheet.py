"""Contact sheet: frames of A and of the swap side by side."""

from collections.abc import Sequence

import cv2
import numpy as np

from faceswap.types import UInt8Image

_GAP = 6  # pixels between pictures
_HEAD = 28  # pixels of caption above a picture


def contact_sheet(
    before: Sequence[UInt8Image],
    after: Sequence[UInt8Image],
    times: Sequence[float],
    cell: int = 360,
) -> UInt8Image:
    """Draw pairs of frames before and after, two pairs to a row: uint8 (H, W, 3).

    before, after: frames (H, W, 3) of one size. times: in seconds. cell: height of each picture
    in pixels.
    """
    pairs = [
        _pair(_scaled(a, cell), _scaled(b, cell), time)
        for a, b, time in zip(before, after, times, strict=True)
    ]
    if len(pairs) % 2:
        pairs.append(np.full_like(pairs[0], 255))
    rows = [np.concatenate(pairs[i : i + 2], 1) for i in range(0, len(pairs), 2)]
    return np.concatenate(rows, 0)


def pick_frames(candidates: Sequence[int], count: int) -> list[int]:
    """Pick ``count`` evenly spaced ``candidates``, half a step in from both ends."""
    if len(candidates) <= count:
        return list(candidates)
    places = (np.arange(count) + 0.5) * len(candidates) / count
    return [candidates[int(place)] for place in places]


def _scaled(frame: UInt8Image, height: int) -> UInt8Image:
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    shrinking = frame.shape[0] > height
    how = cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, (width, height), interpolation=how), np.uint8)


def _pair(before: UInt8Image, after: UInt8Image, time: float) -> UInt8Image:
    height, width = before.shape[:2]
    canvas = np.full((height + _HEAD + _GAP, 2 * (width + _GAP), 3), 255, np.uint8)
    canvas[_HEAD : _HEAD + height, :width] = before
    canvas[_HEAD : _HEAD + height, width + _GAP // 2 : 2 * width + _GAP // 2] = after
    for text, x in ((f"A  {time:.2f} s", 4), ("swap", width + _GAP // 2 + 4)):
        cv2.putText(
            canvas,
            text,
            (x, _HEAD - 8),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.6,
            (40, 40, 40),
            1,
            cv2.LINE_AA,
        )
    return canvas
