"""Synthetic voice of the sample clips: a hum that follows the mouth."""

import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.motion import MotionFrame


def hum(
    moments: list[MotionFrame], rate: float, pitch: float, sound_rate: int
) -> NDArray[np.float32]:
    """Synthesise mono samples (N,) for the ``moments``, ``rate`` of them a second.

    A tone of ``pitch`` Hz: louder with an open jaw, brighter without rounded lips, higher with
    raised brows. sound_rate: samples a second.
    """
    count = round(len(moments) / rate * sound_rate)
    t = np.arange(count) / sound_rate
    at = np.arange(len(moments)) / rate
    loud = np.interp(t, at, [0.06 + 0.5 * m.expression.jaw for m in moments])
    bright = np.interp(t, at, [0.9 - 0.7 * m.expression.pucker for m in moments])
    rise = np.interp(t, at, [m.expression.brow_raise for m in moments])
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.12 * rise)) / sound_rate
    wave = np.zeros(count)
    for harmonic in range(1, 9):
        wave += np.sin(phase * harmonic) * bright ** (harmonic - 1) / harmonic**1.3
    return np.asarray(0.3 * loud * wave, np.float32)
