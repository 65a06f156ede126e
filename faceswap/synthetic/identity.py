"""Who a rendered head is: its shape, skin, hair and eyes, and the named cast."""

from dataclasses import dataclass, replace
from typing import Literal

from faceswap.errors import OptionsError

Colour = tuple[float, float, float]
Hair = Literal["bald", "cropped", "short", "parted", "bob", "long", "curly", "bun"]
Beard = Literal["none", "stubble", "moustache", "goatee", "full"]


@dataclass(frozen=True)
class Shape:
    """Departures from the average head. 0 is average; -1 and 1 are strong but natural.

    The names say what grows with the number; ``eye_tilt`` lifts the outer corners,
    ``nose_tip`` turns the tip up, ``brow_arch`` bends the brows, ``hooded`` lets the skin over
    the upper lid hang.
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
    """Colours are linear RGB albedo; the rest are shares from 0 to 1."""

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
    """One person. ``seed`` places freckles, moles, pores and single hairs."""

    name: str
    seed: int
    shape: Shape
    skin: Skin
    hairs: Hairs
    clothes: Colour = (0.08, 0.1, 0.14)

    def with_complexion_of(self, other: "Identity") -> "Identity":
        """This person with the other's skin tone, and everything else unchanged."""
        skin = replace(self.skin, tone=other.skin.tone, redness=other.skin.redness)
        return replace(self, skin=skin)


def identity(name: str) -> Identity:
    """The member of the cast called ``name``, in any case.

    Raises OptionsError for an unknown name.
    """
    found = CAST.get(name.lower())
    if found is None:
        raise OptionsError(
            f"No rendered head is called {name!r}. The known ones are: {', '.join(CAST)}."
        )
    return found


_CAST = (
    Identity(
        "clara",
        11,
        Shape(
            face_width=-0.3,
            jaw_width=-0.8,
            chin_width=-0.6,
            chin_length=-0.2,
            cheekbones=0.3,
            brow_ridge=-0.8,
            eye_size=0.7,
            eye_spacing=0.2,
            eye_tilt=0.2,
            nose_length=-0.4,
            nose_width=-0.6,
            nose_size=-0.5,
            nose_tip=0.6,
            nose_bridge=-0.3,
            mouth_width=-0.2,
            upper_lip=0.2,
            lower_lip=0.3,
            neck_width=-0.8,
        ),
        Skin(
            tone=(0.72, 0.47, 0.36),
            redness=0.6,
            freckles=0.8,
            wrinkles=0.0,
            lips=(0.58, 0.27, 0.23),
            iris=(0.10, 0.22, 0.30),
            under_eyes=0.1,
        ),
        Hairs(
            style="long",
            colour=(0.30, 0.11, 0.035),
            brow_colour=(0.28, 0.13, 0.06),
            brow_thickness=-0.4,
            brow_arch=0.4,
            brow_density=0.55,
            lashes=0.6,
        ),
        clothes=(0.06, 0.16, 0.13),
    ),
    Identity(
        "marcus",
        23,
        Shape(
            face_width=0.4,
            jaw_width=0.9,
            chin_width=0.7,
            chin_length=0.3,
            chin_forward=0.3,
            brow_ridge=0.8,
            eye_size=-0.4,
            eye_depth=0.4,
            nose_width=1.0,
            nose_length=0.2,
            nose_bridge=-0.3,
            nose_size=0.4,
            mouth_width=0.6,
            upper_lip=0.8,
            lower_lip=0.8,
            lips_forward=0.6,
            neck_width=0.9,
            cheekbones=0.3,
        ),
        Skin(
            tone=(0.185, 0.095, 0.055),
            redness=0.15,
            wrinkles=0.15,
            shine=0.9,
            lips=(0.25, 0.10, 0.085),
            iris=(0.07, 0.03, 0.015),
        ),
        Hairs(
            style="cropped",
            colour=(0.012, 0.010, 0.009),
            brow_colour=(0.012, 0.01, 0.009),
            brow_thickness=0.4,
            brow_density=0.9,
            beard="goatee",
            beard_colour=(0.012, 0.010, 0.009),
            lashes=0.4,
        ),
        clothes=(0.35, 0.34, 0.32),
    ),
    Identity(
        "yuki",
        37,
        Shape(
            face_width=0.3,
            jaw_width=-0.3,
            chin_width=-0.4,
            chin_length=-0.4,
            cheekbones=0.6,
            cheek_fullness=0.5,
            brow_ridge=-1.0,
            eye_tilt=0.7,
            eye_size=-0.3,
            eye_depth=-0.8,
            hooded=0.9,
            nose_bridge=-0.9,
            nose_width=0.1,
            nose_length=-0.3,
            nose_size=-0.4,
            mouth_width=-0.4,
            upper_lip=0.1,
            lower_lip=0.4,
            neck_width=-0.9,
        ),
        Skin(
            tone=(0.66, 0.45, 0.32),
            redness=0.3,
            wrinkles=0.0,
            lips=(0.60, 0.13, 0.14),
            lipstick=0.7,
            iris=(0.06, 0.03, 0.02),
            under_eyes=0.1,
            moles=2,
        ),
        Hairs(
            style="bob",
            colour=(0.014, 0.011, 0.011),
            brow_colour=(0.03, 0.022, 0.02),
            brow_thickness=-0.1,
            brow_arch=-0.2,
            brow_density=0.8,
            lashes=0.7,
        ),
        clothes=(0.42, 0.07, 0.09),
    ),
    Identity(
        "walter",
        41,
        Shape(
            face_width=0.0,
            jaw_width=0.2,
            chin_width=0.2,
            chin_length=0.4,
            cheekbones=0.2,
            cheek_fullness=-0.7,
            brow_ridge=0.6,
            forehead_slope=0.5,
            eye_size=-0.5,
            eye_depth=0.7,
            eye_tilt=-0.6,
            hooded=0.6,
            nose_length=0.8,
            nose_width=0.4,
            nose_hump=0.7,
            nose_size=0.8,
            nose_tip=-0.5,
            nose_bridge=0.5,
            mouth_width=0.4,
            upper_lip=-0.9,
            lower_lip=-0.7,
            ear_size=0.9,
            neck_width=0.1,
        ),
        Skin(
            tone=(0.66, 0.41, 0.31),
            redness=0.9,
            wrinkles=1.0,
            moles=4,
            shine=0.5,
            lips=(0.45, 0.23, 0.2),
            iris=(0.16, 0.24, 0.27),
            under_eyes=0.8,
        ),
        Hairs(
            style="bald",
            colour=(0.55, 0.54, 0.52),
            brow_colour=(0.42, 0.4, 0.38),
            brow_thickness=0.5,
            brow_density=0.7,
            brow_arch=0.1,
            beard="moustache",
            beard_colour=(0.62, 0.6, 0.57),
            lashes=0.2,
        ),
        clothes=(0.10, 0.13, 0.24),
    ),
    Identity(
        "leila",
        53,
        Shape(
            face_width=-0.5,
            jaw_width=-0.2,
            chin_width=-0.2,
            chin_length=0.3,
            cheekbones=0.8,
            cheek_fullness=-0.3,
            brow_ridge=-0.2,
            eye_size=0.5,
            eye_tilt=0.4,
            nose_length=0.5,
            nose_hump=0.6,
            nose_bridge=0.8,
            nose_width=-0.3,
            nose_size=0.3,
            nose_tip=-0.2,
            mouth_width=0.4,
            upper_lip=0.6,
            lower_lip=0.7,
            lips_forward=0.3,
            neck_width=-0.5,
        ),
        Skin(
            tone=(0.46, 0.27, 0.175),
            redness=0.25,
            wrinkles=0.1,
            lips=(0.40, 0.09, 0.10),
            lipstick=0.8,
            eyeshadow=0.8,
            iris=(0.13, 0.08, 0.025),
            moles=1,
            under_eyes=0.3,
        ),
        Hairs(
            style="curly",
            colour=(0.022, 0.014, 0.01),
            brow_colour=(0.018, 0.012, 0.01),
            brow_thickness=0.7,
            brow_arch=0.6,
            brow_density=1.0,
            lashes=1.0,
        ),
        clothes=(0.30, 0.20, 0.05),
    ),
    Identity(
        "tom",
        67,
        Shape(
            face_width=0.1,
            jaw_width=0.5,
            chin_width=0.4,
            chin_length=0.1,
            chin_forward=0.2,
            brow_ridge=0.5,
            eye_spacing=-0.5,
            eye_depth=0.3,
            nose_length=0.2,
            nose_bridge=0.5,
            nose_width=-0.1,
            nose_size=0.1,
            mouth_width=0.2,
            mouth_height=0.2,
            upper_lip=-0.4,
            lower_lip=-0.1,
            ear_size=0.3,
            neck_width=0.5,
        ),
        Skin(
            tone=(0.62, 0.39, 0.285),
            redness=0.6,
            wrinkles=0.3,
            iris=(0.13, 0.20, 0.10),
            lips=(0.46, 0.22, 0.18),
            moles=3,
            under_eyes=0.4,
        ),
        Hairs(
            style="parted",
            colour=(0.085, 0.045, 0.02),
            brow_colour=(0.03, 0.017, 0.01),
            brow_thickness=0.6,
            brow_density=1.0,
            beard="goatee",
            beard_colour=(0.05, 0.026, 0.014),
            lashes=0.3,
        ),
        clothes=(0.16, 0.17, 0.2),
    ),
    Identity(
        "nora",
        79,
        Shape(
            face_width=0.5,
            jaw_width=0.3,
            chin_width=0.1,
            chin_length=-0.3,
            cheekbones=-0.2,
            cheek_fullness=1.0,
            brow_ridge=-0.5,
            eye_spacing=0.4,
            eye_size=0.0,
            eye_tilt=-0.2,
            nose_width=0.3,
            nose_length=-0.1,
            nose_size=0.2,
            nose_tip=0.3,
            mouth_width=0.1,
            upper_lip=-0.3,
            lower_lip=0.0,
            neck_width=0.2,
            hooded=0.3,
        ),
        Skin(
            tone=(0.70, 0.46, 0.36),
            redness=1.0,
            wrinkles=0.5,
            iris=(0.12, 0.17, 0.2),
            lips=(0.54, 0.25, 0.22),
            moles=3,
            under_eyes=0.5,
            shine=0.6,
        ),
        Hairs(
            style="bun",
            colour=(0.42, 0.40, 0.38),
            brow_colour=(0.24, 0.2, 0.17),
            brow_thickness=-0.3,
            brow_density=0.6,
            brow_arch=0.2,
            lashes=0.4,
        ),
        clothes=(0.22, 0.12, 0.26),
    ),
    Identity(
        "ravi",
        83,
        Shape(
            face_width=-0.1,
            jaw_width=0.1,
            chin_width=-0.1,
            chin_length=0.0,
            cheekbones=0.1,
            cheek_fullness=0.1,
            brow_ridge=0.3,
            eye_size=0.4,
            eye_depth=0.2,
            nose_length=0.3,
            nose_width=0.5,
            nose_size=0.5,
            nose_bridge=0.4,
            mouth_width=0.0,
            upper_lip=0.3,
            lower_lip=0.5,
            ear_size=0.2,
            neck_width=0.1,
            hooded=0.2,
        ),
        Skin(
            tone=(0.40, 0.225, 0.135),
            redness=0.2,
            wrinkles=0.1,
            iris=(0.08, 0.04, 0.02),
            lips=(0.36, 0.17, 0.14),
            under_eyes=0.9,
            moles=2,
            shine=0.6,
        ),
        Hairs(
            style="short",
            colour=(0.012, 0.010, 0.010),
            brow_colour=(0.012, 0.01, 0.01),
            brow_thickness=0.9,
            brow_density=1.0,
            brow_arch=-0.1,
            beard="stubble",
            beard_colour=(0.015, 0.012, 0.012),
            lashes=0.8,
        ),
        clothes=(0.5, 0.48, 0.42),
    ),
)

CAST: dict[str, Identity] = {person.name: person for person in _CAST}
"""The named heads."""
