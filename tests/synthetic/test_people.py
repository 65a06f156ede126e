"""Rendered people: masks, points and attributes that agree with the pictures, and that repeat."""

from dataclasses import replace

import numpy as np
import pytest

from faceswap.faces.labels import DEFINITIONS, PALETTE, Label
from faceswap.synthetic.camera import Camera, developed, labels_of
from faceswap.synthetic.expression import EXPRESSIONS, Expression
from faceswap.synthetic.hair import hairline, scalp
from faceswap.synthetic.head_distance import distance_at, head_distance
from faceswap.synthetic.head_mesh import HeadMesh, Pose
from faceswap.synthetic.head_parts import ellipsoid, tube
from faceswap.synthetic.identity import HAIRDOS, Hairs, Identity, Shape, Skin, Wear
from faceswap.synthetic.in_front import thing_pieces
from faceswap.synthetic.people import RenderedPerson, render_clip, render_person, rendered_people
from faceswap.synthetic.people_attributes import ATTRIBUTES, face_shape, hair_length
from faceswap.synthetic.random_people import STYLES, random_person
from faceswap.synthetic.random_pictures import random_shot
from faceswap.synthetic.rasteriser import F32
from faceswap.synthetic.scene import Frame, Scene, average_occlusion
from faceswap.synthetic.shading import blank
from faceswap.synthetic.strand_drawing import draw_strands

PLAIN = Identity("plain", 5, Shape(), Skin(), Hairs(style="cropped"))


def picture(person: Identity, pose: Pose | None = None, face: str = "neutral") -> Frame:
    """``person`` in 96 pixels."""
    figure = HeadMesh(person, texels=8, strands=1500)
    figure.set_ambient_occlusion(average_occlusion())
    return Scene((96, 96)).frame(figure, pose or Pose(), EXPRESSIONS[face])


@pytest.fixture(scope="module")
def people() -> list[RenderedPerson]:
    return list(rendered_people(seed=9, size=64, count=6))


def test_every_picture_has_a_face_labels_points_and_attributes(
    people: list[RenderedPerson],
) -> None:
    for person in people:
        assert person.image.shape == (64, 64, 3)
        assert person.labels.shape == (64, 64)
        assert set(np.unique(person.labels)) <= {int(label) for label in Label}
        assert person.points.shape == (81, 2)
        assert person.visible.shape == (81,)
        assert list(person.attributes) == list(ATTRIBUTES)
        assert (person.labels == Label.SKIN).mean() > 0.02
        assert person.image.std() > 8


def test_people_differ_and_repeat(people: list[RenderedPerson]) -> None:
    again = render_person(9, 3, 64)
    assert np.array_equal(again.image, people[3].image)
    assert np.array_equal(again.labels, people[3].labels)
    assert np.array_equal(again.points, people[3].points)
    assert again.attributes == people[3].attributes
    assert len({person.image.tobytes() for person in people}) == len(people)
    assert len({person.attributes["skin_r"] for person in people}) == len(people)


def test_workers_together_render_what_one_does(people: list[RenderedPerson]) -> None:
    second = list(rendered_people(seed=9, size=64, count=6, start=1, step=3))
    assert [person.number for person in second] == [1, 4]
    for person in second:
        assert np.array_equal(person.image, people[person.number].image)


def test_variations_show_the_same_person_differently() -> None:
    one, two, other = rendered_people(seed=4, size=64, count=3, variations=2)
    assert (one.number, two.number, other.number) == (0, 0, 1)
    assert (one.variation, two.variation) == (0, 1)
    for name in ("age", "skin_r", "wrinkles", "face_shape", "hair_color", "beard"):
        assert one.attributes[name] == two.attributes[name]
    assert one.attributes["yaw"] != two.attributes["yaw"]
    assert one.attributes["light_side"] != two.attributes["light_side"]
    assert one.attributes["age"] != other.attributes["age"]


def test_a_clip_moves_one_person_before_one_background() -> None:
    first, second = render_clip(2, 1, 64, 2)
    assert first.attributes["skin_r"] == second.attributes["skin_r"]
    moved = float(np.abs(first.points - second.points).mean())
    assert 0.01 < moved < 4
    behind = (first.labels == Label.BACKGROUND) & (second.labels == Label.BACKGROUND)
    change = np.abs(first.image.astype(int) - second.image)[behind]
    assert np.median(change) < 12


def test_labels_are_where_the_points_are() -> None:
    frame = picture(PLAIN)

    def label(*points: int) -> int:
        x, y = np.round(frame.points[list(points)].mean(0)).astype(int)
        return int(frame.labels[y, x])

    assert label(30) == Label.SKIN
    assert label(37, 38, 40, 41) == Label.EYES
    assert label(51, 62) == Label.LIPS
    assert label(57, 66) == Label.LIPS
    assert label(19) == Label.BROWS
    assert frame.labels[3, 3] == Label.BACKGROUND
    assert frame.labels[94, 16] == Label.CLOTH
    assert (frame.labels[:40] == Label.HAIR).any()
    wide = picture(PLAIN, face="open")
    x, y = np.round(wide.points[[62, 66]].mean(0)).astype(int)
    assert wide.labels[y, x] == Label.MOUTH


@pytest.mark.parametrize(
    ("wear", "label", "low", "high"),
    [
        (Wear(glasses="square"), Label.GLASSES, 0.004, 0.06),
        (Wear(glasses="sun"), Label.GLASSES, 0.015, 0.12),
        (Wear(headwear="beanie"), Label.CLOTH, 0.12, 0.5),
        (Wear(headwear="cap"), Label.CLOTH, 0.12, 0.5),
        (Wear(headwear="headband"), Label.CLOTH, 0.06, 0.4),
        (Wear(headwear="scarf"), Label.CLOTH, 0.2, 0.7),
    ],
)
def test_what_is_worn_is_labelled(wear: Wear, label: Label, low: float, high: float) -> None:
    share = (picture(replace(PLAIN, wear=wear)).labels == label).mean()
    assert low < share < high


def test_hairdos_hide_what_they_should() -> None:
    share = {}
    for style in ("bald", "cropped", "long"):
        frame = picture(replace(PLAIN, hairs=Hairs(style=style)))
        share[style] = float((frame.labels == Label.HAIR).mean())
    assert share["bald"] < share["cropped"] < share["long"]
    fringed = Hairs(hairdo=STYLES["bob"])
    hidden = picture(replace(PLAIN, hairs=fringed)).visible[68:]
    assert hidden.sum() < picture(PLAIN).visible[68:].sum()
    bearded = picture(replace(PLAIN, hairs=Hairs(style="cropped", beard="full")))
    assert (bearded.labels == Label.BEARD).mean() > 0.02


@pytest.mark.parametrize("thing", ["hand", "microphone", "cup", "telephone"])
def test_things_in_front_hide_the_face(thing: str) -> None:
    rng = np.random.default_rng(3)
    pieces = thing_pieces(thing, (0.0, -6.0, 7.0), (0.5, 0.3, 0.2), (0.1, 0.1, 0.3), rng)  # type: ignore[arg-type]
    figure = HeadMesh(PLAIN, texels=8, strands=1500, pieces=pieces)
    frame = Scene((96, 96)).frame(figure, Pose(), Expression())
    assert (frame.labels == Label.IN_FRONT).mean() > 0.02
    assert not frame.visible[[57, 66]].any()


def test_the_hairline_recedes_and_the_crown_goes_bald() -> None:
    s, v = np.array([0.0, 4.3, 9.0]), np.array([8.0, 8.0, 8.0])
    full, bare = HAIRDOS["short"], HAIRDOS["bald"]
    assert hairline(replace(full, recession=2.0), s)[1] > hairline(full, s)[1] + 1
    assert scalp(full, s, v).min() > 0.9
    assert scalp(bare, s, v)[0] < 0.05


def test_hair_stays_outside_of_the_head() -> None:
    figure = HeadMesh(replace(PLAIN, hairs=Hairs(style="long")), texels=8, strands=400)
    strands = next(one for one in figure._hairs if one.label == Label.HAIR)
    grid = head_distance()
    away = [distance_at(grid, *map(float, p))[0] for p in strands.points[::10, 2:].reshape(-1, 3)]
    assert np.quantile(away, 0.05) > -0.3


def test_strands_are_drawn_with_depth_and_label() -> None:
    shaded, depth = blank(8, 8), np.full((8, 8), 5.0, np.float32)
    depth[:, 6:] = 1.0
    line = np.array([[[0, 3, 2], [8, 3, 2]]], np.float32)
    colours: F32 = np.full((1, 2, 3), 0.5, np.float32)
    draw_strands(line, colours, np.float32(1), np.float32(1), int(Label.HAIR), depth, shaded)
    assert (shaded.label[3, :6] == Label.HAIR).all()
    assert (shaded.label[3, 6:] == 0).all()
    assert (shaded.label[[2, 4]] == 0).all()
    assert depth[3, 2] == pytest.approx(2)
    assert (labels_of(shaded, 2)[1] == 0).all()


def test_meshes_of_parts_are_closed_and_face_outward() -> None:
    ball = ellipsoid(np.array([1.0, 2, 3]), np.diag([1.0, 2, 3]))
    rod = tube(np.array([[0.0, 0, 0], [0, 1, 0], [0, 2, 0]]), 0.5)
    for part, centre in ((ball, [1.0, 2, 3]), (rod, [0.0, 1, 0])):
        a, b, c = (part.points[part.faces[:, k]] for k in range(3))
        normal = np.cross(b - a, c - a)
        outward = (normal * ((a + b + c) / 3 - centre)).sum(1)
        assert (outward[np.linalg.norm(normal, axis=1) > 1e-9] > 0).all()


def test_the_camera_exposes_blurs_and_compresses() -> None:
    fine = np.zeros((64, 64, 3), np.float32)
    fine[:, 32:] = 0.5
    alpha, behind = np.ones((64, 64), np.float32), np.zeros((32, 32, 3), np.float32)

    def taken(camera: Camera) -> np.ndarray:
        rng = np.random.default_rng(1)
        return developed(fine, alpha, behind, camera, 2, rng).astype(float)

    plain = taken(Camera(noise=0, softness=0))
    assert taken(Camera(noise=0, softness=0, exposure=2)).mean() > plain.mean() + 10
    assert np.ptp(np.diff(plain[16, :, 0])) > 2 * np.ptp(
        np.diff(taken(Camera(noise=0, softness=0.05))[16, :, 0])
    )
    assert taken(Camera(noise=4, softness=0))[:, 20:].std() > 2
    assert taken(Camera(noise=0, softness=0, motion=(0.2, 0)))[16, 15, 0] > plain[16, 15, 0] + 5
    assert not np.array_equal(taken(Camera(noise=0, softness=0, jpeg=20)), plain)
    red = taken(Camera(noise=0, softness=0, balance=(2.0, 1, 1)))
    assert red[16, 30, 0] > red[16, 30, 1] + 20


def test_random_people_are_of_all_kinds() -> None:
    drawn = [random_person(1, number) for number in range(250)]
    assert {person.style for person in drawn} >= {"long", "short", "bald", "curly", "bun", "bob"}
    tones = np.array([person.identity.skin.tone[1] for person in drawn])
    assert tones.min() < 0.08
    assert tones.max() > 0.45
    ages = np.array([person.age for person in drawn])
    assert ages.min() < 25
    assert ages.max() > 65
    assert len({person.hair_colour for person in drawn}) >= 8
    rng = np.random.default_rng(1)
    shots = [random_shot(person, rng) for person in drawn]
    yaw = np.array([abs(shot.pose.yaw) for shot in shots])
    assert (yaw < 20).mean() > 0.5
    assert yaw.max() > 50
    assert {shot.thing for shot in shots} >= {"none", "hand", "text", "cup"}


def test_every_label_has_a_definition_and_a_colour() -> None:
    assert set(DEFINITIONS) == set(Label)
    assert len(np.unique(PALETTE, axis=0)) == len(Label) == len(PALETTE)


def test_words_for_shapes_and_lengths() -> None:
    assert face_shape(Shape()) == "oval"
    assert face_shape(Shape(jaw_width=1, chin_width=0.5)) == "square"
    lengths = [hair_length(HAIRDOS[style]) for style in ("bald", "cropped", "short", "bob", "long")]
    assert lengths == ["bald", "cropped", "short", "medium", "long"]
