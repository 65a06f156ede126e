import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.faces.gaze import iris_offsets


def eyes(
    dx: float, dy: float, roll: float, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A picture of two eyes whose irises are (dx, dy) eye widths from their middles."""
    image = np.full((size, size, 3), 150, np.uint8)
    points = np.zeros((68, 2), np.float32)
    width = size * 0.2
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    turn = np.array([[c, -s], [s, c]])
    angles = np.pi + np.arange(6) * np.pi / 3
    for first, x in ((36, -0.18), (42, 0.18)):
        middle = size / 2 + turn @ np.array([x * size, 0.0])
        ring = np.stack([0.5 * np.cos(angles), 0.25 * np.sin(angles)], 1) * width
        points[first : first + 6] = middle + ring @ turn.T
        outline = np.round(points[first : first + 6] * 16).astype(np.int32)
        cv2.fillConvexPoly(image, outline, (245, 245, 245), cv2.LINE_AA, 4)
        iris = middle + turn @ np.array([dx, dy]) * width
        cv2.circle(
            image,
            tuple(np.round(iris * 16).astype(int)),
            int(0.15 * width * 16),
            (40, 30, 20),
            -1,
            cv2.LINE_AA,
            4,
        )
    return image, points


@pytest.mark.parametrize("size", [80, 200, 700])
@pytest.mark.parametrize("roll", [0.0, 25.0, -70.0])
def test_the_iris_is_found_where_it_is(size: int, roll: float) -> None:
    for wanted in ((0.0, 0.0), (0.2, 0.0), (-0.15, 0.03)):
        found = iris_offsets(*eyes(*wanted, roll, size))
        assert found == pytest.approx(wanted, abs=0.04)


def test_where_nothing_is_dark_the_eye_looks_ahead() -> None:
    _, points = eyes(0.1, 0.0, 0.0, 100)
    blank = np.full((100, 100, 3), 200, np.uint8)
    assert iris_offsets(blank, points).tolist() == [0, 0]
    assert iris_offsets(blank, points + 1000).tolist() == [0, 0]
