"""Swap faces in video: B's face on A's footage, by a shared encoder and two decoders.

Conventions of the whole package:

A and B
    A is always the footage to change, B the face to put on it.
frame
    uint8 RGB array (H, W, 3), upright, pixels square, tone-mapped where the footage is HDR: what
    detection, landmarks and the network see. BGR exists only inside a cv2 call.
patch
    what compositing puts into a frame: float32 RGB (h, w, 3), weights (h, w) and their place. The
    writer blends it into the footage's stored picture, at its own depth and in its own space, and
    converts nothing else.
crop
    uint8 RGB array (S, S, 3): an aligned face cut out of a frame.
tensor
    float (N, C, H, W) in [0, 1].
points
    float32 (K, 2), (x, y) in pixels, pixel centres at integer coordinates, origin at the
    top left; 68 points are in iBUG order.
matrix
    float64 (2, 3), affine: frame to crop coordinates.
time
    seconds, from presentation timestamps (PTS), never frame number / frame rate.
job
    a generator that yields events and returns a summary; ``run`` runs it, ``close()`` stops it.
"""

from faceswap.driver import run

__all__ = ["__version__", "run"]

__version__ = "0.1.0"
