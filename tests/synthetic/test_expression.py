"""Expressions of rendered heads."""

from faceswap.synthetic.characters import CHARACTERS
from faceswap.synthetic.expression import Rig
from faceswap.synthetic.face_shape import shape_head
from faceswap.synthetic.template_mesh import template_mesh


def test_the_middle_of_a_face_is_on_neither_side_of_an_eye() -> None:
    person = next(iter(CHARACTERS.values()))
    rig = Rig(shape_head(person.shape, person.seed))
    middle = template_mesh().rest[:, 0] == 0
    assert middle.any()
    assert not rig._gap[middle].any()
