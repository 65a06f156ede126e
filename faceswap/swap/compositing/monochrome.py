"""Black-and-white and tinted footage: the swapped face has no other colours than it.

Pictures are float32 RGB (S, S, 3), code values in [0, 1].
"""

import cv2
import numpy as np

from faceswap.swap.compositing.color import shrunk
from faceswap.types import FloatImage

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SURE, _DOUBTFUL = 0.014, 0.026
"""Colour that brightness does not explain, as a share of the mean: compression leaves up to the
first on tinted footage and none on grey; the palest of ten real clips in colour has 0.034."""
_EVERY = 2  # pixels: colours are smooth


def in_tones_of(face: FloatImage, reference: FloatImage) -> FloatImage:
    """``face`` in the colours of ``reference`` where these follow from brightness alone.

    That is so in black and white, in sepia and in the green of a night camera. The colour of each
    brightness is fitted by a parabola. Between surely and surely not so there is a mixture, so
    that nothing jumps from frame to frame.
    """
    small = shrunk(reference)[::_EVERY, ::_EVERY]
    luma = small @ _LUMA
    powers = np.stack([np.ones_like(luma), luma, luma * luma], -1).reshape(-1, 3)
    curve, *_ = np.linalg.lstsq(powers, small.reshape(-1, 3), rcond=None)
    left = float(np.sqrt(np.square(powers @ curve - small.reshape(-1, 3)).mean()))
    share = left / max(float(luma.mean()), 1e-3)
    strength = np.clip((_DOUBTFUL - share) / (_DOUBTFUL - _SURE), 0, 1)
    if strength == 0:
        return face
    own = np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.float32)
    # Brightness that A does not show has the colour of the nearest that it does.
    seen = np.clip(own, luma.min(), luma.max())
    powers = np.stack([np.ones_like(seen), seen, seen * seen], -1).astype(np.float32)
    toned = powers @ curve.astype(np.float32) * (own / np.maximum(seen, 1e-3))[..., None]
    return np.asarray(np.clip(face + np.float32(strength) * (toned - face), 0, 1), np.float32)
