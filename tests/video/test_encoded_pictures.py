"""Where an encoder does not take the footage's format, what no patch covers looks the same."""

from pathlib import Path

import numpy as np
import pytest
from made_clips import write_clip

from faceswap.video.encoding import Encoding
from faceswap.video.output_plan import plan_output
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter


def written(folder: Path, footage: VideoReader, pixel_format: str) -> VideoReader:
    """The footage in lossless FFV1 of another pixel format."""
    encoding = Encoding(codec="ffv1", pixel_format=pixel_format, audio="none")
    plan = plan_output(folder / f"{pixel_format}.mkv", footage.info, encoding)
    with VideoWriter.of_footage(plan) as writer:
        for one in footage.footage():
            writer.write_footage(one)
    return VideoReader(plan.path)


@pytest.mark.parametrize(
    ("pixel_format", "most"),
    [("bgr0", 0), ("bgra", 0), ("gbrp10le", 1), ("gbrp16le", 1), ("yuv444p", 3)],
)
@pytest.mark.parametrize("colour", [(2, 2, 2, 0), (1, 1, 1, 2)])
def test_rgb_made_of_yuv_has_the_same_colors(
    pixel_format: str, most: int, colour: tuple[int, int, int, int], tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", frames=3, tracks=0, colour=colour)
    made = written(tmp_path, VideoReader(clip), pixel_format)
    for one, other in zip(VideoReader(clip).frames(), made.frames(), strict=True):
        assert np.abs(one.image.astype(int) - other.image).max() <= most
    if pixel_format != "yuv444p":  # players stretch RGB that is said to be limited
        assert (made.info.colour.matrix, made.info.colour.full_range) == (0, True)
        assert made.info.colour.primaries == colour[1]


@pytest.mark.parametrize(("codec", "pixel_format"), [("ffv1", "bgr0"), ("ffv1", "gbrp10le")])
def test_rgb_stays_the_same_rgb(codec: str, pixel_format: str, tmp_path: Path) -> None:
    clip = write_clip(
        tmp_path / "a.mkv", frames=3, tracks=0, codec=codec, pixel_format=pixel_format
    )
    made = written(tmp_path, VideoReader(clip), "auto")
    for one, other in zip(VideoReader(clip).footage(), made.footage(), strict=True):
        assert one.picture.format.name == other.picture.format.name
        for mine, theirs in zip(one.picture.planes, other.picture.planes, strict=True):
            assert bytes(mine) == bytes(theirs)
