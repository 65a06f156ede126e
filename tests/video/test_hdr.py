"""Tone mapping can be undone, and shows SDR white at diffuse white."""

import numpy as np
import pytest

from faceswap.video.hdr import from_standard, to_linear, to_standard
from faceswap.video.info import Colour

PQ, HLG = Colour(9, 9, 16), Colour(9, 9, 18)


@pytest.mark.parametrize("colour", [PQ, HLG])
def test_what_the_network_sees_comes_back(colour: Colour) -> None:
    # Skin, hair and lips rather than the corners of the cube, which HLG cannot show as bright.
    face = np.random.default_rng(0).uniform(0.1, 0.9, (64, 64, 3)).astype(np.float32)
    face = face * 0.5 + face.mean(2, keepdims=True) * np.float32(0.5)
    codes = (from_standard(face, colour) * 65535 + 0.5).astype(np.uint16)
    error = np.abs(to_standard(codes, colour).astype(float) - face * 255)
    assert error.max() < 1.6
    assert error.mean() < 0.4


@pytest.mark.parametrize(("colour", "code"), [(PQ, 0.5807), (HLG, 0.75)])
def test_diffuse_white_is_at_203_candela(colour: Colour, code: float) -> None:
    """The code values that ITU-R BT.2408 gives for diffuse white."""
    codes = np.full((1, 1, 3), round(code * 65535), np.uint16)
    assert to_linear(codes, colour) == pytest.approx(1, abs=0.02)
    white = to_standard(codes, colour)
    assert (white > 225).all()
    top = to_standard(np.full((1, 1, 3), 65535, np.uint16), colour)
    assert (top == 255).all()


def test_black_stays_black() -> None:
    for colour in (PQ, HLG):
        codes = np.zeros((2, 2, 3), np.uint16)
        assert to_standard(codes, colour).max() == 0
        assert from_standard(np.zeros((2, 2, 3), np.float32), colour).max() < 0.02
