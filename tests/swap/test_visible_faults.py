"""Each fault is told by its share or size, and where it is."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from faceswap.faces.align import mean_face, transform
from faceswap.swap.evaluation.visible_faults import FacePlace, marked, visible_faults
from faceswap.types import UInt8Image

POINTS = transform(np.array([[60.0, 0, 140], [0, 60.0, 150]]), mean_face().points[:, :2])
FACE = FacePlace(POINTS[:68], POINTS[68:])
MIDDLE = ((POINTS[12] + POINTS[35] + POINTS[46]) / 3).astype(int)
CHEEK = np.s_[MIDDLE[1] - 6 : MIDDLE[1] + 6, MIDDLE[0] - 6 : MIDDLE[0] + 6]
EYES = np.s_[int(POINTS[36:48, 1].min()) - 8 : int(POINTS[36:48, 1].max()) + 8]


def skin(tone: float = 0.6, spread: float = 0.03) -> NDArray[np.float64]:
    light = tone + np.random.default_rng(0).normal(0, spread, (280, 280, 1))
    return np.asarray(light * np.array([1, 0.8, 0.7]) * 255)


def frame(picture: NDArray[np.float64]) -> UInt8Image:
    return np.clip(picture, 0, 255).astype(np.uint8)


def values(
    a: NDArray[np.float64], out: NDArray[np.float64], front: UInt8Image | None = None
) -> dict[str, float]:
    found = visible_faults(frame(a), frame(out), FACE, front)
    assert found is not None
    return found.values


def test_an_unchanged_frame_has_no_faults() -> None:
    found = values(skin(), skin())
    assert found.pop("contrast") == pytest.approx(1)
    assert found.pop("eye sharpness") == pytest.approx(1)
    assert found == {"dark patches": 0, "odd colors": 0, "tone": 0, "edge": 0}


def test_a_dark_patch_is_told_by_its_share_and_where_it_is() -> None:
    out = skin()
    out[CHEEK] *= 0.3
    found = visible_faults(frame(skin()), frame(out), FACE)
    assert found is not None
    zone = values(skin(), skin(0.3))  # a darker face is no patch
    assert zone["dark patches"] == 0
    assert 0.02 < found.values["dark patches"] < 0.2
    box = FACE.box(280, 280)
    where = np.zeros((280, 280), bool)
    where[box] = found.places["dark patches"]
    assert where[CHEEK].mean() > 0.95
    assert where.sum() == where[CHEEK].sum()
    tinted = marked(frame(out)[box], found.places["dark patches"])
    assert_array_equal((tinted != frame(out)[box]).any(2), found.places["dark patches"])


def test_odd_colors_are_told_apart_from_dark_ones() -> None:
    out = skin()
    out[CHEEK] = out[CHEEK] * [0.75, 1, 1.4]
    found = values(skin(), out)
    assert found["odd colors"] > 0.02
    assert found["dark patches"] == 0


def test_what_is_dark_in_the_footage_is_no_fault_of_the_swap() -> None:
    fringed = skin()
    fringed[CHEEK] *= 0.3
    assert values(fringed, fringed)["dark patches"] == 0


def test_tone_is_the_difference_of_the_medians() -> None:
    grey = np.full((280, 280, 3), 128.0)
    lighter = values(grey, grey + 26)["tone"]
    assert lighter == pytest.approx(10.2, abs=0.3)  # L* of 128 is 53.6, of 154 63.5


@pytest.mark.parametrize("factor", [0.5, 2])
def test_contrast_is_the_spread_of_light(factor: float) -> None:
    found = values(skin(0.5, 0.02), skin(0.5, 0.02 * factor))
    assert found["contrast"] == pytest.approx(factor, rel=0.05)


def test_a_sharp_edge_is_worse_than_a_soft_one() -> None:
    y, x = np.mgrid[:280, :280]
    inside = 60 - np.hypot(x - 140, y - 150)
    a, edges = skin(0.6, 0), []
    for width in (1, 10, 40):
        weight = np.clip(inside / width, 0, 1)[..., None]
        edges.append(values(a, a * (1 - weight) + 0.7 * a * weight)["edge"])
    assert edges[0] > 2 * edges[1] > 3 * edges[2] > 0


def test_blurred_eyes_are_told() -> None:
    out = skin()
    out[EYES] = out[EYES].mean((0, 1))
    assert values(skin(), out)["eye sharpness"] < 0.7


def test_what_was_in_front_is_kept_or_not() -> None:
    front = np.zeros((280, 280), np.uint8)
    front[CHEEK] = 255
    half = skin()
    half[CHEEK][:6] += 60
    assert values(skin(), skin(), front)["kept in front"] == 1
    assert values(skin(), half, front)["kept in front"] == pytest.approx(0.5)


def test_a_face_without_skin_in_sight_is_left_out() -> None:
    away = FacePlace(FACE.points + 1000, FACE.forehead + 1000)
    assert visible_faults(frame(skin()), frame(skin()), away) is None
