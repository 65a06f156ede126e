"""Expression signals measured on landmarks."""

import numpy as np
from numpy.typing import NDArray

SIGNALS = ("mouth opening", "mouth width", "left eye", "right eye", "left brow", "right brow")
"""Names of ``expression_signals``, in order; left and right as seen in the picture."""


def expression_signals(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Expression signals (6,) of points (68, 2), see SIGNALS, in units of the eye distance.

    The eye distance is between the outer corners; brow heights are above the line through them.
    """
    p = points.astype(np.float64)
    across = p[45] - p[36]
    unit = max(float(np.linalg.norm(across)), 1e-6)
    up = np.array([across[1], -across[0]]) / unit

    def distance(i: int, j: int) -> float:
        return float(np.linalg.norm(p[i] - p[j]))

    left = (distance(37, 41) + distance(38, 40)) / 2
    right = (distance(43, 47) + distance(44, 46)) / 2
    brows = [float((p[first : first + 5].mean(0) - p[36]) @ up) for first in (17, 22)]
    return np.array([distance(62, 66), distance(48, 54), left, right, *brows]) / unit


def openings(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Opening of the mouth and of the more closed eye (N, 2), in units of the eye distance.

    points (N, 31, 2): those of eyes and lips, 36 to 66 in iBUG order.
    """

    def distance(i: int, j: int) -> NDArray[np.float32]:
        return np.asarray(np.linalg.norm(points[:, i] - points[:, j], axis=1), np.float32)

    unit = np.maximum(distance(0, 9), 1e-6)
    left = (distance(1, 5) + distance(2, 4)) / 2
    right = (distance(7, 11) + distance(8, 10)) / 2
    openings = np.stack([distance(26, 30), np.minimum(left, right)], 1) / unit[:, None]
    return np.asarray(openings, np.float32)
