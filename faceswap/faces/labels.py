"""Labels of the pixels of a face's picture, rendered or segmented."""

from enum import IntEnum

import numpy as np


class Label(IntEnum):
    """What a pixel shows, by the majority of its samples; the number is the pixel's in a mask."""

    BACKGROUND = 0
    SKIN = 1
    HAIR = 2
    BROWS = 3
    BEARD = 4
    EYES = 5
    LIPS = 6
    MOUTH = 7
    GLASSES = 8
    IN_FRONT = 9
    CLOTH = 10


DEFINITIONS = {
    Label.BACKGROUND: "everything behind the person",
    Label.SKIN: "face, ears, neck and shoulders, lids with their lashes, shaven skin with stubble",
    Label.HAIR: "hair of the head where it hides what is behind it, and closely cropped scalp",
    Label.BROWS: "the area of the brows",
    Label.BEARD: "beard and moustache, without stubble",
    Label.EYES: "the eyeballs between the lids, also behind clear lenses",
    Label.LIPS: "the red of the lips",
    Label.MOUTH: "teeth, tongue, gums and the dark between open lips",
    Label.GLASSES: "frames, and dark lenses; not clear lenses",
    Label.IN_FRONT: "hands, microphones, cups, telephones and bars of text before the face",
    Label.CLOTH: "clothes, hats, caps and headbands",
}

PALETTE = np.array(
    [
        (0, 0, 0), (236, 188, 150), (120, 70, 30), (70, 40, 90), (160, 110, 60), (60, 160, 230),
        (220, 60, 80), (250, 240, 210), (40, 220, 160), (240, 200, 40), (90, 110, 130),
    ],
    np.uint8,
)  # fmt: skip
"""Colour of each label, for sheets and the palette of the mask files."""
