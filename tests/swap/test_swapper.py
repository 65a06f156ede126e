"""What the options of compositing do to a frame."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import Tensor

from faceswap.faces.align import crop_matrix, invert, mean_face, transform
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, Swapper

PLAIN = {"color_mode": "off", "shading_transfer": 0, "sharpen": 0, "grain": 0, "mask_blur": 0.02}
PLAIN["mask_type"] = "landmarks"  # what is painted here is no skin
SIMILARITY = np.array([[44.0, 0, 96], [0, 44.0, 96]])


class Painter:
    """A model that paints every face in one colour, a little uneven."""

    resolution = 128

    def __init__(self, *colour: float) -> None:
        uneven = 0.01 * torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
        self._picture = torch.tensor(colour)[None, :, None, None] + uneven

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        return self._picture.expand_as(faces), None


def face(frame: int = 0) -> AlignedFace:
    points = transform(SIMILARITY, mean_face().points[:, :2])
    matrix = crop_matrix(invert(SIMILARITY), 128)
    return AlignedFace(0, points[:68], points[68:], matrix, frame=frame)


def frame_of(tone: float) -> NDArray[np.uint8]:
    """Skin of one tone with a little grain, (192, 192, 3)."""
    grain = np.random.default_rng(0).normal(0, 0.01, (192, 192, 1))
    skin = np.clip(tone * np.array([1, 0.8, 0.7]) + grain, 0, 1)
    return np.asarray(skin * 255, np.uint8)


BLUE, SKIN = Painter(0.2, 0.3, 0.9), Painter(0.5, 0.45, 0.4)


def swapped(
    frame: NDArray[np.uint8], model: Painter = BLUE, **options: object
) -> NDArray[np.uint8]:
    look = BlendOptions.model_validate(PLAIN | options)
    with Swapper(model, torch.device("cpu"), look) as swapper:
        return swapper.swap([frame], [[face()]])[0]


def changed(picture: NDArray[np.uint8], frame: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(picture.astype(int) - frame).max(2) > 20)


def test_the_mouth_stays_as_filmed_and_the_cheeks_do_not() -> None:
    frame = frame_of(0.7)
    kept, whole = swapped(frame, keep_mouth=True), swapped(frame)
    points = face().points.astype(int)
    for x, y in points[48:68]:
        assert_array_equal(kept[y, x], frame[y, x])
    for x, y in (points[2] + points[31]) // 2, points[29]:
        assert_array_equal(kept[y, x], whole[y, x])
        assert changed(kept, frame)[y, x]


@pytest.mark.parametrize("scale", [0.7, 1.3])
def test_a_face_is_scaled_about_its_middle(scale: float) -> None:
    frame = frame_of(0.7)
    areas = [changed(swapped(frame, face_scale=s), frame).sum() for s in (1.0, scale)]
    assert areas[1] / areas[0] == pytest.approx(scale**2, rel=0.03)


def test_a_face_is_moved_by_shares_of_its_crop() -> None:
    frame = frame_of(0.7)
    side = 128 / float(np.hypot(*face().matrix[0, :2]))
    where = [
        np.argwhere(changed(picture, frame)).mean(0)
        for picture in (swapped(frame), swapped(frame, face_offset_x=0.1, face_offset_y=-0.05))
    ]
    assert_allclose(where[1] - where[0], [-0.05 * side, 0.1 * side], atol=0.5)


@pytest.mark.parametrize("mode", ["gains", "reinhard", "mkl", "histogram", "transport"])
def test_a_face_gets_the_tone_of_the_footage(mode: str) -> None:
    frame = frame_of(0.6)
    tone = swapped(frame, SKIN, color_mode=mode)[90:100, 70:80].mean((0, 1))
    assert_allclose(tone, frame.mean((0, 1)), atol=3)


@pytest.mark.parametrize("mode", ["alpha", "pyramid", "poisson"])
def test_no_blend_mode_touches_what_is_beyond_the_mask(mode: str) -> None:
    frame = frame_of(0.6)
    alpha = swapped(frame, mask_blur=0.2)
    picture = swapped(frame, mask_blur=0.2, blend_mode=mode)
    beyond = (alpha == frame).all(2)
    assert 0.2 < beyond.mean() < 0.9
    assert np.abs(picture.astype(int) - frame)[beyond].max() <= 2
    assert changed(picture, frame)[80:100, 80:110].all()


@pytest.mark.parametrize("blend_mode", ["alpha", "poisson"])
def test_a_face_flashes_and_fades_with_the_footage(blend_mode: str) -> None:
    light = [*[0.6] * 9, 0.9, *[0.6] * 6, *np.linspace(0.6, 0.02, 10)]
    frames = [frame_of(tone) for tone in light]
    look = BlendOptions.model_validate({"sharpen": 0, "blend_mode": blend_mode})
    with Swapper(SKIN, torch.device("cpu"), look) as swapper:
        pictures = swapper.swap(frames, [[face(n)] for n in range(len(frames))])
    for frame, picture in zip(frames, pictures, strict=True):
        got, wanted = (p[80:110, 80:110].mean((0, 1)) for p in (picture, frame))
        assert_allclose(got, wanted, atol=4)
