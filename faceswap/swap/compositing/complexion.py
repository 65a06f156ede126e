"""What in a colour transfer is complexion rather than light: eyes, teeth and lips have none of it.

The gain that moves B's skin to A's holds A's light, which falls on all of the face, and the
difference of two skins, which would make the eyes and teeth of a darker B blue on a paler A.
"""

import numpy as np
from numpy.typing import NDArray

from faceswap.types import FloatImage, Weights

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_MELANIN = np.array([0.68, -0.73], np.float32)
"""Direction in which skin's colour changes from pale to dark: logarithm of red and of blue over
green, of linear light, unit length; from the tones of ``synthetic.random_people``."""
_WIDEST = 0.35 / 2.4
"""From the palest to the darkest skin in that direction, as a logarithm of code values."""


def complexion_of(gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """The part (3,) of the logarithm of a gain of code values (3,) that two skins explain.

    It has no brightness. Light that is as warm or cool as skins differ can't be told from them: up
    to their widest difference it counts as complexion.
    """
    red, green, blue = gain
    along = float(np.clip(_MELANIN @ (red - green, blue - green), -_WIDEST, _WIDEST))
    part = along * np.array([_MELANIN[0], 0, _MELANIN[1]], np.float32)
    return np.asarray(part - part @ _LUMA, np.float32)


def without_complexion(
    face: FloatImage, features: Weights, gain: NDArray[np.float32], strength: float
) -> FloatImage:
    """``face`` (S, S, 3), moved by ``gain``, with only its light on the ``features`` (S, S).

    gain: logarithm, of code values (3,). strength: how far the face was moved by it, 0 to 1.
    """
    back = np.exp(-np.float32(strength) * features[..., None] * complexion_of(gain))
    return np.asarray(np.clip(face * back, 0, 1), np.float32)
