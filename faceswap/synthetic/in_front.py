"""Things before a face: hands, microphones, cups and telephones."""

from typing import Literal

import numpy as np

from faceswap.faces.labels import Label
from faceswap.synthetic.head_parts import Part, Piece, ellipsoid, grid_faces, tube
from faceswap.synthetic.identity import Colour
from faceswap.synthetic.shading import GLOSSY, PLAIN, SKIN
from faceswap.synthetic.uv import Array

Thing = Literal["none", "hand", "microphone", "cup", "telephone", "text"]
_LABEL = int(Label.IN_FRONT)


def thing_pieces(
    kind: Thing, at: tuple[float, float, float], skin: Colour, sleeve: Colour,
    rng: np.random.Generator,
) -> list[Piece]:  # fmt: skip
    """Pieces of ``kind`` at the point ``at``, in centimetres; ``text`` has none."""
    if kind == "hand":
        turn = float(rng.normal(0, 0.5)) + (0.5 if at[0] > 0 else -0.5)
        return hand(at, turn, float(rng.choice([-1, 1])), skin, sleeve, rng)
    if kind == "microphone":
        return _microphone(at, rng)
    if kind == "cup":
        return _cup(at, skin, sleeve, rng)
    if kind == "telephone":
        return _telephone(at, skin, sleeve, rng)
    return []


def hand(
    at: tuple[float, float, float], turn: float, side: float, skin: Colour, sleeve: Colour,
    rng: np.random.Generator, curl: float | None = None,
) -> list[Piece]:  # fmt: skip
    """A hand whose palm is at ``at``; turn: radians clockwise; side: 1 right, -1 left."""
    bend = float(rng.uniform(0.0, 0.5)) if curl is None else curl
    spread = float(rng.uniform(0.02, 0.2))
    size = float(rng.uniform(0.82, 1.0))
    back = float(rng.choice([-1.0, 1.0]))
    parts: list[tuple[Part, Colour]] = []
    parts.append((ellipsoid(np.array([0, -1.0, 0]), np.diag([3.9, 4.6, 1.35])), skin))
    for number, (x, reach) in enumerate(((-2.9, 6.6), (-1.0, 7.7), (0.95, 7.2), (2.75, 5.6))):
        lean = (number - 1.5) * spread
        course = [np.array([x, 1.2, 0.0])]
        angle = 0.0
        for joint, share in enumerate((0.0, 0.45, 0.3, 0.2, 0.05)):
            angle += bend * (0.0, 0.5, 1.0, 0.8, 0.2)[joint]
            way = np.array([np.sin(lean), np.cos(lean) * np.cos(angle), -back * np.sin(angle)])
            course.append(course[-1] + way * reach * (share if joint else 0.12))
        thick = np.array([0.95, 0.92, 0.86, 0.78, 0.66, 0.3])
        parts.append((tube(np.stack(course), thick, 10), skin))
        tip = course[-2] + np.array([0, 0, back * 0.5])
        nail = (min(1.0, skin[0] * 1.15), skin[1] * 0.95, skin[2] * 0.95)
        parts.append((ellipsoid(tip, np.diag([0.42, 0.6, 0.22 * back]), 6, 10), nail))
    thumb = np.array([[3.0, -2.6, 0], [4.4, -0.6, 0.4], [5.1, 1.4, 0.5], [5.3, 2.6, 0.5]])
    parts.append((tube(thumb * [-side, 1, -back], np.array([1.35, 1.15, 0.98, 0.5]), 10), skin))
    arm = np.array([[0, -3.5, 0], [0, -7, -0.3], [0.4, -12, -0.8]])
    parts.append((tube(arm, np.array([2.9, 2.5, 3.0]), 14), skin))
    cuff = np.array([[0.3, -10.5, -0.7], [0.6, -16, -1.2], [1.0, -40, -3]])
    pieces = []
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) * size
    for part, colour in parts:
        wrinkled = part.points * (1 + 0.012 * np.sin(part.points[:, 1:2] * 5))
        moved = Part(wrinkled @ rotation + np.array(at), part.faces, part.uv)
        pieces.append(Piece(moved, SKIN, colour, _LABEL, fixed=True))
    part = tube(cuff, np.array([3.4, 3.9, 5.0]), 14)
    moved = Part(part.points @ rotation + np.array(at), part.faces, part.uv)
    return [*pieces, Piece(moved, PLAIN, sleeve, _LABEL, fixed=True)]


def _microphone(at: tuple[float, float, float], rng: np.random.Generator) -> list[Piece]:
    radius = float(rng.uniform(1.8, 3.4))
    lean = float(rng.normal(0, 0.35))
    tone = float(rng.choice([0.015, 0.02, 0.25]))
    ball = ellipsoid(np.array(at), np.diag([radius, radius * 1.1, radius]))
    way = np.array([np.sin(lean), -np.cos(lean), 0.25])
    course = np.array(at) + np.outer([0.8 * radius, 8, 30], way)
    stick = tube(course, np.array([0.6, 0.5, 0.55]) * radius, 14)
    colour = (tone, tone, tone * 1.05)
    if rng.random() < 0.3:
        colour = (float(rng.uniform(0.02, 0.5)), float(rng.uniform(0.02, 0.3)), 0.05)
    return [
        Piece(ball, PLAIN, colour, _LABEL, fixed=True),
        Piece(stick, GLOSSY, (0.02, 0.02, 0.022), _LABEL, fixed=True),
    ]


def _cup(
    at: tuple[float, float, float], skin: Colour, sleeve: Colour, rng: np.random.Generator
) -> list[Piece]:
    height, top = float(rng.uniform(7.5, 11)), float(rng.uniform(3.4, 4.4))
    course = np.array(at) + np.outer(np.linspace(0, -height, 6), [0, 1.0, 0])
    paint = tuple(float(x) for x in rng.uniform(0.05, 0.7, 3))
    cup = tube(course, np.linspace(top, top * rng.uniform(0.7, 1.0), 6), 24)
    low = (at[0], at[1] - height * 0.75, at[2] + 2.2)
    return [
        Piece(cup, GLOSSY, paint, _LABEL, fixed=True),  # type: ignore[arg-type]
        *hand(low, float(rng.normal(1.1, 0.3)), -1.0, skin, sleeve, rng, curl=0.9),
    ]


def _telephone(
    at: tuple[float, float, float], skin: Colour, sleeve: Colour, rng: np.random.Generator
) -> list[Piece]:
    lean = float(rng.normal(0, 0.3))
    box = _box(np.array([3.6, 7.3, 0.42]))
    c, s = np.cos(lean), np.sin(lean)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    body = Part(box.points @ turn + np.array(at), box.faces, box.uv)
    tone = tuple(float(x) for x in rng.choice([0.012, 0.03, 0.4]) * rng.uniform(0.7, 1.3, 3))
    lens = ellipsoid(np.array([-2.2, 5.6, 0.5]) @ turn + np.array(at), np.diag([0.6, 0.6, 0.2]))
    low = (at[0], at[1] - 6.0, at[2] + 1.2)
    return [
        Piece(body, GLOSSY, tone, _LABEL, fixed=True),  # type: ignore[arg-type]
        Piece(lens, GLOSSY, (0.005, 0.005, 0.008), _LABEL, fixed=True),
        *hand(low, lean + float(rng.normal(0, 0.3)), 1.0, skin, sleeve, rng, curl=0.6),
    ]


def _box(half: Array) -> Part:
    """A box with rounded edges: a superellipsoid."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, 17), np.linspace(0, 2 * np.pi, 41), indexing="ij"
    )

    def power(x: Array) -> Array:
        return np.asarray(np.sign(x) * np.abs(x) ** 0.25)

    points = np.stack(
        [
            power(np.sin(theta)) * power(np.cos(phi)),
            power(np.sin(theta)) * power(np.sin(phi)),
            power(np.cos(theta)),
        ],
        -1,
    )
    return Part((points * half).reshape(-1, 3), grid_faces(17, 41), np.full((17 * 41, 2), 0.5))
