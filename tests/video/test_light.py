"""Light is what is mixed; code values come back as they were."""

import numpy as np
import pytest
from av.video.reformatter import ColorTrc
from numpy.testing import assert_allclose

from faceswap.video.light import mix, to_code, to_light

TRANSFERS = [ColorTrc.BT709, ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67]
CODES = np.linspace(0, 1, 300, dtype=np.float32).reshape(100, 3)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_there_and_back(transfer: int) -> None:
    assert_allclose(to_code(to_light(CODES, transfer), transfer), CODES, atol=1e-3)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_the_ends_are_the_pictures_and_the_middle_is_the_mean_of_their_light(transfer: int) -> None:
    before, after = CODES, np.ascontiguousarray(CODES[::-1])
    for weight, wanted in ((0, before), (1, after)):
        assert_allclose(
            mix(before, after, np.full(100, weight, np.float32), transfer), wanted, atol=1e-3
        )
    half = to_light(mix(before, after, np.full(100, 0.5, np.float32), transfer), transfer)
    mean = (to_light(before, transfer) + to_light(after, transfer)) / 2
    assert_allclose(half, mean, rtol=5e-3, atol=1e-4)


def test_half_of_white_on_black_is_brighter_than_half_of_its_code() -> None:
    black, white = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    got = mix(black, white, np.full(1, 0.5, np.float32))
    assert_allclose(got, 0.5 ** (1 / 2.4), rtol=1e-5)
