"""A user's own mask: a video or a picture, white where faces may be swapped."""

from pathlib import Path

import numpy as np
import pytest
from made_clips import MakeClip
from PIL import Image

from faceswap.errors import InputError
from faceswap.swap.compositing.user_mask import UserMask
from faceswap.video.info import VideoInfo
from faceswap.video.patch import Patch
from faceswap.video.reader import VideoReader


@pytest.fixture
def footage(make_clip: MakeClip) -> VideoInfo:
    """Facts of a small film."""
    with VideoReader(make_clip(width=96, height=64, frames=4)) as video:
        return video.info


def _patch() -> Patch:
    face = np.full((20, 30, 3), 0.5, np.float32)
    return Patch(40, 10, face, np.full((20, 30), 0.8, np.float32), np.eye(2, 3))


def test_a_picture_is_the_mask_of_every_frame(footage: VideoInfo, tmp_path: Path) -> None:
    half = np.zeros((64, 96), np.uint8)
    half[:, 55:] = 255
    Image.fromarray(half).save(tmp_path / "mask.png")
    with UserMask(tmp_path / "mask.png", footage) as mask:
        assert mask.cut(0, []) == []
        for number in (0, 3, 1):
            (cut,) = mask.cut(number, [_patch()])
            assert not cut.alpha[:, :15].any()
            np.testing.assert_allclose(cut.alpha[:, 15:], 0.8, atol=1e-6)
            assert (cut.x, cut.y) == (40, 10)


def test_a_video_has_a_mask_for_each_frame_in_any_order(
    footage: VideoInfo, make_clip: MakeClip
) -> None:
    path = make_clip(width=192, height=128, frames=4)  # of the same shape, larger
    with UserMask(path, footage) as mask:
        forward = [mask.cut(n, [_patch()])[0].alpha for n in range(4)]
        again = mask.cut(1, [_patch()])[0].alpha
        np.testing.assert_array_equal(again, forward[1])
        assert any(np.abs(one - forward[0]).max() > 0.01 for one in forward[1:])
        with pytest.raises(InputError, match="ends before frame 4"):
            mask.cut(4, [_patch()])


def test_another_shape_is_refused(footage: VideoInfo, make_clip: MakeClip) -> None:
    with pytest.raises(InputError, match="64x64, and the footage 96x64"):
        UserMask(make_clip(width=64, height=64, frames=2), footage)
