"""Which of A's poses and expressions B lacks."""

from dataclasses import replace

import numpy as np
import pytest

from gui.models.coverage import Faces, Lack, histograms, lacks
from gui.widgets.coverage_map import sentence


def faces(count: int, *, yaw: float = 0, pitch: float = 0, mouth: float = 0.1) -> Faces:
    """Faces that all look the same, of a tenth of a second each."""

    def all_of(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return np.full(count, value, np.float32)

    return Faces(all_of(yaw), all_of(pitch), all_of(mouth), all_of(0.3), all_of(0.1))


def joined(*parts: Faces) -> Faces:
    names = ("yaw", "pitch", "mouth", "lids", "seconds")
    return Faces(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def test_seconds_are_counted_once() -> None:
    found = histograms(joined(faces(50), faces(30, pitch=-30), faces(20, yaw=60, mouth=0.5)))
    assert found.pose.sum() == pytest.approx(10)
    assert found.mouth.tolist() == pytest.approx([0, 8, 2])
    assert found.lids.tolist() == pytest.approx([0, 0, 10])


def test_what_b_lacks_is_sorted_by_what_is_needed() -> None:
    a = histograms(joined(faces(100), faces(120, pitch=-15), faces(30, yaw=60, mouth=0.5)))
    b = histograms(joined(faces(100), faces(1, yaw=60)))
    found = lacks(a, b)
    assert [lack.kind for lack in found] == ["down", "far right", "mouth open"]
    texts = [sentence(lack) for lack in found]
    assert texts[0] == "B never looks down: 12 s of A need it."
    assert texts[1] == "B is hardly in profile to the right: 3.0 s of A need it."


def test_what_a_hardly_shows_is_not_needed() -> None:
    a = histograms(joined(faces(100), faces(2, pitch=20)))
    assert lacks(a, histograms(faces(100))) == []


def test_shut_eyes_are_told_by_the_persons_usual_opening() -> None:
    narrow = faces(100)
    blinking = replace(narrow, lids=np.where(np.arange(100) < 10, 0.05, 0.3).astype(np.float32))
    assert histograms(blinking).lids.tolist() == pytest.approx([1, 0, 9])
    wide = replace(narrow, lids=np.full(100, 0.1, np.float32))  # open, for this person
    assert histograms(wide).lids.tolist() == pytest.approx([0, 0, 10])
    (lack,) = lacks(histograms(blinking), histograms(wide))
    assert lack == Lack("eyes shut", pytest.approx(1.0), 0.0)  # type: ignore[arg-type]
