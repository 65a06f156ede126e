"""Alignment, crops and head pose."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceswap.errors import AssetError
from faceswap.faces import align
from faceswap.faces.align import (
    crop_matrix,
    eye_distance,
    face_similarity,
    fit_similarity,
    head_pose,
    invert,
    mean_face,
    transform,
    upright_matrix,
)

Matrix = NDArray[np.float64]


def similarity(scale: float, angle: float, x: float, y: float) -> Matrix:
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> tuple[Matrix, Matrix]:
    """The mean face after a turn by angles in degrees: points (68, 2) and depth (68,)."""
    y, p, r = (math.radians(angle) for angle in (-yaw, -pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points = mean_face().points[:68] @ (about_z @ about_x @ about_y).T * 100 + 300
    return points[:, :2], points[:, 2]


@given(
    scale=st.floats(0.01, 20),
    angle=st.floats(-3.1, 3.1),
    x=st.floats(-2000, 2000),
    y=st.floats(-2000, 2000),
)
def test_a_similarity_is_found_exactly(scale: float, angle: float, x: float, y: float) -> None:
    truth = similarity(scale, angle, x, y)
    points = np.random.default_rng(0).normal(0, 50, (68, 2))
    moved = points @ truth[:, :2].T + truth[:, 2]
    weights = np.random.default_rng(1).uniform(0.1, 3, 68)
    found = fit_similarity(points, moved, weights)
    np.testing.assert_allclose(found, truth, rtol=1e-6, atol=1e-6 * scale + 1e-7)


def test_a_weight_of_zero_takes_a_point_out() -> None:
    points = np.random.default_rng(0).normal(0, 50, (10, 2))
    moved = points.copy()
    moved[3] += 500
    weights = np.ones(10)
    weights[3] = 0
    np.testing.assert_allclose(
        fit_similarity(points, moved, weights), np.eye(2, 3), rtol=0, atol=1e-9
    )


def test_coinciding_points_give_a_shift_and_no_division_by_zero() -> None:
    found = fit_similarity(np.full((5, 2), 7.0), np.full((5, 2), 9.0))
    np.testing.assert_allclose(found, [[1, 0, 2], [0, 1, 2]])


def test_invert_undoes() -> None:
    matrix = similarity(3, 0.4, 10, -20)
    points = np.random.default_rng(0).normal(0, 50, (9, 2)).astype(np.float32)
    np.testing.assert_allclose(
        transform(invert(matrix), transform(matrix, points)), points, atol=1e-3
    )


def test_face_space_has_the_unit_and_the_origin_it_says() -> None:
    mean = mean_face()
    assert mean.points.shape == (81, 3)
    assert eye_distance(mean.points[:68, :2]) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(mean.points[:68].mean(0), 0, atol=1e-3)
    assert mean.weights.mean() == pytest.approx(1, abs=1e-3)
    # Upright and symmetric: the nose is above the chin, the forehead above the brows.
    assert mean.points[30, 1] < mean.points[8, 1]
    assert mean.points[68:, 1].max() < mean.points[8, 1]
    assert mean.points[74, 1] < mean.points[17:27, 1].min()


def test_speech_hardly_moves_the_alignment() -> None:
    points = mean_face().points[:68, :2] * 150 + 300
    open_mouth = points.copy()
    open_mouth[[*range(5, 12), *range(55, 60), *range(65, 68)], 1] += 30
    plain, speaking = face_similarity(points), face_similarity(open_mouth)
    place = [invert(m)[:, 2] for m in (plain, speaking)]
    assert np.linalg.norm(place[0] - place[1]) < 4
    scales = [np.linalg.norm(m[:, 0]) for m in (plain, speaking)]
    assert scales[1] / scales[0] == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("size", [64, 256])
def test_a_crop_shows_the_whole_face_with_margin(size: int) -> None:
    points = mean_face().points[:, :2] @ similarity(140, 0.5, 0, 0)[:, :2].T + [400, 300]
    matrix = crop_matrix(face_similarity(points[:68].astype(np.float32)), size)
    placed = transform(matrix, points) / size
    assert placed.min() > 0.04
    assert placed.max() < 0.96
    assert abs(placed[:, 0].mean() - 0.5) < 0.02
    # Upright: the eyes are level.
    assert abs(placed[36, 1] - placed[45, 1]) < 0.01


@pytest.mark.parametrize("roll", [-170, -90, -20, 0, 45, 180])
@pytest.mark.parametrize("yaw", [-80, 0, 60])
def test_the_network_s_crop_is_upright_for_any_roll_and_for_profiles(roll: int, yaw: int) -> None:
    points, _ = turned(yaw, 0, roll)
    placed = transform(upright_matrix(points.astype(np.float32), 112), points)
    assert placed.min() > 0
    assert placed.max() < 111
    assert placed[8, 1] > placed[27, 1] + 30  # chin below the root of the nose


def test_degenerate_points_still_give_a_finite_crop() -> None:
    assert np.isfinite(upright_matrix(np.zeros((68, 2), np.float32), 112)).all()


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 150), (25, -15, -40)],
)
def test_pose_with_and_without_depth(yaw: float, pitch: float, roll: float) -> None:
    points, depth = turned(yaw, pitch, roll)
    np.testing.assert_allclose(head_pose(points, depth), (yaw, pitch, roll), atol=0.01)
    np.testing.assert_allclose(head_pose(points), (yaw, pitch, roll), atol=0.5)


def test_the_signs_of_pose_are_those_of_the_picture() -> None:
    right, _ = turned(yaw=40)
    # Looking to the right of the picture, the nose is nearer to the right eye.
    assert abs(right[30, 0] - right[45, 0]) < abs(right[30, 0] - right[36, 0])
    up, _ = turned(pitch=30)
    level, _ = turned()
    assert up[30, 1] - up[27, 1] < level[30, 1] - level[27, 1]
    clockwise, _ = turned(roll=20)
    assert clockwise[45, 1] > clockwise[36, 1]


def test_a_damaged_mean_face_says_how_to_restore_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "mean_face.json"
    broken.write_text(json.dumps({"points": [1, 2, 3]}))
    monkeypatch.setattr(align, "asset_path", lambda name: broken)
    with pytest.raises(AssetError, match="git checkout assets"):
        mean_face.__wrapped__()
