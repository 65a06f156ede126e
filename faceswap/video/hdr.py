"""Tone mapping between HDR footage (PQ, HLG) and the 8-bit picture that the network sees.

Both directions go through light on a display, as ITU-R BT.2408 describes: 203 cd/m² is diffuse
white and becomes white of BT.709. Up to most of it light is kept as it is; highlights up to 1,000
cd/m² are compressed. The mapping can be inverted, so that a face comes back at the brightness that
A's had.

Transfer functions: SMPTE ST 2084 (PQ), ITU-R BT.2100 (HLG, at 1,000 cd/m²), BT.1886 (gamma 2.4).
"""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorTrc

from faceswap.types import FloatImage, UInt8Image
from faceswap.video.info import Colour

WHITE = 203.0
"""Diffuse white, cd/m²."""
PEAK = 1000.0
"""Brightest highlight that is told apart in the 8-bit picture, cd/m²."""

_KNEE = 0.7  # of white: darker is kept as it is
_TOP = PEAK / WHITE
GAMMA = 2.4
"""Exponent from code values of standard footage to light (BT.1886)."""
_STEPS = 4096  # of the table from the root of light to 8 bits

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_OOTF = 1.2

_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
"""Linear BT.2020 → BT.709 (ITU-R BT.2087)."""
_TO_2020 = np.linalg.inv(_TO_709.astype(np.float64)).astype(np.float32)
_LUMA_2020 = np.array([[0.2627, 0.6780, 0.0593]], np.float32)


def to_standard(codes: npt.NDArray[np.uint16], colour: Colour) -> UInt8Image:
    """Tone-map RGB code values, uint16 (H, W, 3) over the full range, to 8-bit BT.709."""
    mapped = cv2.transform(to_linear(codes, colour), _TO_709)
    np.clip(mapped, 0, _TOP, out=mapped)
    steps = np.sqrt(mapped) * np.float32((_STEPS - 1) / np.sqrt(_TOP)) + np.float32(0.5)
    return _display_table()[steps.astype(np.uint16)]


def to_linear(codes: npt.NDArray[np.uint16], colour: Colour) -> FloatImage:
    """Light on a display of RGB code values, uint16 (H, W, 3), in units of white; own primaries."""
    if not colour.hdr:
        return np.asarray((codes / np.float32(65535)) ** np.float32(GAMMA), np.float32)
    light = light_table(colour.transfer)[codes]
    if colour.transfer == ColorTrc.ARIB_STD_B67:
        light = light * _gain(light, _OOTF - 1)[..., None] * np.float32(_TOP)
    return np.asarray(light, np.float32)


def from_standard(face: FloatImage, colour: Colour) -> FloatImage:
    """The inverse of ``to_standard``: RGB (H, W, 3) in [0, 1] to code values in [0, 1]."""
    light = _expanded(np.power(np.clip(face, 0, 1), np.float32(GAMMA)))
    light = np.maximum(cv2.transform(light.astype(np.float32), _TO_2020), 0)
    if colour.transfer == ColorTrc.ARIB_STD_B67:
        light = light / np.float32(_TOP)
        scene = light * _gain(light, 1 / _OOTF - 1)[..., None]
        return np.asarray(hlg_code(np.clip(scene, 0, 1)), np.float32)
    return np.asarray(pq_code(light * (WHITE / 10000)), np.float32)


def _gain(light: FloatImage, exponent: float) -> FloatImage:
    luma = np.maximum(cv2.transform(light, _LUMA_2020), 1e-6)
    return np.asarray(cv2.pow(luma, exponent), np.float32)


@lru_cache(maxsize=2)
def light_table(transfer: int) -> npt.NDArray[np.float32]:
    """Light of each 16-bit code value; of PQ in units of white, of HLG the scene's, 0 to 1."""
    code = np.arange(65536) / 65535
    if transfer == ColorTrc.ARIB_STD_B67:
        low, high = code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12
        return np.where(code <= 0.5, low, high).astype(np.float32)
    root = code ** (1 / _M2)
    light = (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return (light * (10000 / WHITE)).astype(np.float32)


@lru_cache(maxsize=1)
def _display_table() -> UInt8Image:
    """8-bit values by the root of light, from 0 to the root of the peak."""
    light = (np.arange(_STEPS) / (_STEPS - 1)) ** 2 * _TOP
    return np.round(_compressed(light) ** (1 / GAMMA) * 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _bend() -> float:
    """The constant of the shoulder with which its slope at the knee is 1."""
    wanted = (_TOP - _KNEE) / (1 - _KNEE)
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if middle / np.log1p(middle) < wanted else (low, middle)
    return low


def _compressed(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Light in units of white, up to the peak, to [0, 1]."""
    bend = _bend()
    over = np.clip((light - _KNEE) / (_TOP - _KNEE), 0, 1)
    return np.where(
        light <= _KNEE, light, _KNEE + (1 - _KNEE) * np.log1p(bend * over) / np.log1p(bend)
    )


def _expanded(shown: FloatImage) -> FloatImage:
    """The inverse of ``_compressed``."""
    bend = _bend()
    over = np.clip((shown - _KNEE) / (1 - _KNEE), 0, 1)
    above = _KNEE + (_TOP - _KNEE) * np.expm1(over * np.log1p(bend)) / bend
    return np.asarray(np.where(shown <= _KNEE, shown, above), np.float32)


def hlg_code(scene: FloatImage) -> FloatImage:
    """Code values of the scene's light (HLG), both 0 to 1."""
    low = np.sqrt(3 * scene)
    high = _A * np.log(np.maximum(12 * scene - _B, 1e-6)) + _C
    return np.asarray(np.where(scene <= 1 / 12, low, high), np.float32)


def pq_code(light: FloatImage) -> FloatImage:
    """Code values of light on a display (PQ), in units of 10,000 cd/m²."""
    power = np.power(np.clip(light, 0, 1), np.float32(_M1))
    return np.asarray(np.power((_C1 + _C2 * power) / (1 + _C3 * power), np.float32(_M2)))
