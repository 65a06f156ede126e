"""Temporal colour smoothing: exponential moving average of the colour transfer.

``measure_color_transfer`` varies a little from frame to frame, which would flicker. So its
exponential average over the shot up to the frame is applied. Two approximations make a single frame
cheap, so that a preview equals the conversion without converting all frames before:

- The average covers a limited window (``window_frames``); all earlier frames count as equal to the
  oldest one in it.
- It is measured only on the frame itself and its *anchors*, every ``ANCHOR_EVERY``-th frame
  of a track, and interpolated linearly in between.

Conversion uses the same approximations, through the same ``ColorHistory``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceswap.swap.compositing.color import ColorTransfer
from faceswap.swap.compositing.color_modes import Values

if TYPE_CHECKING:
    from faceswap.swap.compositing.swapper import AlignedFace

ANCHOR_EVERY = 4
"""A single frame then takes 11 network evaluations instead of 39, with the default smoothing."""

_TAIL_WEIGHT = 0.02
"""Total weight of the frames before the window."""

_LIGHT_CHANGE = 0.08
"""Difference of the logarithmic gain of code values at which a frame counts half. Measurements of
the same light differ by a tenth of it; a flash or a fade soon differs by more, and the face must
follow it at once."""


def window_frames(decay: float) -> int:
    """Window of the moving average in frames: 38 for 0.9.

    decay: decay per frame, the weight of the previous average, 0 to below 1.
    """
    return math.ceil(math.log(_TAIL_WEIGHT) / math.log(decay)) if decay > 0 else 0


def anchors_before(
    places: Mapping[int, Sequence["AlignedFace"]], frame: int, decay: float
) -> dict[int, list["AlignedFace"]]:
    """By frame, the earlier anchor faces that the colours in ``frame`` depend on.

    places: aligned faces by frame.
    """
    begin = {
        face.track: max(face.shot, frame - window_frames(decay)) for face in places.get(frame, ())
    }
    found: dict[int, list[AlignedFace]] = {}
    for number in range(min(begin.values(), default=frame), frame):
        faces = [
            face
            for face in places.get(number, ())
            if face.anchor and begin.get(face.track, frame) <= number
        ]
        if faces:
            found[number] = faces
    return found


class ColorHistory:
    """Colour transfers of the anchors measured so far, by shot and track."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], dict[int, ColorTransfer]] = {}

    def has_transfer(self, face: "AlignedFace") -> bool:
        """Whether the transfer of ``face``, an anchor, was added."""
        return face.frame in self._known.get((face.shot, face.track), {})

    def add(self, face: "AlignedFace", transfer: ColorTransfer) -> None:
        """Store the transfer of a face; does nothing if it is no anchor."""
        if face.anchor:
            self._known.setdefault((face.shot, face.track), {})[face.frame] = transfer

    def smoothed(self, face: "AlignedFace", transfer: ColorTransfer, decay: float) -> ColorTransfer:
        """Average ``transfer``, measured on ``face``, with those of its earlier anchors.

        These, see ``anchors_before``, must have been added; missing ones are ignored.
        """
        begin = face.frame - window_frames(decay)
        known = self._known.get((face.shot, face.track), {})
        points = {n: known[n] for n in sorted(known) if begin <= n < face.frame}
        points[face.frame] = transfer
        return exponential_average(points, decay)

    def drop_before(self, before: int) -> None:
        """Delete the anchors of frames before ``before``."""
        for key, known in list(self._known.items()):
            left = {number: one for number, one in known.items() if number >= before}
            if left:
                self._known[key] = left
            else:
                del self._known[key]


def exponential_average(points: Mapping[int, ColorTransfer], decay: float) -> ColorTransfer:
    """Exponential average, at the last frame, of transfers known at some frames.

    points: transfers by frame, in order, at least one; interpolated linearly in between, constant
    before the first. Frames under another light, as their gain tells, hardly count.
    """
    known = {n: one for n, one in points.items() if one.values is not None}
    now = points[next(reversed(list(points)))]
    if now.values is None or len(known) == 1:
        return now
    frames = np.arange(next(iter(known)), next(reversed(list(known))) + 1)
    age = (frames[-1] - frames).astype(np.float64)
    weights = (1 - decay) * decay**age
    weights[0] = decay ** age[0]
    # By row of the frames, the share of each known transfer in the interpolated one.
    shares = np.stack([np.interp(frames, list(known), one) for one in np.eye(len(known))], 1)
    gains = shares @ np.stack([one.gain for one in known.values()])
    apart = np.abs(gains - now.gain).max(1) / _LIGHT_CHANGE
    weights /= 1 + apart**4
    share = weights @ shares / weights.sum()

    def average(of: Callable[[ColorTransfer], Values | None]) -> Values | None:
        every = [value for one in known.values() if (value := of(one)) is not None]
        if len(every) < len(known):
            return of(now)
        return np.asarray(np.tensordot(share, np.stack(every), 1), np.float32)

    gain = (share @ np.stack([one.gain for one in known.values()])).astype(np.float32)
    return ColorTransfer(average(lambda x: x.values), gain, average(lambda x: x.membrane))
