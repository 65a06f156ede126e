"""Draw how a person is photographed: pose, expression, light, camera and what is in front."""

from dataclasses import dataclass, replace

import numpy as np

from faceswap.synthetic.camera import Camera
from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.identity import Colour, Identity
from faceswap.synthetic.in_front import Thing
from faceswap.synthetic.random_people import Person
from faceswap.synthetic.scene import Light


@dataclass(frozen=True)
class Shot:
    """How one picture is taken. identity: the person as worn on that day. place: of the thing in
    front, in centimetres. jpeg: quality of the compression, 0 for none."""

    identity: Identity
    pose: Pose
    expression: Expression
    light: Light
    camera: Camera
    thing: Thing
    place: tuple[float, float, float]
    jpeg: int


def random_shot(person: Person, rng: np.random.Generator) -> Shot:
    """A random picture of ``person``."""
    identity = _on_that_day(person.identity, rng)
    pose = random_pose(rng)
    light = random_light(rng)
    thing, place = _thing(rng)
    camera, jpeg = random_camera(rng, light, identity.skin.tone)
    return Shot(identity, pose, random_expression(rng), light, camera, thing, place, jpeg)


def _on_that_day(identity: Identity, rng: np.random.Generator) -> Identity:
    """Glasses put off at times, hair tied or lying a little differently, other clothes."""
    wear = identity.wear
    if rng.random() < 0.25:
        wear = replace(wear, glasses="none")
    if rng.random() < 0.3:
        wear = replace(wear, headwear="none")
    cut = identity.hairs.cut
    if cut.side > 16 and rng.random() < 0.15:
        cut = replace(
            cut, tied="bun" if rng.random() < 0.5 else "tail", weight=0.0, wave=0.03, volume=0.45,
            lift=0.03, forward=cut.forward * float(rng.random() < 0.3), sweep=(0.0, 0.0, -1.0),
        )  # fmt: skip
    cut = replace(
        cut,
        volume=cut.volume * float(np.exp(rng.normal(0, 0.12))),
        sweep=(cut.sweep[0] + float(rng.normal(0, 0.12)), cut.sweep[1], cut.sweep[2]),
        tucked=cut.tucked if rng.random() < 0.8 else cut.side > 10 and not cut.tucked,
    )
    clothes = identity.clothes
    if rng.random() < 0.6:
        red, green, blue = np.clip(np.exp(rng.normal(-1.8, 1.0)) * np.exp(rng.normal(0, 0.3, 3)),
                                   0.01, 0.8).tolist()  # fmt: skip
        clothes = (red, green, blue)
    hairs = replace(identity.hairs, hairdo=cut)
    return replace(identity, hairs=hairs, wear=wear, clothes=clothes)


def random_pose(rng: np.random.Generator) -> Pose:
    """Mostly towards the camera, at times turned far."""
    kind = rng.random()
    if kind < 0.55:
        yaw = float(rng.normal(0, 10))
    elif kind < 0.9:
        yaw = float(np.clip(rng.normal(0, 28), -65, 65))
    else:
        yaw = float(rng.uniform(-70, 70))
    pitch = float(np.clip(rng.normal(-1, 8), -26, 24))
    shift = rng.normal(0, [0.6, 0.4, 0.5])
    return Pose(yaw, pitch, float(np.clip(rng.normal(0, 6), -25, 25)),
                (float(shift[0]), float(shift[1]), float(shift[2])))  # fmt: skip


def random_expression(rng: np.random.Generator) -> Expression:
    """Neutral, smiling, talking, or anything; lids and gaze on their own."""
    kind = rng.random()
    lids = [rng.normal(-0.06, 0.07), rng.uniform(-0.3, 0.2), rng.uniform(0, 1), 1.0]
    lid = float(lids[int(rng.choice(4, p=[0.7, 0.16, 0.07, 0.07]))])
    wink = float(rng.uniform(0, 1)) if rng.random() < 0.05 else lid + float(rng.normal(0, 0.02))
    values = {
        "blink_left": float(np.clip(lid, -0.4, 1)),
        "blink_right": float(np.clip(wink, -0.4, 1)),
        "brow_raise": float(np.clip(rng.normal(0.05, 0.25), -0.5, 1)),
        "frown": float(np.clip(rng.normal(-0.1, 0.35), 0, 1)),
        "gaze_yaw": float(np.clip(rng.normal(0, 9), -28, 28)),
        "gaze_pitch": float(np.clip(rng.normal(0, 5), -18, 16)),
        "smile": float(np.clip(rng.normal(0.05, 0.2), -1, 1)),
    }
    if 0.35 < kind < 0.62:
        smile = float(rng.uniform(0.35, 1))
        values |= {
            "smile": smile, "squint": smile * float(rng.uniform(0.2, 0.9)),
            "upper_lip": float(rng.uniform(0, 0.75)), "jaw": float(rng.uniform(0, 0.3)),
        }  # fmt: skip
    elif kind > 0.62:
        wide = 1.0 if kind > 0.88 else 0.45
        values |= {
            "jaw": float(rng.uniform(0, wide)),
            "pucker": float(rng.uniform(0, 1) * (rng.random() < 0.25)),
            "lower_lip": float(rng.uniform(0, 0.6) * (rng.random() < 0.5)),
            "upper_lip": float(rng.uniform(0, 0.6) * (rng.random() < 0.5)),
            "squint": float(rng.uniform(0, 0.6) * (rng.random() < 0.4)),
            "smile": float(np.clip(rng.normal(0.1, 0.45), -1, 1)),
        }  # fmt: skip
    return Expression(**values)


def random_light(rng: np.random.Generator) -> Light:
    """A lamp or window from any side in front, with light from all around; at times coloured."""
    side = float(np.clip(rng.normal(0, 50), -115, 115))
    height = float(np.clip(rng.normal(32, 20), -15, 80))
    a, b = np.deg2rad(side), np.deg2rad(height)
    key = (float(np.sin(a) * np.cos(b)), float(np.sin(b)), float(np.cos(a) * np.cos(b)))
    warm = float(rng.normal(0.03, 0.14))
    tint = np.array([1 + warm, 1.0, 1 - warm])
    strength = float(rng.uniform(0.2, 2.4))
    room = np.exp(rng.normal(0, 0.06, 3)) * np.array([1 - 0.4 * warm, 1.0, 1 + 0.4 * warm])
    beside = float(rng.normal(0, 0.3))
    rim = float(rng.random() < 0.45) * float(rng.uniform(0.1, 1.1))
    rim_tint = np.exp(rng.normal(0, 0.15, 3))
    if rng.random() < 0.08:
        tint = np.exp(rng.normal(0, 0.5, 3))
        rim_tint = np.exp(rng.normal(0, 0.7, 3))
    sky, floor = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.2, 0.6))
    rim_way = rng.uniform([0.5, -0.1, -0.7], [1.0, 0.7, 0.3]) * [rng.choice([-1, 1]), 1, 1]

    def three(values: np.ndarray) -> tuple[float, float, float]:
        red, green, blue = np.maximum(values, 0).tolist()
        return red, green, blue

    return Light(
        key=key,
        key_colour=three(strength * tint),
        rim=(float(rim_way[0]), float(rim_way[1]), float(rim_way[2])),
        rim_colour=three(rim * rim_tint),
        sky=three(sky * room),
        ground=three(floor * room * np.exp(rng.normal(0, 0.1, 3))),
        left=three(max(0.0, 0.22 + beside) * room),
        right=three(max(0.0, 0.22 - beside) * room),
        soft=float(np.clip(np.exp(rng.normal(-0.1, 0.6)), 0.25, 2.6)),
    )  # fmt: skip


def random_camera(rng: np.random.Generator, light: Light, skin: Colour) -> tuple[Camera, int]:
    """A camera that exposes for ``light`` and a face of this ``skin``, more or less well, and its
    JPEG quality."""
    around = 0.5 * (light.sky[1] + light.ground[1] + light.left[1] + light.right[1])
    bright = around + 0.55 * light.key_colour[1] * max(0.25, light.key[2])
    exposure = 1.65 / bright * (0.38 / skin[1]) ** 0.3 * float(np.exp(rng.normal(0, 0.2)))
    key = np.array(light.key_colour) / max(light.key_colour[1], 1e-3)
    # White balance takes away a part of the lamp's colour.
    balance = key ** -float(rng.uniform(0.2, 0.9)) * np.exp(rng.normal(0, 0.03, 3))
    balance = balance / balance[1]
    part = rng.random()
    face = float(rng.uniform(0.4, 0.6))
    if part < 0.12:
        face = float(rng.uniform(0.6, 0.8))
    elif part < 0.2:
        face = float(rng.uniform(0.28, 0.4))
    view = 17.5 / face
    slack = 0.07 * view
    camera = Camera(
        distance=float(np.clip(np.exp(rng.normal(np.log(85), 0.42)), 38, 240)),
        view=view,
        centre=(float(rng.normal(0, slack)), float(-2.8 + rng.normal(0, slack))),
        noise=float(rng.uniform(0.2, 1.5)),
        softness=float(np.exp(rng.normal(np.log(0.0028), 0.45))),
        shot=float(np.clip(np.exp(rng.normal(0.1, 0.8)), 0.2, 9)),
        exposure=float(exposure),
        balance=(float(balance[0]), 1.0, float(balance[2])),
        contrast=float(np.clip(rng.normal(1.08, 0.12), 0.75, 1.4)),
        motion=(float(rng.uniform(0.004, 0.02) * (rng.random() < 0.1)), float(rng.uniform(0, 180))),
        vignette=float(max(0.0, rng.normal(0.05, 0.12))),
        lines=float(rng.uniform(0.35, 0.9)) if rng.random() < 0.25 else 1.0,
        sharpen=float(rng.uniform(0.2, 0.9)) if rng.random() < 0.3 else 0.0,
    )  # fmt: skip
    return camera, int(rng.integers(35, 96)) if rng.random() < 0.65 else 0


def _thing(rng: np.random.Generator) -> tuple[Thing, tuple[float, float, float]]:
    if rng.random() > 0.13:
        return "none", (0.0, 0.0, 0.0)
    things: list[Thing] = ["hand", "microphone", "cup", "telephone", "text"]
    kind = things[int(rng.choice(5, p=[0.4, 0.2, 0.15, 0.15, 0.1]))]
    side = float(rng.choice([-1, 1]))
    places = {
        "hand": (side * rng.uniform(0, 6.5), rng.uniform(-14, -6), rng.uniform(4.5, 7)),
        "microphone": (side * rng.uniform(0, 4), rng.uniform(-13, -9), rng.uniform(5, 9)),
        "cup": (side * rng.uniform(0, 3), rng.uniform(-8.5, -6), rng.uniform(6.5, 8)),
        "telephone": (side * rng.uniform(2.5, 7.5), rng.uniform(-9, 1), rng.uniform(5, 8)),
        "text": (0.0, 0.0, 0.0),
    }
    x, y, z = places[kind]
    return kind, (float(x), float(y), float(z))
