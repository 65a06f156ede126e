"""Array types that all parts share; the conventions are in ``faceswap``."""

import numpy as np
from numpy.typing import NDArray

UInt8Image = NDArray[np.uint8]
"""A frame, crop or other picture: RGB (H, W, 3), or grey (H, W)."""

FloatImage = NDArray[np.float32]
"""RGB (H, W, 3) or grey (H, W) in [0, 1]."""

Mask = NDArray[np.uint8]
"""What is inside: (H, W), 0 or 255."""

Weights = NDArray[np.float32]
"""How much each pixel counts: (H, W), 0 to 1."""

Points = NDArray[np.float32]
"""(K, 2): x and y in pixels, pixel centres at integer coordinates."""

Matrix = NDArray[np.float64]
"""(2, 3), affine; frame → crop unless said otherwise."""

Curve = NDArray[np.float64]
"""One value a frame or a step: (N,)."""

Floats = NDArray[np.floating]
"""Real numbers of any precision and shape."""
