"""What the pictures of a segment depend on: a key that changes when any of it does."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields

import numpy as np

from faceswap.options import flag_of
from faceswap.swap.compositing.color_smoothing import window_frames
from faceswap.swap.compositing.mask_smoothing import WINDOW
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.several import Cast
from faceswap.swap.compositing.swapper import AlignedFace
from faceswap.video.output_options import OutputOptions

_LENGTH = 16  # hexadecimal digits: no two keys of one film are alike by chance
_APART = ("audio", "quality")  # options of the output that change no picture, or by another name


def aspects_of(options: BlendOptions, output: OutputOptions) -> dict[str, str]:
    """What the options say of pictures, each by its flag."""
    aspects = {}
    for model, given in ((BlendOptions, options), (OutputOptions, output)):
        for name in model.model_fields:
            if name not in _APART:
                aspects[flag_of(model, name)] = repr(getattr(given, name))
    return aspects


class SegmentKeys:
    """Makes the keys of the segments of one output.

    aspects: all that every segment depends on, by name. casts: the faces, of which a segment
    depends on its own and on those shortly before. decay: color smoothing.
    """

    def __init__(self, aspects: Mapping[str, str], casts: Sequence[Cast], decay: float) -> None:
        self._casts, self._window = casts, max(window_frames(decay), WINDOW)
        self._known: dict[int, str] = {}
        self._shared = hashlib.sha256(repr(sorted(aspects.items())).encode()).digest()

    def key(self, first: int, stop: int) -> str:
        """Key of the segment with the frames from ``first`` to before ``stop``."""
        known = self._known.get(first)
        if known is None:
            known = self._known[first] = self._key(first, stop)
        return known

    def _key(self, first: int, stop: int) -> str:
        digest = hashlib.sha256(self._shared)
        digest.update(f"{first} {stop}".encode())
        for cast in self._casts:
            for number in range(max(0, first - self._window), stop):
                for face in cast.places.get(number, ()):
                    for part in _parts(face):
                        digest.update(part)
            digest.update(b"next cast")
        return digest.hexdigest()[:_LENGTH]


def _parts(face: AlignedFace) -> Iterator[bytes]:
    for field in fields(face):
        value = getattr(face, field.name)
        if isinstance(value, np.ndarray):
            yield f"{value.dtype}{value.shape}".encode()
            yield np.ascontiguousarray(value).tobytes()
        else:
            yield repr(value).encode()
