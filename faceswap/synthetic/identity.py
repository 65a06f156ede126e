"""Parameters of a rendered person: head shape, skin, hair and eyes."""

from dataclasses import dataclass, replace
from typing import Literal

Colour = tuple[float, float, float]
Hair = Literal["bald", "cropped", "short", "parted", "bob", "long", "curly", "bun"]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]


@dataclass(frozen=True)
class Shape:
    """Shape parameters of the head. 0 is average; -1 and 1 are strong but natural.

    The names say what grows with the value; ``eye_tilt`` raises the outer corners, ``nose_tip``
    turns the tip up, ``hooded`` lowers the skin over the upper lid.
    """

    face_width: float = 0.0
    jaw_width: float = 0.0
    chin_width: float = 0.0
    chin_length: float = 0.0
    chin_forward: float = 0.0
    cheekbones: float = 0.0
    cheek_fullness: float = 0.0
    brow_ridge: float = 0.0
    forehead_slope: float = 0.0
    eye_spacing: float = 0.0
    eye_size: float = 0.0
    eye_tilt: float = 0.0
    eye_depth: float = 0.0
    hooded: float = 0.0
    nose_length: float = 0.0
    nose_width: float = 0.0
    nose_bridge: float = 0.0
    nose_hump: float = 0.0
    nose_tip: float = 0.0
    nose_size: float = 0.0
    mouth_width: float = 0.0
    mouth_height: float = 0.0
    upper_lip: float = 0.0
    lower_lip: float = 0.0
    lips_forward: float = 0.0
    ear_size: float = 0.0
    neck_width: float = 0.0


@dataclass(frozen=True)
class Skin:
    """Skin, lips and eyes. Colours are linear RGB albedo; moles: their number; the rest 0 to 1."""

    tone: Colour = (0.62, 0.40, 0.29)
    redness: float = 0.4
    freckles: float = 0.0
    moles: int = 1
    wrinkles: float = 0.1
    shine: float = 0.5
    lips: Colour = (0.50, 0.20, 0.17)
    lipstick: float = 0.0
    eyeshadow: float = 0.0
    under_eyes: float = 0.2
    iris: Colour = (0.16, 0.09, 0.04)


@dataclass(frozen=True)
class Hairs:
    """Hair, brows and beard. Colours are linear RGB albedo."""

    style: Hair = "short"
    colour: Colour = (0.05, 0.03, 0.02)
    brow_colour: Colour = (0.05, 0.03, 0.02)
    brow_thickness: float = 0.0
    brow_arch: float = 0.0
    brow_density: float = 0.8
    brow_height: float = 0.0
    beard: Beard = "none"
    beard_colour: Colour = (0.05, 0.03, 0.02)
    lashes: float = 0.5


@dataclass(frozen=True)
class Identity:
    """A person. seed: random positions of freckles, moles, pores and single hairs."""

    name: str
    seed: int
    shape: Shape
    skin: Skin
    hairs: Hairs
    clothes: Colour = (0.08, 0.1, 0.14)

    def with_complexion_of(self, other: "Identity") -> "Identity":
        """This person with the other's skin tone and redness."""
        skin = replace(self.skin, tone=other.skin.tone, redness=other.skin.redness)
        return replace(self, skin=skin)
