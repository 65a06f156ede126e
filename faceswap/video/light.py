"""Mix pictures in light.

At the edge of a face a pixel sees part of it and part of what is behind: a lens adds their light.
Code values are roughly the root of light; a mean of them is too dark.
"""

import cv2
import numpy as np
from av.video.reformatter import ColorTrc

from faceswap.types import FloatImage, Weights
from faceswap.video.hdr import GAMMA, WHITE, hlg_code, light_table, pq_code
from faceswap.video.info import HDR_TRANSFERS, UNSPECIFIED

_TOP = np.float32(65535)


def to_light(code: FloatImage, transfer: int = UNSPECIFIED) -> FloatImage:
    """Light of code values (N, 3) in [0, 1]; ``transfer``: code of H.273.

    Of PQ in units of diffuse white, of HLG that of the scene.
    """
    if transfer in HDR_TRANSFERS:
        steps = (np.clip(code, 0, 1) * _TOP + np.float32(0.5)).astype(np.uint16)
        return np.asarray(light_table(transfer)[steps], np.float32)
    return np.asarray(cv2.pow(np.clip(code, 0, 1), GAMMA), np.float32)


def to_code(light: FloatImage, transfer: int = UNSPECIFIED) -> FloatImage:
    """The inverse of ``to_light``."""
    if transfer == ColorTrc.SMPTE2084:
        return pq_code(np.asarray(light * np.float32(WHITE / 10000), np.float32))
    if transfer == ColorTrc.ARIB_STD_B67:
        return hlg_code(light)
    return np.asarray(cv2.pow(light, 1 / GAMMA), np.float32)


def mix(
    before: FloatImage, after: FloatImage, alpha: Weights, transfer: int = UNSPECIFIED
) -> FloatImage:
    """``before`` and ``after`` mixed in light by ``alpha`` (N,): code values (N, 3) in [0, 1]."""
    if not len(alpha):  # OpenCV takes no empty pictures
        return before
    share = alpha[:, None]
    light = (1 - share) * to_light(before, transfer) + share * to_light(after, transfer)
    return to_code(np.asarray(light, np.float32), transfer)
