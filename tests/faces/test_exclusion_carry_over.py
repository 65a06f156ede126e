"""Faces that were out of training are found again among the new ones, and no others."""

import numpy as np

from faceswap.faces.exclusion_carry_over import previously_excluded
from faceswap.faces.index_schema import FaceRow


def face(frame: int, x: float = 0.0, track: int = 0, crop: bool = True) -> FaceRow:
    """A face 100 pixels wide at ``x``."""
    points = np.zeros((68, 2), np.float32)
    points[:, 0] = np.linspace(x - 50, x + 50, 68)
    name = f"{frame:06}_{track}.png" if crop else None
    return FaceRow(frame, track, points, points[:13], 1.0, (0.0, 0.0, 0.0), name)


def test_the_nearest_face_of_the_same_frame_counts() -> None:
    old = [face(3, 0, track=0), face(3, 300, track=1), face(4, 0, track=0)]
    new = [face(3, 290, track=0), face(3, 8, track=1), face(4, 2, track=1), face(5, 0)]
    kept = {"000003_0.png", "000004_0.png"}
    assert previously_excluded(old, 1, kept, new) == ["000003_0.png"]
    assert previously_excluded(old, 1, set(), new) == [
        "000003_0.png",
        "000003_1.png",
        "000004_1.png",
    ]
    assert previously_excluded(old, 1, {f.crop or "" for f in old}, new) == []


def test_a_face_that_was_not_there_before_is_not_out() -> None:
    assert previously_excluded([face(3, 0)], 1, set(), [face(3, 49), face(3, 51, track=1)]) == [
        "000003_0.png"
    ]
    assert previously_excluded([face(3, 0)], 1, set(), [face(2), face(4)]) == []


def test_a_crop_stands_for_its_track_until_the_next_one() -> None:
    old = [face(n, track=2, crop=n % 3 == 0) for n in range(9)]
    new = [face(n) for n in range(9)]
    kept = {"000000_2.png", "000006_2.png"}
    assert previously_excluded(old, 3, kept, new) == [
        "000003_0.png",
        "000004_0.png",
        "000005_0.png",
    ]
    # What was lost for longer than that is not known to have been out.
    gap = [face(0, track=2), face(7, track=2, crop=False)]
    assert previously_excluded(gap, 3, set(), [face(0), face(7)]) == ["000000_0.png"]


def test_new_faces_without_a_crop_have_nothing_to_be_excluded() -> None:
    assert previously_excluded([face(0)], 1, set(), [face(0, crop=False)]) == []
