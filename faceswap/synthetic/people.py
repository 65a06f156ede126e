"""Rendered people: pictures with exact masks, points and attributes, as many as are wanted.

    for person in rendered_people(seed=1, size=128, count=1000):
        person.image, person.labels, person.points, person.attributes

A picture depends on nothing but seed, number, variation and size: any process can render any of
them, in any order.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count as count_from

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.labels import Label
from faceswap.synthetic.backgrounds import background
from faceswap.synthetic.camera import compressed
from faceswap.synthetic.head_mesh import HeadMesh
from faceswap.synthetic.in_front import thing_pieces
from faceswap.synthetic.motion import MotionFrame, talk
from faceswap.synthetic.people_attributes import Value, attributes_of
from faceswap.synthetic.random_people import Person, random_person
from faceswap.synthetic.random_pictures import Shot, random_shot
from faceswap.synthetic.scene import Frame, Scene, average_occlusion
from faceswap.types import Points, UInt8Image

_WORDS = ("LIVE", "NEWS", "INTERVIEW", "BREAKING", "CHANNEL 7", "EXPERT", "WEATHER", "SPORT 24")


@dataclass(frozen=True)
class RenderedPerson:
    """A picture of a rendered person. image (S, S, 3); labels (S, S), see ``Label``; points
    (81, 2): iBUG's 68, then the forehead's 13, in pixels; visible (81,); number: of the person,
    variation: of its picture; attributes by name, see ``ATTRIBUTES``."""

    image: UInt8Image
    labels: UInt8Image
    points: Points
    visible: NDArray[np.bool_]
    number: int
    variation: int
    attributes: Mapping[str, Value]


def rendered_people(
    seed: int,
    size: int,
    count: int | None = None,
    variations: int = 1,
    start: int = 0,
    step: int = 1,
) -> Iterator[RenderedPerson]:
    """Render ``count`` pictures, endlessly for None: ``variations`` of each person in a row.

    Picture n is of person n // variations. start, step: worker i of k takes start=i, step=k, and
    all of them together render what one would.
    """
    numbers = count_from(start, step) if count is None else iter(range(start, count, step))
    for number in numbers:
        yield render_person(seed, number // variations, size, number % variations)


def render_person(seed: int, number: int, size: int, variation: int = 0) -> RenderedPerson:
    """Picture ``variation`` of person ``number``: another day, light, pose and expression each."""
    person = random_person(seed, number)
    return _rendered(Photographer(person, seed, number, variation, size), None)


def render_clip(seed: int, number: int, size: int, frames: int) -> Iterator[RenderedPerson]:
    """``frames`` consecutive pictures, 12.5 a second, of person ``number`` talking."""
    person = random_person(seed, number)
    photographer = Photographer(person, seed, number, 0, size)
    for moment in talk(int(photographer.rng.integers(1 << 30)), frames, 12.5):
        yield _rendered(photographer, moment)


class Photographer:
    """Takes the pictures of one shot; each is deterministic by its number.

    change: what is done to the drawn shot first; behind: draws the background of a size (H, W).
    """

    def __init__(
        self,
        person: Person,
        seed: int,
        number: int,
        variation: int,
        size: int,
        change: Callable[[Shot], Shot] | None = None,
        behind: Callable[[tuple[int, int], np.random.Generator], NDArray[np.float32]] = background,
    ) -> None:
        self.rng = np.random.default_rng((seed, number, variation, 403))
        self.person, self.number, self.variation, self.size = person, number, variation, size
        drawn = random_shot(person, self.rng)
        self.shot: Shot = change(drawn) if change else drawn
        shot, identity = self.shot, self.shot.identity
        pieces = thing_pieces(
            shot.thing, shot.place, identity.skin.tone, identity.clothes, self.rng
        )
        texels, strands = detail_of(size, shot.camera.view)
        self.figure = HeadMesh(identity, texels, strands, pieces)
        self.figure.set_ambient_occlusion(average_occlusion())
        room = behind((size, size), self.rng)
        self.scene = Scene(
            (size, size), shot.light, shot.camera, room, int(self.rng.integers(1 << 30))
        )
        self.text_seed = int(self.rng.integers(1 << 30))
        self.taken = 0

    def take(self, moment: MotionFrame | None) -> Frame:
        """The next picture, at ``moment`` or as the shot says."""
        pose = moment.pose if moment else self.shot.pose
        expression = moment.expression if moment else self.shot.expression
        frame = self.scene.frame(self.figure, pose, expression, self.taken)
        self.taken += 1
        if self.shot.thing == "text":
            frame = _with_text(frame, self.text_seed)
        if self.shot.jpeg:
            picture = compressed(frame.picture, self.shot.jpeg)
            frame = Frame(picture, frame.points, frame.forehead, frame.visible, frame.labels)
        return frame


def detail_of(size: int, view: float) -> tuple[float, int]:
    """Texels per centimetre and number of hairs for a picture of ``size`` pixels that shows
    ``view`` centimetres."""
    # Supersampling doubles the pixels; coarser steps let the painter keep its grounds.
    wanted = 1.3 * size / view
    texels = next((t for t in (8.0, 12.0, 16.0, 24.0) if t >= wanted), 24.0)
    return texels, int(np.clip(1500 + 14 * size * 30 / view, 1800, 9000))


def _rendered(photographer: Photographer, moment: MotionFrame | None) -> RenderedPerson:
    frame = photographer.take(moment)
    points = np.concatenate([frame.points, frame.forehead]).astype(np.float32)
    shot = photographer.shot
    pose = moment.pose if moment else shot.pose
    expression = moment.expression if moment else shot.expression
    attributes = attributes_of(photographer.person, shot, pose, expression, frame)
    return RenderedPerson(
        frame.picture, frame.labels, points, frame.visible,
        photographer.number, photographer.variation, attributes,
    )  # fmt: skip


def _with_text(frame: Frame, seed: int) -> Frame:
    """A bar of text across the lower part of the face or below it."""
    rng = np.random.default_rng(seed)
    picture, labels = frame.picture.copy(), frame.labels.copy()
    height, width = labels.shape
    chin, nose = float(frame.points[8, 1]), float(frame.points[33, 1])
    top = round(float(rng.uniform(nose + 0.2 * (chin - nose), chin + 0.1 * height)))
    tall = max(8, round(height * float(rng.uniform(0.08, 0.16))))
    left = round(width * float(rng.choice([0.0, 0.0, rng.uniform(0, 0.3)])))
    right = round(width * float(rng.choice([1.0, 1.0, rng.uniform(0.7, 1)])))
    low = min(height, top + tall)
    if top >= height:
        return frame
    colour = rng.integers(0, 256, 3)
    picture[top:low, left:right] = colour
    words = " ".join(str(rng.choice(_WORDS)) for _ in range(3))
    ink = (255, 255, 255) if colour.mean() < 128 else (10, 10, 10)
    place = (left + 4, top + round(tall * 0.72))
    cv2.putText(
        picture[:low], words, place, cv2.FONT_HERSHEY_DUPLEX, tall / 38, ink, 1, cv2.LINE_AA
    )
    labels[top:low, left:right] = int(Label.IN_FRONT)
    points = np.concatenate([frame.points, frame.forehead])
    hidden = (points[:, 1] > top) & (points[:, 1] < low)
    hidden &= (points[:, 0] >= left) & (points[:, 0] < right)
    return Frame(picture, frame.points, frame.forehead, frame.visible & ~hidden, labels)
