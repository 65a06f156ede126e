"""The attributes of a rendered picture, as one row of numbers and words."""

from collections.abc import Mapping

import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.identity import Hairdo, Shape
from faceswap.synthetic.random_people import Person
from faceswap.synthetic.random_pictures import Shot
from faceswap.synthetic.scene import Frame

Value = str | int | float

ATTRIBUTES: Mapping[str, str] = {
    "age": "apparent age in years",
    "build": "-1 feminine to 1 masculine",
    "skin_r": "red of the skin's albedo, linear, 0 to 1",
    "skin_g": "green of the same",
    "skin_b": "blue of the same",
    "wrinkles": "0 to 1.1",
    "freckles": "0 to 1",
    "redness": "0 to 1",
    "moles": "number of moles",
    "face_shape": "round, square, long, heart or oval",
    "hair_style": "name of the style it was drawn from",
    "hair_length": "bald, cropped, short, medium or long",
    "hair_color": "name of the color",
    "hair_gray": "share of gray hairs",
    "hair_wave": "straight, wavy or curly",
    "hair_tied": "no, bun or tail",
    "fringe": "1 if hair is combed over the forehead",
    "over_temples": "share of the points at temples and upper cheeks that hair hides",
    "brow_thickness": "0 is average",
    "beard": "none, stubble, moustache, goatee or full",
    "beard_length": "centimetres, 0 without one",
    "glasses": "none, round, square, narrow, half or sun",
    "headwear": "none, beanie, cap, headband or scarf",
    "lipstick": "0 to 1",
    "eyeshadow": "0 to 1",
    "lip_thickness": "0 is average",
    "eye_width": "0 is average",
    "smile": "-1 to 1",
    "jaw": "opening of the mouth, 0 to 1",
    "teeth": "share of the picture's pixels that show the inside of the mouth",
    "lid_left": "-0.4 wide open, 0 open, 1 shut",
    "lid_right": "the same",
    "gaze_yaw": "degrees to the picture's right, in the head",
    "gaze_pitch": "degrees up, in the head",
    "yaw": "degrees to the picture's right",
    "pitch": "degrees up",
    "roll": "degrees clockwise in the picture",
    "light_side": "degrees, from the camera to the picture's right",
    "light_height": "degrees over the horizon",
    "light_hardness": "0 soft to 1 hard",
    "light_share": "share of the light that comes from the lamp",
    "light_r": "red of the lamp over its green",
    "light_b": "blue of the lamp over its green",
    "in_front": "none, hand, microphone, cup, telephone or text",
    "distance": "of the camera, centimetres",
    "view": "height of the picture at the head, centimetres",
    "exposure": "1 is right for the light and skin of medium tone",
    "noise": "of the sensor, in 8-bit steps",
    "sharpness": "0 blurred to 1 sharp",
    "jpeg": "quality, 0 for none",
}
"""Name and meaning of each attribute."""

_SIDES = (0, 1, 2, 14, 15, 16, 17, 26, 68, 69, 79, 80)


def attributes_of(
    person: Person, shot: Shot, pose: Pose, expression: Expression, frame: Frame
) -> dict[str, Value]:
    """The row of a picture, with the keys of ``ATTRIBUTES``."""
    identity = shot.identity
    skin, hairs, shape, wear, cut = (
        identity.skin, identity.hairs, identity.shape, identity.wear, identity.hairs.cut,
    )  # fmt: skip
    light, camera = shot.light, shot.camera
    lamp = light.key_colour[1]
    around = 0.5 * (light.sky[1] + light.ground[1] + light.left[1] + light.right[1])
    x, y, z = light.key
    values: dict[str, Value] = {
        "age": person.age,
        "build": person.build,
        "skin_r": skin.tone[0],
        "skin_g": skin.tone[1],
        "skin_b": skin.tone[2],
        "wrinkles": skin.wrinkles,
        "freckles": skin.freckles,
        "redness": skin.redness,
        "moles": skin.moles,
        "face_shape": face_shape(shape),
        "hair_style": person.style,
        "hair_length": hair_length(cut),
        "hair_color": person.hair_colour,
        "hair_gray": hairs.grey,
        "hair_wave": "curly" if cut.wave > 0.28 else "wavy" if cut.wave > 0.15 else "straight",
        "hair_tied": cut.tied,
        "fringe": int(cut.forward > 0.5 and cut.fringe > 2),
        "over_temples": _over_temples(frame),
        "brow_thickness": hairs.brow_thickness,
        "beard": hairs.beard,
        "beard_length": hairs.beard_length if hairs.beard not in ("none", "stubble") else 0.0,
        "glasses": wear.glasses,
        "headwear": wear.headwear,
        "lipstick": skin.lipstick,
        "eyeshadow": skin.eyeshadow,
        "lip_thickness": (shape.upper_lip + shape.lower_lip) / 2,
        "eye_width": shape.eye_size,
        "smile": expression.smile,
        "jaw": expression.jaw,
        "teeth": float((frame.labels == Label.MOUTH).mean()),
        "lid_left": expression.blink_left,
        "lid_right": expression.blink_right,
        "gaze_yaw": expression.gaze_yaw,
        "gaze_pitch": expression.gaze_pitch,
        "yaw": pose.yaw,
        "pitch": pose.pitch,
        "roll": pose.roll,
        "light_side": float(np.degrees(np.arctan2(x, z))),
        "light_height": float(np.degrees(np.arctan2(y, np.hypot(x, z)))),
        "light_hardness": float(np.clip(1.2 - light.soft / 2, 0, 1)),
        "light_share": lamp / max(lamp + around, 1e-6),
        "light_r": light.key_colour[0] / max(lamp, 1e-6),
        "light_b": light.key_colour[2] / max(lamp, 1e-6),
        "in_front": shot.thing,
        "distance": camera.distance,
        "view": camera.view,
        "exposure": camera.exposure * (around + 0.55 * lamp * max(0.25, z)) / 1.65,
        "noise": camera.noise + camera.shot * 0.6,
        "sharpness": float(np.clip(1 - camera.softness * 90, 0, 1)) * camera.lines,
        "jpeg": shot.jpeg,
    }
    return {name: round(v, 4) if isinstance(v, float) else v for name, v in values.items()}


def face_shape(shape: Shape) -> str:
    """The common word for the face's outline."""
    long = shape.chin_length - 0.6 * shape.face_width
    if long > 0.9:
        return "long"
    if shape.jaw_width + shape.chin_width > 1.0:
        return "square"
    if shape.jaw_width + shape.chin_width < -1.0:
        return "heart"
    if shape.cheek_fullness + shape.face_width > 0.8:
        return "round"
    return "oval"


def hair_length(cut: Hairdo) -> str:
    """The common word for the hair's length."""
    if cut.crown > 0.85:
        return "bald"
    longest = max(cut.top, cut.side)
    steps = ((1.2, "cropped"), (7.5, "short"), (19.0, "medium"))
    return next((name for limit, name in steps if longest < limit), "long")


def _over_temples(frame: Frame) -> float:
    points = np.concatenate([frame.points, frame.forehead])[list(_SIDES)]
    size = frame.labels.shape[0]
    place = np.round(points).astype(int)
    inside = ((place >= 0) & (place < size)).all(1)
    place = np.clip(place, 0, size - 1)
    hair = frame.labels[place[:, 1], place[:, 0]] == Label.HAIR
    return float((hair & inside).mean())
