"""Tracks of one person are one group; two faces of a frame never are."""

import numpy as np
import pytest

from faceswap.faces.people_groups import (
    SAME_PERSON,
    Vectors,
    gallery,
    group_tracks,
    likeness,
    match_person,
)


def faces_of(person: int, seed: int, count: int = 6, spread: float = 0.3) -> Vectors:
    """Embeddings that scatter about the person's own."""
    centre = np.random.default_rng(person).normal(size=128)
    centre /= np.linalg.norm(centre)
    noise = np.random.default_rng(seed + 1000).normal(size=(count, 128)) * spread / np.sqrt(128)
    vectors = centre + noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_tracks_are_grouped_by_person() -> None:
    tracks = {n: faces_of(n % 3, n) for n in range(9)}
    assert group_tracks(tracks, []) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert group_tracks({}, []) == []


def test_two_faces_of_one_frame_are_two_people_however_alike() -> None:
    twins = {n: faces_of(1, n) for n in range(4)}
    groups = group_tracks(twins, [(0, 1)])
    assert sorted(map(len, groups)) == [1, 3] or sorted(map(len, groups)) == [2, 2]
    assert not any({0, 1} <= set(group) for group in groups)


def test_a_group_inherits_what_its_tracks_must_not_meet() -> None:
    twins = {n: faces_of(1, n) for n in range(3)}
    groups = group_tracks(twins, [(0, 1), (1, 2)])
    assert groups == [[0, 2], [1]]


def test_a_number_of_groups_can_be_asked_for() -> None:
    tracks = {0: faces_of(1, 0), 1: faces_of(1, 1), 2: faces_of(2, 2), 3: faces_of(3, 3)}
    assert len(group_tracks(tracks, [], least=-1.0, count=2)) == 2


def test_a_known_person_is_found_and_a_stranger_is_not() -> None:
    people = {7: gallery([faces_of(1, 0)]), 9: gallery([faces_of(2, 1)])}
    assert match_person(faces_of(2, 5), people, []) == 9
    assert match_person(faces_of(3, 5), people, []) is None
    assert match_person(faces_of(2, 5), people, [9]) is None
    assert match_person(faces_of(2, 5), {}, []) is None


@pytest.mark.parametrize("count", [1, 30, 300])
def test_a_gallery_has_one_size(count: int) -> None:
    assert gallery([faces_of(1, 0, count)]).shape == (64, 128)


def test_likeness_tells_people_apart() -> None:
    assert likeness(faces_of(1, 0), faces_of(1, 1)) > SAME_PERSON
    assert likeness(faces_of(1, 0), faces_of(2, 1)) < SAME_PERSON
