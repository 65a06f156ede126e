"""Rendered heads: the mesh, its motion, and the truth that comes with each frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.errors import OptionsError
from faceswap.faces.align import face_similarity, invert, mean_face, transform
from faceswap.synthetic.camera import Camera
from faceswap.synthetic.characters import CHARACTERS, character
from faceswap.synthetic.expression import EXPRESSIONS, Expression, Rig
from faceswap.synthetic.face_shape import shape_head
from faceswap.synthetic.head_mesh import HeadMesh, Pose, rotated
from faceswap.synthetic.identity import Shape
from faceswap.synthetic.landmarks import forehead_vertices, landmark_vertices
from faceswap.synthetic.motion import talk
from faceswap.synthetic.pair import build_head, composite_face, perfect_swap
from faceswap.synthetic.rasteriser import blank_raster, rasterise, vertex_normals
from faceswap.synthetic.scene import LIGHTS, Scene
from faceswap.synthetic.template_mesh import template_mesh
from faceswap.synthetic.uv import lid_margins, lip_borders, surface_point, uv_of
from faceswap.synthetic.voice import hum


@pytest.fixture(scope="module")
def figure() -> HeadMesh:
    return build_head(CHARACTERS["marcus"])


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene((128, 128), LIGHTS["studio"], Camera(), quality=1)


def test_cast_has_clearly_different_people() -> None:
    assert len(CHARACTERS) >= 6
    shapes = [tuple(vars(person.shape).values()) for person in CHARACTERS.values()]
    for number, one in enumerate(shapes):
        for other in shapes[number + 1 :]:
            assert np.linalg.norm(np.subtract(one, other)) > 1.5


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(OptionsError, match=r"nobody.*clara.*marcus"):
        character("nobody")
    assert character("Clara") is CHARACTERS["clara"]


def test_chart_inverts_the_loft() -> None:
    x, y = np.array([0.0, 3.1, -4.0, 5.5]), np.array([-9.0, 0.4, -3.0, 2.0])
    places = surface_point(*uv_of(x, y))
    assert places[:, :2] == pytest.approx(np.stack([x, y], -1), abs=1e-3)
    assert (places[:, 2] > -7).all()


def test_lids_meet_at_the_canthi_and_lips_at_the_corners() -> None:
    upper, lower = lid_margins(np.array([1.72, 3.0, 4.52]))
    assert upper - lower == pytest.approx([0, upper[1] - lower[1], 0], abs=1e-9)
    assert 0.7 < upper[1] - lower[1] < 1.2
    top, line, bottom = lip_borders(np.array([0.0, 2.55]))
    assert top[0] > line[0] > bottom[0]
    assert top[1] == pytest.approx(line[1]) == pytest.approx(bottom[1])


def test_template_is_a_clean_symmetric_mesh() -> None:
    t = template_mesh()
    assert t.faces.min() == 0
    assert t.faces.max() == len(t.chart) - 1
    assert len(np.unique(np.sort(t.faces, 1), axis=0)) == len(t.faces)
    edges = np.sort(np.concatenate([t.faces[:, [0, 1]], t.faces[:, [1, 2]], t.faces[:, [2, 0]]]), 1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    for ring in (*t.lid_rings[0], *t.lip_rings):
        assert len(np.unique(ring)) == len(ring)
    left, right = t.rest[t.lid_rings[0, 1]], t.rest[t.lid_rings[1, 1]]
    assert left == pytest.approx(right * [-1, 1, 1], abs=1e-6)


def test_landmarks_are_distinct_and_mirror_each_other() -> None:
    spots = landmark_vertices(CHARACTERS["clara"].hairs)
    assert spots.shape == (68,)
    assert len(np.unique(spots)) == 68
    rest = template_mesh().rest
    for left, right in ((0, 16), (36, 45), (39, 42), (48, 54), (17, 26), (31, 35)):
        assert rest[spots[left], 0] == pytest.approx(-rest[spots[right], 0], abs=0.2)
        assert rest[spots[left], 0] < 0
    forehead = rest[forehead_vertices()]
    assert forehead.shape == (13, 3)
    assert (np.diff(forehead[:, 0]) > 0).all()


def test_landmarks_lie_where_the_labels_have_them() -> None:
    spots = np.append(landmark_vertices(CHARACTERS["clara"].hairs), forehead_vertices())
    rest = template_mesh().rest[spots, :2] * [1, -1]
    eyes = np.linalg.norm(rest[45] - rest[36])
    far = np.linalg.norm(
        rest - transform(invert(face_similarity(rest)), mean_face().points[:, :2]), axis=1
    )
    assert far[:17].max() < 0.05 * eyes
    assert far[27:36].max() < 0.03 * eyes
    assert far[68:].max() < 0.05 * eyes
    assert np.abs(rest[27:31, 0]).max() < 0.01
    # The corners are the template's, whose mouth is a little narrower and whose lips are fuller.
    lids, lips = template_mesh().lid_rings[0, 1], template_mesh().lip_rings[8]
    assert rest[45, 0] == pytest.approx(template_mesh().rest[lids, 0].max())
    assert rest[54, 0] == pytest.approx(template_mesh().rest[lips, 0].max())


def test_blink_shuts_and_jaw_opens() -> None:
    rig = Rig(shape_head(Shape()))
    ring = template_mesh().lid_rings[0, 1]
    middle = len(ring) // 4

    def eye(points: np.ndarray) -> float:
        return float(points[ring[middle], 1] - points[ring[-middle], 1])

    opened = eye(rig.moved(Expression()))
    assert eye(rig.moved(Expression(blink_left=1.0))) < 0.1 * opened
    assert eye(rig.moved(Expression(blink_right=1.0))) == pytest.approx(opened)
    assert eye(rig.moved(Expression(blink_left=-0.3))) > 1.2 * opened
    spots = landmark_vertices(CHARACTERS["clara"].hairs)
    gaps = []
    for jaw in (0.0, 0.3, 0.6, 1.0):
        points = rig.moved(Expression(jaw=jaw))
        gaps.append(points[spots[62], 1] - points[spots[66], 1])
        assert points[spots[27:31]] == pytest.approx(rig.head.points[spots[27:31]])
    assert gaps[0] < 0.1
    assert (np.diff(gaps) > 0.5).all()


def test_smile_widens_and_pucker_narrows_the_mouth() -> None:
    rig, spots = Rig(shape_head(Shape())), landmark_vertices(CHARACTERS["tom"].hairs)

    def width(e: Expression) -> float:
        points = rig.moved(e)
        return float(points[spots[54], 0] - points[spots[48], 0])

    neutral = width(Expression())
    assert width(EXPRESSIONS["smile"]) > 1.15 * neutral
    assert width(EXPRESSIONS["pucker"]) < 0.8 * neutral


def test_turned_follows_the_documented_signs() -> None:
    nose = np.array([[0.0, 0.0, 1.0]])
    assert rotated(nose, 90, 0, 0) == pytest.approx(np.array([[1.0, 0, 0]]), abs=1e-9)
    assert rotated(nose, 0, 90, 0) == pytest.approx(np.array([[0, 1.0, 0]]), abs=1e-9)
    crown = np.array([[0.0, 1.0, 0.0]])
    assert rotated(crown, 0, 0, 90) == pytest.approx(np.array([[1.0, 0, 0]]), abs=1e-9)


def _filled(screen: list[list[float]], faces: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    raster = blank_raster(10, 10)
    rasterise(np.array(screen, np.float32), np.array(faces, np.int32), raster)
    return raster.depth, raster.face


def test_rasteriser_covers_sorts_and_culls() -> None:
    square = [[1.0, 1.0, 5.0], [7.0, 1.0, 5.0], [7.0, 7.0, 5.0], [1.0, 7.0, 5.0]]
    depth, face = _filled(square, [[0, 3, 1], [1, 3, 2]])
    assert (face >= 0).sum() == 49
    assert depth[3, 3] == pytest.approx(5)
    _, away = _filled(square, [[0, 1, 3], [1, 2, 3]])
    assert (away < 0).all()
    near = [[x, y, 2.0] for x, y, _ in square]
    depth, face = _filled([*square, *near], [[0, 3, 1], [4, 7, 5]])
    assert face[2, 2] == 1
    assert depth[2, 2] == pytest.approx(2)


def test_depth_is_right_under_perspective() -> None:
    # On the screen's half way between 2 and 6 a plane is at the harmonic mean.
    depth, _ = _filled([[0.0, 0, 2], [8, 0, 6], [0, 8, 2]], [[0, 2, 1]])
    assert depth[0, 4] == pytest.approx(3.0)


def test_normals_of_a_plane() -> None:
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2]], np.int32)
    normals = vertex_normals(points, faces, np.arange(4, dtype=np.int32))
    assert normals == pytest.approx(np.tile([0, 0, 1], (4, 1)))


def test_projection_is_a_pinhole() -> None:
    scene = Scene((101, 201), camera=Camera(distance=50, view=20, centre=(1.0, -2.0)))
    at = scene.project(np.array([[1.0, -2.0, -1.0], [3.0, 0.0, -1.0], [3.0, 0.0, 24.0]]))
    assert at[0] == pytest.approx([100, 50, 50])
    assert at[1] == pytest.approx([100 + 2 * 101 / 20, 50 - 2 * 101 / 20, 50])
    assert at[2, :2] - at[0, :2] == pytest.approx(2 * (at[1, :2] - at[0, :2]))


def test_frame_is_a_face_with_exact_points(figure: HeadMesh, scene: Scene) -> None:
    frame = scene.frame(figure, Pose(), Expression())
    assert frame.picture.shape == (128, 128, 3)
    assert frame.picture.dtype == np.uint8
    assert frame.visible[17:68].mean() > 0.95
    both = np.concatenate([frame.points, frame.forehead])
    assert both.min() > 0
    assert both.max() < 127
    p = frame.points
    assert p[8, 1] > p[57, 1] > p[33, 1] > p[27, 1] > p[21, 1]
    skin = frame.picture[int(p[30, 1]), int(p[30, 0])].astype(int)
    assert skin[0] > skin[1] > skin[2]


def test_same_frame_twice_and_other_noise(figure: HeadMesh, scene: Scene) -> None:
    one = scene.frame(figure, Pose(5, 2, 1), EXPRESSIONS["smile"], 3)
    two = scene.frame(figure, Pose(5, 2, 1), EXPRESSIONS["smile"], 3)
    other = scene.frame(figure, Pose(5, 2, 1), EXPRESSIONS["smile"], 4)
    assert np.array_equal(one.picture, two.picture)
    assert np.array_equal(one.points, two.points)
    difference = one.picture.astype(int) - other.picture
    assert 0.5 < difference.std() < 3


def test_pose_and_expression_move_the_points(figure: HeadMesh, scene: Scene) -> None:
    def nose_beside_eyes(pose: Pose) -> NDArray[np.float32]:
        points = scene.frame(figure, pose, Expression()).points
        return np.asarray(points[30] - (points[36] + points[45]) / 2)

    straight = nose_beside_eyes(Pose())
    assert nose_beside_eyes(Pose(yaw=20))[0] > straight[0] + 3
    assert nose_beside_eyes(Pose(pitch=12))[1] < straight[1] - 2
    turned_away = scene.frame(figure, Pose(yaw=60), Expression())
    assert not turned_away.visible[[45, 26]].any()
    mouth = [
        np.ptp(scene.frame(figure, Pose(), EXPRESSIONS[name]).points[[62, 66], 1])
        for name in ("neutral", "open")
    ]
    assert mouth[1] > mouth[0] + 4


def test_talk_is_natural_and_repeats() -> None:
    script = talk(3, 150, 25)
    assert script == talk(3, 150, 25)
    assert script != talk(4, 150, 25)
    table = {name: np.array([getattr(m.expression, name) for m in script]) for name in (
        "jaw", "blink_left", "gaze_yaw", "smile")}  # fmt: skip
    yaw = np.array([m.pose.yaw for m in script])
    assert table["blink_left"].max() > 0.9
    assert (table["blink_left"] < 0.1).mean() > 0.6
    assert table["jaw"].max() > 0.4
    assert table["jaw"].min() < 0.02
    assert np.ptp(yaw) > 12
    assert np.abs(np.diff(yaw)).max() < 4
    assert np.abs(table["gaze_yaw"]).max() <= 26
    for values, low, high in ((table["jaw"], 0, 1), (table["smile"], -1, 1)):
        assert values.min() >= low
        assert values.max() <= high


def test_perfect_swap_is_b_with_the_tone_of_a() -> None:
    a, b = CHARACTERS["nora"], CHARACTERS["tom"]
    both = perfect_swap(a, b)
    assert both.skin.tone == a.skin.tone
    assert both.skin.iris == b.skin.iris
    assert both.shape.nose_width == b.shape.nose_width
    assert both.shape.ear_size == a.shape.ear_size
    assert both.hairs.beard == b.hairs.beard
    assert both.hairs.style == a.hairs.style
    assert both.clothes == a.clothes


def test_composed_keeps_the_frame_outside_the_mask(figure: HeadMesh, scene: Scene) -> None:
    face = scene.frame(figure, Pose(), Expression())
    frame = np.full((128, 128, 3), 7, np.uint8)
    mixed = composite_face(frame, face)
    assert (mixed[:5] == 7).all()
    centre = face.points[30].astype(int)
    assert np.array_equal(mixed[centre[1], centre[0]], face.picture[centre[1], centre[0]])


def test_hum_follows_the_jaw() -> None:
    script = talk(1, 100, 25)
    sound = hum(script, 25, 120.0, 8000)
    assert sound.shape == (32000,)
    assert np.abs(sound).max() < 1
    power = np.sqrt((sound.reshape(100, 320) ** 2).mean(1))
    jaw = np.array([m.expression.jaw for m in script])
    assert np.corrcoef(power, jaw)[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHARACTERS))
def test_detector_finds_everyone_in_every_face(name: str) -> None:
    from faceswap.faces.detect import make_detector

    detector, person = make_detector(), build_head(CHARACTERS[name])
    scene = Scene((256, 256), LIGHTS["window"])
    for expression in EXPRESSIONS.values():
        for yaw in (-30, 0, 30):
            frame = scene.frame(person, Pose(yaw=yaw, pitch=4), expression)
            best = max(detector.detect(frame.picture), key=lambda d: d.score)
            assert best.score > 0.5
            left, top, right, bottom = best.box
            centre = frame.points.mean(0)
            assert left < centre[0] < right
            assert top < centre[1] < bottom
