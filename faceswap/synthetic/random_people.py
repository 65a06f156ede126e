"""Draw any number of different people: shape, skin, hair, and what they wear."""

from dataclasses import dataclass, fields, replace

import numpy as np

from faceswap.synthetic.identity import (
    HAIRDOS,
    Beard,
    Colour,
    GlassesKind,
    Hair,
    Hairdo,
    Hairs,
    Identity,
    Shape,
    Skin,
    Wear,
)

_TONES = np.array(
    [
        (0.72, 0.49, 0.39), (0.65, 0.415, 0.305), (0.57, 0.345, 0.235), (0.47, 0.27, 0.17),
        (0.36, 0.20, 0.125), (0.24, 0.13, 0.08), (0.15, 0.078, 0.048), (0.085, 0.047, 0.032),
    ]
)  # fmt: skip
"""Albedo of skin from light to dark, linear RGB; after measured spectra, rounded."""
HAIR_COLOURS: dict[str, Colour] = {
    "black": (0.010, 0.009, 0.009),
    "dark brown": (0.028, 0.018, 0.012),
    "brown": (0.075, 0.043, 0.024),
    "light brown": (0.16, 0.10, 0.055),
    "blond": (0.36, 0.24, 0.12),
    "light blond": (0.55, 0.43, 0.27),
    "red": (0.24, 0.075, 0.025),
    "gray": (0.28, 0.27, 0.26),
    "white": (0.58, 0.56, 0.54),
    "dyed": (0.20, 0.05, 0.12),
}
"""Colours of hair by name, linear RGB."""
_IRIS: tuple[Colour, ...] = (
    *((0.05, 0.025, 0.012), (0.10, 0.05, 0.02), (0.16, 0.10, 0.04)),
    *((0.13, 0.17, 0.08), (0.10, 0.17, 0.24), (0.19, 0.24, 0.27)),
)
_CLOTHES: tuple[Colour, ...] = (
    *((0.02, 0.02, 0.025), (0.75, 0.74, 0.72), (0.28, 0.28, 0.29), (0.03, 0.05, 0.12)),
    *((0.45, 0.04, 0.04), (0.06, 0.16, 0.10), (0.5, 0.42, 0.28), (0.10, 0.22, 0.42)),
    *((0.55, 0.30, 0.36), (0.16, 0.10, 0.06)),
)
_MALE_STYLES = {
    "cropped": 0.2, "short": 0.3, "parted": 0.16, "back": 0.1, "coils": 0.1, "bald": 0.06,
    "curly": 0.03, "long": 0.05,
}  # fmt: skip
_FEMALE_STYLES = {
    "long": 0.24, "wavy": 0.16, "fringed": 0.1, "bob": 0.09, "bun": 0.1, "tail": 0.09,
    "curly": 0.09, "coils": 0.04, "short": 0.06, "parted": 0.03,
}  # fmt: skip
_EXTRA = {
    "back": replace(
        HAIRDOS["parted"], sweep=(0.0, 0.25, -1.1), parting=None, top=9, fringe=9, lift=0.3
    ),
    "coils": Hairdo(
        4.5, 3.0, 3.0, 4.5, sweep=(0, 0.3, 0), forward=0.0, lift=0.9, weight=0.0, volume=3.0,
        wave=0.3, wave_length=1.5, frizz=0.9, clump=0.35,
    ),
    "wavy": replace(
        HAIRDOS["long"], top=27, side=24, back=24, wave=0.5, wave_length=7.0, volume=1.9
    ),
    "fringed": replace(HAIRDOS["long"], fringe=4.6, forward=0.9),
    "tail": replace(HAIRDOS["bun"], tied="tail"),
}  # fmt: skip
_NAMED: dict[str, Hairdo] = {str(name): hairdo for name, hairdo in HAIRDOS.items()}
STYLES: dict[str, Hairdo] = _NAMED | _EXTRA
"""Hairdos of random people by the name of the style."""


@dataclass(frozen=True)
class Person:
    """A random person: identity and what it was drawn from. age: apparent, in years; build: -1
    feminine to 1 masculine; style, hair_colour: names."""

    identity: Identity
    age: float
    build: float
    style: str
    hair_colour: str


def random_person(seed: int, number: int) -> Person:
    """Person ``number`` of the world ``seed``."""
    rng = np.random.default_rng((seed, number, 401))
    build = float(np.clip(rng.choice([-0.7, 0.7]) + rng.normal(0, 0.3), -1, 1))
    age = float(np.clip(18 + 62 * rng.beta(1.25, 1.7) + rng.normal(0, 3), 16, 88))
    old = float(np.clip((age - 25) / 55, 0, 1.1))
    depth = float(np.clip(rng.random() * 1.15 - 0.05, 0, 1))
    style = _style(rng, build, old)
    name, colour, grey = _hair_colour(rng, depth, old)
    skin = _skin(rng, depth, old, build)
    shape = _shape(rng, build, old)
    hairs = _hairs(rng, build, old, style, colour, grey)
    identity = Identity(
        f"person {number}",
        int(np.random.SeedSequence((seed, number, 402)).generate_state(1)[0]),
        shape, skin, hairs, _cloth(rng), _wear(rng, build),
    )  # fmt: skip
    return Person(identity, age, build, style, name)


def _style(rng: np.random.Generator, build: float, old: float) -> str:
    shares = _MALE_STYLES if build > 0 else _FEMALE_STYLES
    weights = np.array(list(shares.values()))
    if build > 0:
        weights[list(shares).index("bald")] += 0.3 * old
    elif old > 0.6:
        weights[list(shares).index("short")] += 0.3
        weights[list(shares).index("curly")] += 0.15
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _hair_colour(rng: np.random.Generator, depth: float, old: float) -> tuple[str, Colour, float]:
    grey = float(np.clip(rng.normal(1.5 * (old - 0.35), 0.25), 0, 1))
    if rng.random() < 0.25:
        grey = 0.0  # dyed over, or late
    if grey > 0.75:
        name = "white" if rng.random() < 0.4 else "gray"
    elif rng.random() < 0.03:
        name = "dyed"
    else:
        names = ["black", "dark brown", "brown", "light brown", "blond", "light blond", "red"]
        light = np.array([0.16, 0.26, 0.2, 0.14, 0.12, 0.05, 0.07])
        dark = np.array([0.66, 0.26, 0.05, 0.01, 0.01, 0.005, 0.005])
        share = float(np.clip((depth - 0.1) * 2.2, 0, 1))
        weights = light * (1 - share) + dark * share
        name = str(rng.choice(names, p=weights / weights.sum()))
    base = (
        np.array(HAIR_COLOURS[name]) * np.exp(rng.normal(0, 0.22)) * np.exp(rng.normal(0, 0.07, 3))
    )
    if name == "dyed":
        base = np.exp(rng.normal(-2.4, 0.9, 3))
    return name, _colour(base), grey if name not in ("gray", "white") else 0.2


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = np.clip(values, 0.004, 0.92).tolist()
    return red, green, blue


def _skin(rng: np.random.Generator, depth: float, old: float, build: float) -> Skin:
    at = depth * (len(_TONES) - 1)
    tone = np.array([np.interp(at, np.arange(len(_TONES)), _TONES[:, n]) for n in range(3)])
    tone = tone * np.exp(rng.normal(0, 0.06)) * np.exp(rng.normal(0, [0.02, 0.04, 0.07]))
    made_up = build < 0 and rng.random() < 0.5
    pink = np.array([0.78, 0.5, 0.5]) * np.exp(rng.normal(0, [0.06, 0.14, 0.12]))
    lips = tone * (pink + (1 - pink) * 0.4 * depth)
    lipstick = float(rng.uniform(0.2, 1.0)) if made_up and rng.random() < 0.75 else 0.0
    if lipstick:
        paint = np.exp(rng.normal([-0.9, -2.5, -2.3], [0.35, 0.6, 0.5]))
        lips = lips * (1 - lipstick) + lipstick * np.minimum(paint, 0.7)
    dark_eyes = depth > 0.35 or rng.random() < 0.35
    iris = _IRIS[int(rng.integers(3) if dark_eyes else rng.integers(2, 6))]
    return Skin(
        tone=_colour(tone),
        redness=float(np.clip(rng.beta(1.5, 2.5) * (1.15 - 0.7 * depth) + 0.15 * old, 0, 1)),
        freckles=float(max(rng.uniform(-2, 1), 0) * (depth < 0.35)),
        moles=int(rng.poisson(1.6)),
        wrinkles=float(np.clip(old * rng.uniform(0.6, 1.25) + 0.04, 0, 1.1)),
        shine=float(np.clip(rng.beta(2, 2.5) + 0.15 * depth, 0, 1)),
        lips=_colour(lips),
        lipstick=lipstick,
        eyeshadow=float(rng.uniform(0.1, 0.9)) if made_up and rng.random() < 0.6 else 0.0,
        under_eyes=float(np.clip(rng.beta(1.3, 2.2) + 0.35 * old, 0, 1)),
        iris=_colour(np.array(iris) * np.exp(rng.normal(0, 0.2, 3))),
        blush=float(rng.uniform(0.1, 0.8)) if made_up and rng.random() < 0.5 else 0.0,
        shade_of_beard=float(rng.beta(1.2, 2.5) * 0.7) if build > 0 and rng.random() < 0.6 else 0.0,
    )


def _shape(rng: np.random.Generator, build: float, old: float) -> Shape:
    spread = {f.name: float(np.clip(rng.normal(0, 0.62), -1.4, 1.4)) for f in fields(Shape)}
    means = {
        "jaw_width": 0.35, "chin_width": 0.35, "brow_ridge": 0.7, "nose_size": 0.3,
        "neck_width": 0.7, "forehead_slope": 0.3, "chin_forward": 0.2, "eye_size": -0.2,
        "upper_lip": -0.25, "lower_lip": -0.2, "cheekbones": -0.15,
    }  # fmt: skip
    for name, mean in means.items():
        spread[name] += mean * build
    for name, mean in {
        "nose_length": 0.3, "ear_size": 0.6, "upper_lip": -0.7, "lower_lip": -0.5, "hooded": 0.7,
        "eye_size": -0.3, "nose_tip": -0.4,
    }.items():  # fmt: skip
        spread[name] += mean * old
    full = float(rng.normal(0, 0.7))
    for name, share in {"cheek_fullness": 0.7, "face_width": 0.45, "neck_width": 0.6}.items():
        spread[name] += share * full
    spread["eye_size"] += 0.35
    # Lips are thick or thin together, more often than not.
    thick = float(rng.normal(0, 0.6))
    spread["upper_lip"] += thick
    spread["lower_lip"] += thick
    spread["jowls"] = float(np.clip(old * rng.uniform(0.3, 1.3) + 0.25 * full, 0, 1.4))
    spread["uneven"] = float(rng.uniform(0.4, 1.5))
    return Shape(**{name: float(np.clip(value, -1.7, 1.7)) for name, value in spread.items()})


def _hairs(
    rng: np.random.Generator, build: float, old: float, style: str, colour: Colour, grey: float
) -> Hairs:
    dark = np.array(colour) * float(np.exp(rng.normal(-0.35, 0.3)))
    beard: Beard = "none"
    length = 0.6
    if build > 0 and rng.random() < 0.55:
        kinds: list[Beard] = ["stubble", "full", "goatee", "moustache"]
        beard = kinds[int(rng.choice(4, p=[0.42, 0.34, 0.14, 0.1]))]
        length = float(np.clip(np.exp(rng.normal(-0.3, 0.7)), 0.3, 5.0))
    hairdo = _own_hairdo(rng, STYLES[style], build, old)
    known: list[Hair] = [name for name in HAIRDOS if name == style]
    return Hairs(
        style=known[0] if known else "short",
        colour=colour,
        brow_colour=_colour(np.maximum(dark, 0.008)),
        brow_thickness=float(np.clip(rng.normal(0.35 * build, 0.55), -1, 1.3)),
        brow_arch=float(rng.normal(0.15 - 0.25 * build, 0.4)),
        brow_density=float(np.clip(rng.normal(0.72 - 0.2 * old, 0.2), 0.15, 1)),
        brow_height=float(rng.normal(-0.1 - 0.15 * build, 0.4)),
        beard=beard,
        beard_colour=_colour(np.array(colour) * float(np.exp(rng.normal(-0.1, 0.25)))),
        beard_length=length,
        lashes=float(np.clip(rng.normal(0.45 - 0.3 * build, 0.2), 0.05, 1)),
        grey=grey,
        hairdo=hairdo,
    )


def _own_hairdo(rng: np.random.Generator, base: Hairdo, build: float, old: float) -> Hairdo:
    """A hairdo as people have it: other lengths, another parting, thinner with age."""

    def around(value: float, spread: float) -> float:
        return float(value * np.exp(rng.normal(0, spread)))

    whole = float(np.exp(rng.normal(0, 0.25)))
    side = -1.0 if rng.random() < 0.5 else 1.0
    thin = build > 0 and rng.random() < 0.25 + 0.5 * old
    little = abs(float(rng.normal(0, 0.3)))
    parting = base.parting
    if parting is not None:
        parting = float(side * parting + rng.normal(0, 1.0))
    return replace(
        base,
        top=base.top * whole,
        side=around(base.side * whole, 0.15),
        back=base.back * whole,
        fringe=min(around(base.fringe, 0.2), 5.2) if base.forward > 0.5 else base.fringe * whole,
        sweep=(side * (base.sweep[0] + float(rng.normal(0, 0.25))), base.sweep[1], base.sweep[2]),
        forward=float(np.clip(base.forward + rng.normal(0, 0.12), 0, 1)),
        parting=parting,
        lift=float(np.clip(around(base.lift, 0.3), 0.02, 0.95)),
        volume=around(base.volume, 0.25),
        wave=around(base.wave, 0.5) + float(rng.uniform(0, 0.12)),
        wave_length=around(base.wave_length, 0.2),
        frizz=float(np.clip(base.frizz + rng.normal(0, 0.12), 0, 1)),
        clump=float(np.clip(base.clump + rng.normal(0, 0.15), 0, 0.95)),
        hairline=base.hairline + float(rng.normal(0, 0.45)),
        recession=base.recession + (float(rng.uniform(0.3, 2.6)) if thin else little),
        peak=max(0.0, float(rng.normal(0.1, 0.3))),
        crown=max(base.crown * float(rng.uniform(0.7, 1)), float(rng.uniform(0, 0.8)) * old * thin),
        tucked=base.tied == "no" and base.side > 10 and rng.random() < 0.3,
        density=float(np.clip(rng.normal(1.0 - 0.3 * thin, 0.1), 0.35, 1)),
    )  # fmt: skip


def _cloth(rng: np.random.Generator) -> Colour:
    base = np.array(_CLOTHES[int(rng.integers(len(_CLOTHES)))])
    return _colour(base * np.exp(rng.normal(0, 0.3)) * np.exp(rng.normal(0, 0.12, 3)))


def _wear(rng: np.random.Generator, build: float) -> Wear:
    kinds: list[GlassesKind] = ["round", "square", "narrow", "half", "sun"]
    glasses: GlassesKind = "none"
    if rng.random() < 0.32:
        glasses = kinds[int(rng.choice(5, p=[0.24, 0.32, 0.2, 0.14, 0.1]))]
    metal = rng.random() < 0.35
    frame = np.array([0.35, 0.33, 0.3]) if metal else np.exp(rng.normal(-3.2, 1.1, 3))
    head = "none"
    if rng.random() < 0.09:
        choices = ["beanie", "cap", "headband"] + (["scarf"] if build < 0 else [])
        head = str(rng.choice(choices))
    return Wear(
        pattern=str(
            rng.choice(["plain", "stripes", "checks", "melange"], p=[0.6, 0.14, 0.12, 0.14])
        ),  # type: ignore[arg-type]
        second=_cloth(rng),
        collar=float(rng.choice([0.0, 0.0, 0.5, 1.0]) + rng.normal(0, 0.15)),
        glasses=glasses,
        glasses_colour=_colour(frame),
        glasses_thickness=float(rng.uniform(0.05, 0.09) if metal else rng.uniform(0.09, 0.2)),
        headwear=head,  # type: ignore[arg-type]
        headwear_colour=_cloth(rng),
    )
