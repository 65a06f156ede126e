"""A swapped face in the colours and the light of the footage it goes into."""

from dataclasses import dataclass

import numpy as np

from faceswap.swap.compositing.color import ColorTransfer, apply_color_transfer
from faceswap.swap.compositing.complexion import without_complexion
from faceswap.swap.compositing.monochrome import in_tones_of
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.shading import shading_gain
from faceswap.types import FloatImage, Weights

_SHADING_SCALE = 0.15
"""Blur of A's light as a share of the crop's side: finer light carries A's cheekbones along,
broader light leaves a seam where one side of a face is lit."""


@dataclass(frozen=True)
class FacePair:
    """A swapped face and A's in the same crop, RGB (S, S, 3) in [0, 1]. skin (S, S): where both
    are skin; features (S, S): the swapped face's eyes, lips and mouth."""

    face: FloatImage
    original: FloatImage
    skin: Weights
    features: Weights


def match_colors(pair: FacePair, transfer: ColorTransfer, look: BlendOptions) -> FloatImage:
    """The swapped face with A's colours, light and shadow as far as ``look`` says."""
    face = pair.face
    if look.color_transfer > 0:
        face = apply_color_transfer(face, transfer, look.color_mode, look.color_transfer)
        if look.color_mode == "gains":
            face = without_complexion(face, pair.features, transfer.gain, look.color_transfer)
    if look.shading_transfer > 0:
        gain = shading_gain(face, pair.original, pair.skin, _SHADING_SCALE)
        face = np.clip(face * (1 + np.float32(look.shading_transfer) * (gain - 1)), 0, 1)
    return face if look.color_mode == "off" else in_tones_of(face, pair.original)
