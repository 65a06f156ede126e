"""Put the face of B on the footage of A.

Conventions, written once here and cited elsewhere:

A and B
    A is always the footage that is changed; B is always the face that is put on it.
frame
    uint8 RGB array (H, W, 3). BGR exists only inside a cv2 call.
crop
    uint8 RGB array (S, S, 3): a face, upright, cut out of a frame.
tensor
    float (N, C, H, W) in [0, 1].
points
    float32 (K, 2), (x, y) in pixels, pixel centres at integer coordinates, origin at the
    top left; 68 points are in iBUG order.
matrix
    float64 (2, 3), maps frame coordinates to crop coordinates.
time
    seconds, from the stream's presentation timestamps, never a frame count over a rate.
job
    a generator that yields events and returns a summary; stopping it is ``close()``.
"""

__version__ = "0.1.0"
