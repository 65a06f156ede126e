from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_faces import SIDE, draw, landmarks
from PIL import Image

from faceswap.faces.crops import write_crop
from faceswap.lab.framework.expressions import (
    ATTRIBUTES,
    ExpressionMeasurer,
    expression_attributes,
    read_face_records,
    without_pose,
)
from faceswap.synthetic.camera import Camera
from faceswap.synthetic.characters import CHARACTERS
from faceswap.synthetic.expression import EXPRESSIONS
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.pair import build_head
from faceswap.synthetic.scene import LIGHTS, Scene

STILL = (0.0, 0.0, 0.0)


def of(name: str, points: np.ndarray, pose: tuple[float, float, float] = STILL) -> float:
    return float(expression_attributes(points, pose)[ATTRIBUTES.index(name)])


def test_each_attribute_is_what_its_name_says() -> None:
    points, _ = landmarks(0, 0.2)
    opened, _ = landmarks(0, 0.6)
    assert of("open mouth", opened) > of("open mouth", points) + 0.05
    smiling = points.copy()
    smiling[48] += (-2, -2)
    smiling[54] += (2, -2)
    assert of("smile", smiling) > of("smile", points) + 0.1
    shut = points.copy()
    shut[36:48, 1] = shut[36, 1]
    assert of("open eyes", shut) == 0
    assert of("open eyes", points) > 0.2
    turned = expression_attributes(points, (12.0, -7.0, 3.0))
    assert turned[3:].tolist() == [12, -7]


def test_size_place_and_tilt_do_not_matter() -> None:
    points, _ = landmarks(0, 0.4)
    c, s = np.cos(0.4), np.sin(0.4)
    moved = (points @ np.array([[c, s], [-s, c]]) * 3 + 40).astype(np.float32)
    assert expression_attributes(moved, STILL) == pytest.approx(
        expression_attributes(points, STILL), abs=1e-4
    )


def test_what_the_pose_explains_is_taken_out() -> None:
    rng = np.random.default_rng(0)
    pose = rng.normal(0, 10, (300, 2))
    own = rng.normal(0, 1, (300, 3))
    values = np.hstack([own + pose @ rng.normal(0, 1, (2, 3)) + pose[:, :1] ** 2 / 50, pose])
    left = without_pose(values)
    assert np.array_equal(left[:, 3:], pose)
    for place in range(3):
        assert np.corrcoef(left[:, place], own[:, place])[0, 1] > 0.98
        assert abs(np.corrcoef(left[:, place], pose[:, 1])[0, 1]) < 1e-6


def test_records_are_found_only_where_all_are_crops(tmp_path: Path) -> None:
    for number in range(3):
        image, record = draw("a", 0, number / 3, number)
        write_crop(tmp_path / f"{number}.png", image, record)
    files = sorted(tmp_path.glob("*.png"))
    found = read_face_records(files)
    assert [side for side, _ in found] == [SIDE] * 3
    assert [face.frame for _, face in found] == [0, 1, 2]
    Image.new("RGB", (9, 9)).save(tmp_path / "plain.png")
    assert read_face_records([*files, tmp_path / "plain.png"]) == []
    assert read_face_records([]) == []


def test_a_face_is_measured_in_a_small_picture_as_in_its_crop() -> None:
    scene, figure = (
        Scene((SIDE, SIDE), LIGHTS["studio"], Camera(), quality=1),
        build_head(CHARACTERS["clara"]),
    )
    shut, opened = (scene.frame(figure, Pose(), EXPRESSIONS[name]) for name in ("neutral", "open"))
    _, record = draw("a", 0, 0.9, 1)
    meter = ExpressionMeasurer([(SIDE, replace(record, points=opened.points))], SIDE // 2)
    mouth = ATTRIBUTES.index("open mouth")

    def opening(picture: np.ndarray) -> float:
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        return float(meter.measure(torch.nn.functional.avg_pool2d(x, 2), mouth))

    truth = of("open mouth", opened.points) - of("open mouth", shut.points)
    assert opening(opened.picture) - opening(shut.picture) == pytest.approx(truth, rel=0.4)
