"""Several people of one film are swapped, each by a model of its own."""

from pathlib import Path

import numpy as np
import torch
from made_clips import MakeClip
from numpy.testing import assert_array_equal
from torch import Tensor

from faceswap.faces.align import crop_matrix, invert, mean_face, transform
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.several import Cast, SeveralSwappers
from faceswap.swap.compositing.swapper import AlignedFace
from faceswap.video.reader import VideoReader

PLAIN = BlendOptions(
    color_transfer=0, shading_transfer=0, sharpen=0, mask_blur=0, mask_type="learned"
)


class Painter:
    """A model that paints every face in one colour."""

    resolution = 64

    def __init__(self, colour: tuple[float, float, float]) -> None:
        self._colour = torch.tensor(colour)[None, :, None, None]

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        return self._colour.expand_as(faces), None


def face_at(x: float, frame: int) -> AlignedFace:
    similarity = np.array([[12.0, 0, x], [0, 12.0, 48]])
    points = transform(similarity, mean_face().points[:, :2])
    matrix = crop_matrix(invert(similarity), 64)
    return AlignedFace(int(x), points[:68], points[68:], matrix, frame=frame)


def test_each_cast_swaps_its_own_faces_and_nobody_else(make_clip: MakeClip) -> None:
    path: Path = make_clip(width=192, height=96, frames=4)
    red = Cast(Painter((1, 0, 0)), {0: [face_at(48, 0)], 2: [face_at(48, 2)]})
    blue = Cast(Painter((0, 0, 1)), {2: [face_at(144, 2)]})
    with (
        VideoReader(path) as footage,
        SeveralSwappers([red, blue], torch.device("cpu"), PLAIN) as swapper,
    ):
        batch = list(footage.footage())
        patches = swapper.patches(batch)
        assert [swapper.has_faces(n) for n in range(4)] == [True, False, True, False]
    assert [len(found) for found in patches] == [1, 0, 2, 0]
    image = batch[2].image.copy()
    for patch in patches[2]:
        patch.apply(image)
    painted = image[48, [48, 144]].astype(int)
    assert np.abs(painted - [(255, 0, 0), (0, 0, 255)]).max() < 8
    assert_array_equal(image[:, 92:100], batch[2].image[:, 92:100])
