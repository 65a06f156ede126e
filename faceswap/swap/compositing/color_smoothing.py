"""Colours that change calmly: the tone of a face is averaged over the frames before it.

What ``color_shift`` finds differs a little from frame to frame, which would be seen as flicker.
Applied is its exponential average over the frames of the shot so far. Two things keep the price
of a single picture low, so that a preview can show what a conversion writes without converting
all that comes before:

- The average reaches back over as many frames as count (``reach``); what came before stands as
  if it had been like the oldest of them.
- Looked at are the frame itself and its *anchors*, every ``ANCHOR_EVERY``-th frame before it;
  between these the shift is taken to change evenly.

Both are as they are in conversion, too: ``ColorHistory`` is all there is of it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from faceswap.swap.compositing.color import ColorShift

if TYPE_CHECKING:
    from faceswap.swap.compositing.swapper import AlignedFace

ANCHOR_EVERY = 4
"""On three real clips the average is then 0.1 off in Lab in the mean and 0.5 at most from what it
is with every frame of the shot. Written frames of two of them, at the default look, differ by one
of 255 levels at most, by three where ``light`` is 0, and flicker as much as before. A picture takes
the network 11 faces instead of 39."""

_REST = 0.02
"""What frames before the reach would count for: on real clips 0.07 in Lab at most."""


def window_frames(steady: float) -> int:
    """How many frames before a frame the average over time takes in: 38 for 0.9.

    steady: what the average of a frame before counts for in that of the next, 0 to below 1.
    """
    return math.ceil(math.log(_REST) / math.log(steady)) if steady > 0 else 0


def anchors_before(
    places: Mapping[int, Sequence["AlignedFace"]], frame: int, steady: float
) -> dict[int, list["AlignedFace"]]:
    """By frame, the faces whose tones count for those in ``frame``, which is not among them.

    places: the faces of every frame that has some.
    """
    begin = {
        face.track: max(face.shot, frame - window_frames(steady)) for face in places.get(frame, ())
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
    """The shifts of the anchors that were seen, by shot and track."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], dict[int, ColorShift]] = {}

    def has_shift(self, face: "AlignedFace") -> bool:
        """Whether the shift of ``face``, an anchor, was added."""
        return face.frame in self._known.get((face.shot, face.track), {})

    def add(self, face: "AlignedFace", shift: ColorShift) -> None:
        """Remember the shift of a face; does nothing where it is no anchor."""
        if face.anchor:
            self._known.setdefault((face.shot, face.track), {})[face.frame] = shift

    def smoothed_shift(self, face: "AlignedFace", shift: ColorShift, steady: float) -> ColorShift:
        """``shift``, which was found for ``face``, averaged with those of its anchors before.

        They must have been added: those of ``anchors_before``; others do not count.
        """
        begin = face.frame - window_frames(steady)
        known = self._known.get((face.shot, face.track), {})
        points = {n: known[n] for n in sorted(known) if begin <= n < face.frame}
        points[face.frame] = shift
        return exponential_average(points, steady)

    def drop_before(self, before: int) -> None:
        """Forget the anchors of frames before ``before``."""
        for key, known in list(self._known.items()):
            left = {number: shift for number, shift in known.items() if number >= before}
            if left:
                self._known[key] = left
            else:
                del self._known[key]


def exponential_average(points: Mapping[int, ColorShift], steady: float) -> ColorShift:
    """The exponential average, at the last of some frames, of shifts known at these frames.

    points: by frame, in order, at least one. In between shifts change evenly; before the first
    frame they are as there.
    """
    frames = np.arange(next(iter(points)), next(reversed(list(points))) + 1)
    known = np.stack([shift.offset for shift in points.values()])
    shifts = np.stack([np.interp(frames, list(points), channel) for channel in known.T], 1)
    age = (frames[-1] - frames).astype(np.float64)
    counts = (1 - steady) * steady**age
    counts[0] = steady ** age[0]
    return ColorShift((counts @ shifts).astype(np.float32))
