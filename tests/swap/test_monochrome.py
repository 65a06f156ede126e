"""Grey and tinted footage stays so, and footage in colour is left alone."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.swap.compositing.monochrome import in_tones_of
from faceswap.synthetic.people import render_person

SIDE = 200


def person(number: int) -> NDArray[np.float32]:
    """A rendered face in colour."""
    return render_person(4, number, SIDE).image.astype(np.float32) / np.float32(255)


def stored(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """``picture`` as compressed footage has it."""
    _, data = cv2.imencode(".jpg", np.round(picture * 255).astype(np.uint8)[..., ::-1])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)
    return back[..., ::-1] / np.float32(255)


def grey(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luma (H, W, 1)."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], np.float32)


@pytest.mark.parametrize(
    "tint", [(1.0, 1.0, 1.0), (1.0, 0.85, 0.62), (0.35, 1.0, 0.4)], ids=["grey", "sepia", "night"]
)
def test_a_face_takes_on_the_tint_of_footage_without_colours(
    tint: tuple[float, float, float],
) -> None:
    footage = stored(np.asarray(grey(person(0)) * np.array(tint, np.float32), np.float32))
    face = person(1)
    toned = in_tones_of(face, footage)
    hue = toned / np.maximum(toned.max(2, keepdims=True), 1e-3)
    wanted = np.array(tint) / max(tint)
    assert_allclose(np.median(hue[toned.max(2) > 0.2], axis=0), wanted, atol=0.04)
    assert_allclose(grey(toned).std(), grey(face).std(), rtol=0.15)


def test_footage_in_colour_changes_nothing() -> None:
    face = person(1)
    for number in (0, 2, 3):
        assert_array_equal(in_tones_of(face, stored(person(number))), face)


def test_a_slow_loss_of_colour_makes_no_jump() -> None:
    face, footage = person(1), person(0)
    colours = []
    for share in np.linspace(0, 0.6, 60, dtype=np.float32):
        faded = grey(footage) + share * (footage - grey(footage))
        colours.append(np.ptp(in_tones_of(face, faded), axis=2).mean())
    assert np.abs(np.diff(colours)).max() < 0.25 * colours[-1]
    assert colours[0] < 0.02 < colours[-1]
