"""What a face does, read off its landmarks."""

import numpy as np
from numpy.typing import NDArray

SIGNALS = ("mouth opening", "mouth width", "left eye", "right eye", "left brow", "right brow")
"""What ``expression_signals`` measures, in its order; left and right in the picture."""


def expression_signals(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the face of points (68, 2) does: (6,), see SIGNALS, in units of the eye distance.

    The eye distance is between the outer corners; brow heights are over the line through them.
    """
    p = points.astype(np.float64)
    across = p[45] - p[36]
    unit = max(float(np.linalg.norm(across)), 1e-6)
    up = np.array([across[1], -across[0]]) / unit

    def far(i: int, j: int) -> float:
        return float(np.linalg.norm(p[i] - p[j]))

    left = (far(37, 41) + far(38, 40)) / 2
    right = (far(43, 47) + far(44, 46)) / 2
    brows = [float((p[first : first + 5].mean(0) - p[36]) @ up) for first in (17, 22)]
    return np.array([far(62, 66), far(48, 54), left, right, *brows]) / unit
