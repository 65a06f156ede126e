"""Parameters of a rendered person: head shape, skin, hair and eyes."""

from dataclasses import dataclass, field, replace
from typing import Literal

Colour = tuple[float, float, float]
Hair = Literal["bald", "cropped", "short", "parted", "bob", "long", "curly", "bun"]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]
GlassesKind = Literal["none", "round", "square", "narrow", "half", "sun"]


@dataclass(frozen=True)
class Shape:
    """Shape parameters of the head. 0 is average; -1 and 1 are strong but natural.

    The names say what grows with the value; ``eye_tilt`` raises the outer corners, ``nose_tip``
    turns the tip up, ``hooded`` lowers the skin over the upper lid, ``jowls`` lets cheeks and
    jaw line hang. ``uneven``: strength of small random differences, also between the sides.
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
    jowls: float = 0.0
    uneven: float = 0.0


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
    blush: float = 0.0
    shade_of_beard: float = 0.0


@dataclass(frozen=True)
class Hairdo:
    """How the hair of the head is cut, combed and grows. Lengths in centimetres.

    top, side, back, fringe: lengths by place. sweep: direction (x, y, z) in which it is combed;
    forward: share of the fringe's hair that is combed over the forehead. parting: x of the
    parting, None for none. lift: how far it stands up at the root, 0 to 1. weight: how fast it
    turns down. volume: thickness over the skin. wave, wave_length: radius and length of its
    curls; frizz: how much they differ from hair to hair; clump: how much neighbours run together.
    hairline, recession, peak, crown: how far it is away from the forehead, from the temples, how
    far it reaches down in the middle, and how bald the crown is, 0 is none. tied: knotted behind
    the head. tucked: combed behind the ears. density: 1 is thick.
    """

    top: float = 4.0
    side: float = 2.0
    back: float = 2.5
    fringe: float = 4.0
    sweep: tuple[float, float, float] = (0.3, 0.0, 0.2)
    forward: float = 0.3
    parting: float | None = None
    lift: float = 0.35
    weight: float = 0.1
    volume: float = 0.8
    wave: float = 0.05
    wave_length: float = 4.0
    frizz: float = 0.3
    clump: float = 0.4
    hairline: float = 0.0
    recession: float = 0.0
    peak: float = 0.0
    crown: float = 0.0
    tied: Literal["no", "bun", "tail"] = "no"
    tucked: bool = False
    density: float = 1.0


HAIRDOS: dict[Hair, Hairdo] = {
    "bald": Hairdo(1.2, 1.0, 1.0, 1.0, crown=1.0, hairline=6.0, recession=3.0, volume=0.25),
    "cropped": Hairdo(0.6, 0.4, 0.4, 0.6, lift=0.6, volume=0.35, weight=0.0, clump=0.0),
    "short": Hairdo(3.6, 1.6, 1.8, 3.4, sweep=(0.5, 0.2, 0.35), lift=0.4, volume=1.0),
    "parted": Hairdo(
        7.5, 2.6, 2.4, 8.0, sweep=(0.3, 0.1, -0.55), parting=-4.0, forward=0.0, lift=0.45,
        volume=1.3, weight=0.08, clump=0.6,
    ),
    "bob": Hairdo(
        17, 13.5, 13, 4.6, sweep=(0.0, -0.2, 0.1), parting=0.2, forward=1.0, lift=0.12,
        volume=1.4, weight=0.5, wave=0.03, clump=0.25,
    ),
    "long": Hairdo(
        33, 30, 30, 33, sweep=(0.0, 0.0, -0.25), parting=0.0, forward=0.0, lift=0.2, weight=0.45,
        volume=1.5, wave=0.2, wave_length=9.0, clump=0.6,
    ),
    "curly": Hairdo(
        15, 14, 13, 8, sweep=(0.0, 0.0, -0.35), parting=1.5, forward=0.0, lift=0.5, weight=0.25,
        volume=2.2, wave=0.4, wave_length=3.2, frizz=0.35, clump=0.7,
    ),
    "bun": Hairdo(
        24, 22, 18, 24, sweep=(0.0, 0.0, -1.0), forward=0.0, lift=0.03, weight=0.0, volume=0.45,
        wave=0.02, tied="bun",
    ),
}  # fmt: skip
"""Hairdos by the name of the style."""


@dataclass(frozen=True)
class Hairs:
    """Hair, brows and beard. Colours are linear RGB albedo.

    hairdo: None takes that of ``style``. grey: share of grey hairs. beard_length in centimetres.
    """

    style: Hair = "short"
    colour: Colour = (0.05, 0.03, 0.02)
    brow_colour: Colour = (0.05, 0.03, 0.02)
    brow_thickness: float = 0.0
    brow_arch: float = 0.0
    brow_density: float = 0.8
    brow_height: float = 0.0
    beard: Beard = "none"
    beard_colour: Colour = (0.05, 0.03, 0.02)
    beard_length: float = 0.7
    lashes: float = 0.5
    grey: float = 0.0
    hairdo: Hairdo | None = None

    @property
    def cut(self) -> Hairdo:
        """The hairdo."""
        return self.hairdo or HAIRDOS[self.style]


@dataclass(frozen=True)
class Wear:
    """What a person wears. headwear: none, a beanie, a cap, a headband or a scarf over the hair."""

    clothes: Colour = (0.08, 0.1, 0.14)
    pattern: Literal["plain", "stripes", "checks", "melange"] = "plain"
    second: Colour = (0.3, 0.3, 0.3)
    collar: float = 0.0
    glasses: GlassesKind = "none"
    glasses_colour: Colour = (0.02, 0.02, 0.02)
    glasses_thickness: float = 0.12
    headwear: Literal["none", "beanie", "cap", "headband", "scarf"] = "none"
    headwear_colour: Colour = (0.1, 0.1, 0.12)


@dataclass(frozen=True)
class Identity:
    """A person. seed: random positions of freckles, moles, pores and single hairs."""

    name: str
    seed: int
    shape: Shape
    skin: Skin
    hairs: Hairs
    clothes: Colour = (0.08, 0.1, 0.14)
    wear: Wear = field(default_factory=Wear)

    def with_complexion_of(self, other: "Identity") -> "Identity":
        """This person with the other's skin tone and redness."""
        skin = replace(self.skin, tone=other.skin.tone, redness=other.skin.redness)
        return replace(self, skin=skin)
