"""A video of two people: two clips side by side."""

from pathlib import Path

import av
import numpy as np

from faceswap.video.reader import VideoReader


def side_by_side(left: Path, right: Path, path: Path, most: int = 50) -> Path:
    """Write the first frames of two clips of the same size beside each other; returns ``path``."""
    with (
        VideoReader(left) as one,
        VideoReader(right) as other,
        av.open(str(path), "w") as container,
    ):
        video = container.add_stream("libx264", one.info.rate, {"crf": "12"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height = one.info.width + other.info.width, one.info.height
        video.pix_fmt = "yuv420p"
        for number, pair in enumerate(zip(one.frames(), other.frames(), strict=False)):
            if number == most:
                break
            image = np.hstack([frame.image for frame in pair])
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
    return path
