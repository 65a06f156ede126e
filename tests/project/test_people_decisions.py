"""What is decided of people: tracks moved, no faces, pairs, and going back."""

from pathlib import Path

import pytest
from made_people import made_project

from faceswap.errors import OptionsError, ProjectError
from faceswap.project.pairs import Pair, choose_pair, drop_pair, pairs_of
from faceswap.project.people_corrections import (
    corrected,
    decided,
    go_back,
    merge,
    move_tracks,
    rename,
)
from faceswap.project.project import Project
from faceswap.project.swap_plan import plan_swap


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Persons 1 and 2 in A's footage, 2 in B's as well."""
    return made_project(tmp_path, ("a", [1, 2]), ("b", [2]))


def tracks(project: Project) -> dict[int, dict[str, list[int]]]:
    return {one.id: one.tracks_by_source() for one in corrected(project)}


def test_a_track_is_moved_to_another_person_and_to_none(project: Project) -> None:
    before = tracks(project)
    assert before == {2: {"a": [1], "b": [0]}, 1: {"a": [0]}}
    move_tracks(project, corrected(project), [("b", 0)], 1)
    assert tracks(project) == {1: {"a": [0], "b": [0]}, 2: {"a": [1]}}
    move_tracks(project, corrected(project), [("a", 1)], None)
    (nobody,) = [one for one in corrected(project) if one.no_face]
    assert (nobody.name, nobody.ignored, nobody.tracks_by_source()) == ("no face", True, {"a": [1]})
    move_tracks(project, corrected(project), [("b", 0)], None)
    assert [one.id for one in corrected(project) if one.no_face] == [nobody.id]
    with project.open_index_read_only() as index:
        plan = plan_swap(project, index, "a")
    assert [part.tracks for part in plan.parts] == [frozenset({0})]


def test_a_track_that_is_not_there_is_told(project: Project) -> None:
    with pytest.raises(OptionsError, match="no track a:7"):
        move_tracks(project, corrected(project), [("a", 7)], 1)
    with pytest.raises(OptionsError, match="no person '9'"):
        move_tracks(project, corrected(project), [("a", 0)], 9)


def test_one_goes_back_only_from_what_is_known(project: Project) -> None:
    first = decided(project)
    rename(project, corrected(project), "1", "one")
    second = decided(project)
    rename(project, corrected(project), "2", "two")  # another window
    with pytest.raises(OptionsError, match="changed meanwhile"):
        go_back(project, first, second)
    assert [one.name for one in corrected(project)] == ["two", "one"]
    go_back(project, first, decided(project))
    assert [one.name for one in corrected(project)] == ["", ""]


def test_pairs_follow_a_merge_and_its_undo(tmp_path: Path) -> None:
    project = made_project(tmp_path, ("a", [1, 2]), ("b", [3]))
    project.change_settings(lambda settings: choose_pair(settings, Pair("main", 2, 3)))
    before = decided(project)
    with pytest.raises(OptionsError, match="can't be one"):
        merge(project, corrected(project), ["2", "3"])
    assert decided(project) == before
    merge(project, corrected(project), ["1", "2"])
    assert pairs_of(project.settings()) == [Pair("main", 1, 3)]
    go_back(project, before, decided(project))
    assert pairs_of(project.settings()) == [Pair("main", 2, 3)]
    assert len(corrected(project)) == 3


def test_pairs_are_checked() -> None:
    settings: dict[str, object] = {}
    choose_pair(settings, Pair("main", 1, None))
    choose_pair(settings, Pair("other", None, 2))
    choose_pair(settings, Pair("main", 1, 2))
    assert pairs_of(settings) == [Pair("other", None, 2), Pair("main", 1, 2)]
    drop_pair(settings, "other")
    assert pairs_of(settings) == [Pair("main", 1, 2)]
    for wrong, sentence in ((Pair("x", 1, 1), "both be person 1"), (Pair("../x"), "name of a run")):
        with pytest.raises(OptionsError, match=sentence):
            choose_pair(settings, wrong)
    with pytest.raises(ProjectError, match="damaged"):
        pairs_of({"pairs": [{"run": 3}]})
