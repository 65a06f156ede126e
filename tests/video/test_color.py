"""Pictures of RGB are seen as they are stored, at every depth."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame

from faceswap.io.orientation import UPRIGHT
from faceswap.video.color import YuvToRgb, YuvToRgb16
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.planes import plane

WIDTH, HEIGHT = 96, 64


def info(pixel_format: str) -> VideoInfo:
    return VideoInfo(
        path=Path("a.mkv"),
        width=WIDTH,
        height=HEIGHT,
        turn=UPRIGHT,
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        start=0,
        duration=1.0,
        frames=25,
        codec="ffv1",
        pixel_format=pixel_format,
        colour=Colour(),
        sample_aspect=Fraction(1),
        still=False,
        audio=(),
        metadata={},
        stored=(WIDTH, HEIGHT),
    )


@pytest.mark.parametrize(
    ("pixel_format", "bits"),
    [("gbrp", 8), ("gbrap", 8), ("gbrp10le", 10), ("gbrp12le", 12), ("gbrp16le", 16),
     ("gbrap16le", 16)],
)  # fmt: skip
@pytest.mark.parametrize("limited", [False, True])
def test_planes_of_rgb_are_read_exactly(pixel_format: str, bits: int, limited: bool) -> None:
    picture = VideoFrame(WIDTH, HEIGHT, pixel_format)
    picture.color_range = 1 if limited else 2  # says nothing of RGB
    random, top = np.random.default_rng(0), (1 << bits) - 1
    for number in range(len(picture.planes)):
        samples = plane(picture, number)
        samples[:] = random.integers(0, top, samples.shape, endpoint=True)
    codes = np.stack([plane(picture, number) for number in (2, 0, 1)], 2).astype(np.float64)
    seen = YuvToRgb(info(pixel_format))(picture)
    assert seen.dtype == np.uint8
    assert np.array_equal(seen, np.floor(codes * 255 / top + 0.5))
    deep = YuvToRgb16(info(pixel_format))(picture)
    assert deep.dtype == np.uint16
    assert np.array_equal(deep, np.floor(codes * 65535 / top + 0.5))
