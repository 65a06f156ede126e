"""Swap faces in video: B's face on A's footage, by a shared encoder and two decoders.

Conventions of the whole package:

A and B
    A is always the footage to change, B the face to put on it.
frame
    uint8 RGB array (H, W, 3). BGR exists only inside a cv2 call.
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
