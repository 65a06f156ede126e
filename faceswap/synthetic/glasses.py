"""Glasses: rims, bridge, temples and lenses."""

from dataclasses import dataclass

import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.head_parts import Part, Piece, tube
from faceswap.synthetic.identity import Shape, Wear
from faceswap.synthetic.shading import GLOSSY
from faceswap.synthetic.uv import Array


@dataclass(frozen=True)
class _Model:
    """half: half width and height of a lens; corner: 2 is an ellipse, more is squarer."""

    half: tuple[float, float]
    corner: float
    drop: float = 0.0


_MODELS = {
    "round": _Model((2.25, 2.1), 2.0),
    "square": _Model((2.6, 1.75), 4.0),
    "narrow": _Model((2.55, 1.25), 3.2),
    "half": _Model((2.5, 1.5), 3.0),
    "sun": _Model((2.8, 2.15), 2.6, 0.25),
}


def glasses(wear: Wear, shape: Shape) -> tuple[list[Piece], list[Part]]:
    """The pieces of the glasses, and the clear lenses, which only reflect."""
    if wear.glasses == "none":
        return [], []
    model = _MODELS[wear.glasses]
    wide = 1 + 0.05 * shape.face_width
    pieces: list[Piece] = []
    lenses: list[Part] = []
    forward = 0.12 * shape.nose_bridge + 0.1 * shape.nose_size
    thin = wear.glasses_thickness
    for side in (1.0, -1.0):
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        rim = _rim(model, angle, side * wide, forward)
        drawn = rim if wear.glasses != "half" else rim[:21]
        part = tube(drawn, thin, 6, closed=wear.glasses != "half")
        pieces.append(_frame(part, wear))
        lens = _lens(rim)
        if wear.glasses == "sun":
            pieces.append(
                Piece(lens, GLOSSY, (0.012, 0.011, 0.012), int(Label.GLASSES), two_sided=True)
            )
        else:
            lenses.append(lens)
        outer = rim[3] if side > 0 else rim[17]
        hinge = np.array([side * 6.5 * wide, outer[1], outer[2] - 0.9])
        end = np.array([side * 7.55 * wide, 0.1, -8.3])
        middle = (hinge + end) / 2 + [side * 0.35, 0.15, 0]
        pieces.append(_frame(tube(np.stack([outer, hinge, middle, end]), thin * 0.85, 6), wear))
    a, b = (_rim(model, np.array([at]), s * wide, forward)[0] for at, s in ((2.6, 1), (0.54, -1)))
    top = (a + b) / 2 + [0, 0.25, 0.35]
    pieces.append(_frame(tube(np.stack([a, top, b]), thin, 6), wear))
    return pieces, lenses


def _frame(part: Part, wear: Wear) -> Piece:
    return Piece(part, GLOSSY, wear.glasses_colour, int(Label.GLASSES))


def _rim(model: _Model, angle: Array, side: float, forward: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    power = 2 / model.corner
    x = 3.25 * side + model.half[0] * np.sign(c) * np.abs(c) ** power
    y = -0.35 - model.drop + model.half[1] * np.sign(s) * np.abs(s) ** power
    return np.stack([x, y, 2.35 + forward - 0.03 * x * x + 0.05 * y], -1)


def _lens(rim: Array) -> Part:
    count = len(rim)
    middle = rim.mean(0) + np.array([0, 0, 0.15])
    points = np.concatenate([rim, middle[None]])
    index = np.arange(count)
    faces = np.stack([index, np.roll(index, -1), np.full(count, count)], -1).astype(np.int32)
    return Part(points, faces, np.full((count + 1, 2), 0.5))
