"""Shared array types; see ``faceswap`` for the conventions."""

import numpy as np
from numpy.typing import NDArray

UInt8Image = NDArray[np.uint8]
"""Frame, crop or other picture: RGB (H, W, 3) or grey (H, W)."""

FloatImage = NDArray[np.float32]
"""RGB (H, W, 3) or grey (H, W) in [0, 1]."""

Mask = NDArray[np.uint8]
"""Binary mask (H, W): 255 inside, 0 outside."""

Weights = NDArray[np.float32]
"""Per-pixel weights (H, W), 0 to 1."""

Points = NDArray[np.float32]
"""(K, 2): x, y in pixels, pixel centres at integer coordinates."""

Matrix = NDArray[np.float64]
"""Affine matrix (2, 3); frame → crop unless stated otherwise."""

Curve = NDArray[np.float64]
"""One value per frame or step: (N,)."""

Floats = NDArray[np.floating]
"""Floating-point array of any precision and shape."""
