"""Which track a face goes on with, by its place and by its looks."""

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.appearance import Appearance, has_jumped
from faceswap.faces.face import Face, box_of
from faceswap.faces.tracks import Track, exchanged, match_lost
from faceswap.types import Points


def vector(person: int) -> NDArray[np.float32]:
    found = np.zeros(128, np.float32)
    found[person] = 1
    return found


def points_at(x: float) -> Points:
    ring = np.linspace(0, 2 * np.pi, 68)
    return np.stack([x + 50 * np.cos(ring), 100 + 50 * np.sin(ring)], 1).astype(np.float32)


def face_at(x: float) -> Face:
    points = points_at(x)
    return Face(points, points[:13], 0.9, (0.0, 0.0, 0.0), box_of(points))


def track_of(number: int, x: float, person: int, missing: int = 5) -> Track:
    seen = Appearance().with_one(vector(person))
    return Track(number, points_at(x), 0.9, missing, 20, appearance=seen)


def test_a_face_that_comes_back_keeps_its_track_by_its_looks() -> None:
    lost = [track_of(0, 100, 1), track_of(1, 130, 2)]
    faces = [face_at(128), face_at(102)]
    found = match_lost(lost, faces, [vector(1), vector(2)])
    assert {row: track.number for row, track in found.items()} == {0: 0, 1: 1}


def test_another_person_at_the_same_place_is_another_track() -> None:
    assert match_lost([track_of(0, 100, 1)], [face_at(100)], [vector(2)]) == {}


def test_without_looks_the_place_decides() -> None:
    found = match_lost([track_of(0, 100, 1)], [face_at(110)], None)
    assert found[0].number == 0
    assert match_lost([track_of(0, 100, 1)], [face_at(400)], None) == {}


def test_who_was_hidden_longer_may_have_gone_further() -> None:
    faces = [face_at(400)]
    assert match_lost([track_of(0, 100, 1, missing=2)], faces, [vector(1)]) == {}
    assert match_lost([track_of(0, 100, 1, missing=40)], faces, [vector(1)])[0].number == 0


def test_faces_that_crossed_are_told_apart_again() -> None:
    first, second = track_of(0, 100, 1, 0), track_of(1, 200, 2, 0)
    assert exchanged(first, second, (vector(2), vector(1)))
    assert not exchanged(first, second, (vector(1), vector(2)))
    assert not exchanged(first, replace(second, appearance=Appearance()), (vector(2), vector(1)))


def test_a_track_is_the_same_from_json() -> None:
    track = replace(track_of(3, 100, 1), patch=np.array([0.25, -0.5], np.float32))
    again = Track.from_json(json.loads(json.dumps(track.to_json())))
    assert np.array_equal(again.points, track.points)
    assert again.appearance.similarity(vector(1)) == 1
    assert again.patch is not None
    assert (again.number, again.missing, again.age) == (3, 5, 20)


def test_an_appearance_keeps_different_looks() -> None:
    seen = Appearance()
    for person in [0, 0, 0, 0, 1, 2, 3, 4, 5]:
        seen = seen.with_one(vector(person))
    assert len(seen.vectors) == 6
    assert all(seen.similarity(vector(person)) == 1 for person in range(6))
    assert seen.similarity(vector(9)) == 0


def test_a_patch_that_is_another_picture_has_jumped() -> None:
    one = np.array([1, 0], np.float32)
    assert not has_jumped(None, one)
    assert not has_jumped(one, np.array([0.9, 0.4], np.float32))
    assert has_jumped(one, np.array([0, 1], np.float32))
