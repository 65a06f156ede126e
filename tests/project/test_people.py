"""People over all sources, what is said of them, and who is trained and swapped."""

from pathlib import Path

import pytest
from made_people import fill, made_project

from faceswap.errors import CheckpointError, OptionsError, ProjectError
from faceswap.faces.index import staged_key
from faceswap.project import people_corrections as corrections
from faceswap.project import swap_plan
from faceswap.project.people import Person, chosen_person, find_person
from faceswap.project.people_carry_over import carry_over_people
from faceswap.project.project import Project
from faceswap.project.source_list import add_source
from faceswap.project.swap_plan import SwapPlan, plan_swap
from faceswap.project.unswapped import is_left, leave_unswapped, spans_of, swap_again
from faceswap.swap.training.person_faces import choose_people

NOBODY = {"a": None, "b": None}


def known(project: Project) -> list[Person]:
    return corrections.corrected(project)


def tracks(project: Project) -> list[dict[str, list[int]]]:
    return [person.tracks_by_source() for person in known(project)]


def plan(project: Project, source: str, **given: object) -> SwapPlan:
    with project.open_index_read_only() as index:
        return plan_swap(project, index, source, **given)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made_project(tmp_path, ("a", [1, 2]), ("a", [2, 3]), ("b", [4]))


def test_people_are_the_same_in_all_sources(project: Project) -> None:
    assert sorted(map(str, tracks(project))) == sorted(
        map(str, [{"a": [0]}, {"a": [1], "a2": [0]}, {"a2": [1]}, {"b": [0]}])
    )


def test_people_keep_their_numbers_when_sources_are_added(project: Project, tmp_path: Path) -> None:
    before = {str(p.tracks_by_source()): p.id for p in known(project)}
    (tmp_path / "new.mp4").write_bytes(b"new")
    fill(project, add_source(project, tmp_path / "new.mp4", "b").id, [9, 1], seed=8)
    after = {person.id for person in known(project)}
    assert set(before.values()) < after
    assert len(after) == 5


def test_corrections_are_kept(project: Project) -> None:
    first, second, third, _ = known(project)
    corrections.rename(project, known(project), str(second.id), "lead")
    corrections.merge(project, known(project), ["lead", str(third.id)])
    corrections.ignore(project, known(project), ["lead"], True)
    merged = find_person(known(project), "lead")
    assert (merged.id, merged.ignored) == (second.id, True)
    assert len(known(project)) == 3
    with project.open_index_read_only() as index:
        source, (track, *_) = next(iter(third.tracks_by_source().items()))
        words = ["lead", f"{source}:{track}"]
        number = corrections.split(project, index, known(project), words)
    assert find_person(known(project), str(number)).numbers(source) == {track}
    assert first.id in {person.id for person in known(project)}


def test_a_split_by_looks_parts_those_who_were_merged(project: Project) -> None:
    one, two, *_ = known(project)
    corrections.merge(project, known(project), [str(one.id), str(two.id)])
    merged = find_person(known(project), str(one.id))
    with project.open_index_read_only() as index:
        number = corrections.split(project, index, known(project), [str(merged.id)])
    halves = [find_person(known(project), str(n)).tracks_by_source() for n in (one.id, number)]
    expected = [one.tracks_by_source(), two.tracks_by_source()]
    assert sorted(map(str, halves)) == sorted(map(str, expected))


def test_what_was_said_stays_over_a_new_extraction(project: Project) -> None:
    first = find_person(known(project), "1")
    corrections.rename(project, known(project), "1", "lead")
    corrections.merge(project, known(project), ["lead", "2"])
    leave_unswapped(project, "a", [1], (3, 9))
    staged = staged_key("a", 2)
    with project.open_index() as index:
        rows = [*index.frames("a")], [*index.faces("a")], index.tracks("a")
        index.reset_source(staged, {})
        swapped = {0: 1, 1: 0}  # the new tracks have other numbers
        from dataclasses import replace

        faces = [replace(face, track=swapped[face.track]) for face in rows[1]]
        faces.sort(key=lambda face: (face.frame, face.track))
        renumbered = [replace(row, track=swapped[row.track], person=None) for row in rows[2]]
        index.add(staged, rows[0], faces, {}, complete=True, tracks=renumbered)
        carry_over_people(project, index, "a", staged)
        index.promote_staged("a", staged)
    assert spans_of(project)[0]["tracks"] == [0]
    lead = find_person(known(project), "lead")
    assert lead.id == first.id
    assert lead.numbers("a") == {0, 1}


@pytest.mark.parametrize(
    ("words", "told"), [(["1", "9"], "no person '9'"), (["1", "1"], "at least two")]
)
def test_a_merge_that_is_none_is_told(words: list[str], told: str, project: Project) -> None:
    with pytest.raises(OptionsError, match=told):
        corrections.merge(project, known(project), words)


def test_names_and_tracks_that_are_none_are_told(project: Project) -> None:
    with pytest.raises(OptionsError, match="can't be a name"):
        corrections.rename(project, known(project), "1", "2")
    with project.open_index_read_only() as index:
        for words, told in ((["1", "a:7"], "is not a track"), (["4"], "one track only")):
            with pytest.raises(OptionsError, match=told):
                corrections.split(project, index, known(project), words)


def test_the_one_longest_on_screen_is_taken_and_that_is_said(project: Project) -> None:
    shared = next(p for p in known(project) if len(p.tracks) == 2)
    chosen, notices = choose_people(project, NOBODY)  # type: ignore[arg-type]
    assert chosen == {"a": str(shared.id), "b": None}
    assert "--person-a" in notices[0]
    corrections.ignore(project, known(project), [str(shared.id)], True)
    found = chosen_person(known(project), ["a", "a2"])
    assert found is not None
    assert found.id != shared.id


def test_two_people_of_one_video_swap_with_each_other(tmp_path: Path) -> None:
    project = made_project(tmp_path, ("a", [1, 2]))
    assert add_source(project, project.video("a"), "b").sides == "ab"
    chosen, notices = choose_people(project, NOBODY)  # type: ignore[arg-type]
    assert sorted(map(str, chosen.values())) == ["1", "2"]
    assert len(notices) == 2
    with pytest.raises(OptionsError, match="both person 1"):
        choose_people(project, {"a": "1", "b": "1"})


def test_one_clip_each_needs_no_word(tmp_path: Path) -> None:
    project = made_project(tmp_path, ("a", [1]), ("b", [2]))
    assert choose_people(project, NOBODY) == (NOBODY, [])  # type: ignore[arg-type]
    made = plan(project, "a")
    assert [(part.run, part.tracks) for part in made.parts] == [("main", None)]
    assert not made.notices


def test_a_plan_swaps_who_was_named(project: Project) -> None:
    person = next(p for p in known(project) if p.tracks_by_source() == {"a": [0]})
    for run in ("one", "two"):
        (project.runs_folder / run).mkdir(parents=True)
    made = plan(project, "a", run="one", person=str(person.id))
    assert [part.tracks for part in made.parts] == [frozenset({0})]
    other = next(p for p in known(project) if len(p.tracks) == 2)
    both = [f"{person.id}=one", f"{other.id}=two"]
    made = plan(project, "a", mapping=both)
    assert [(p.run, p.tracks) for p in made.parts] == [
        ("one", frozenset({0})),
        ("two", frozenset({1})),
    ]
    absent = plan(project, "a2", mapping=[f"{person.id}=one"])
    assert "is not in A2" in absent.notices[0]


def test_someone_whom_a_does_not_show_is_told(tmp_path: Path) -> None:
    project = made_project(tmp_path, ("a", [1]), ("b", [4]))
    for name, who, seed in (("same", 1, 8), ("other", 7, 9)):
        (tmp_path / f"{name}.mp4").write_bytes(name.encode())
        source = add_source(project, tmp_path / f"{name}.mp4", None)
        fill(project, source.id, [who], seed=seed)
        notices = plan(project, source.id).notices
        assert bool(notices) == (name == "other")
        assert all("was not trained on them" in notice for notice in notices)


@pytest.mark.parametrize(
    ("mapping", "error", "told"),
    [
        (["1=none"], CheckpointError, "no run 'none'"),
        (["9=one"], OptionsError, "no person '9'"),
        (["1"], OptionsError, "PERSON=RUN"),
        (["1=one", "1=one"], OptionsError, "named twice"),
    ],
)
def test_a_map_that_is_none_is_told(
    mapping: list[str], error: type[Exception], told: str, project: Project
) -> None:
    (project.runs_folder / "one").mkdir(parents=True)
    with pytest.raises(error, match=told):
        plan(project, "a", mapping=mapping)


def test_who_is_ignored_is_not_swapped_even_if_alone(tmp_path: Path) -> None:
    project = made_project(tmp_path, ("a", [1]), ("b", [4]))
    (alone,) = (person for person in known(project) if "a" in person.tracks)
    corrections.ignore(project, known(project), [str(alone.id)], True)
    made = plan(project, "a")
    assert [part.tracks for part in made.parts] == [frozenset()]
    assert made.notices == ("Everyone in it is ignored.",)


def test_nobody_gets_their_own_face(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.runs_folder / "one").mkdir(parents=True)
    begun = {"person_a": "9", "person_b": "1"}
    header = {"numbers": {"notes": {"begun": begun}}}
    monkeypatch.setattr(swap_plan, "read_newest_header", lambda _: header)
    with pytest.raises(CheckpointError, match="puts the face of person 1 on others"):
        plan(project, "a", run="one", person="1")


def test_faces_are_left_unswapped_by_face_track_and_range(project: Project) -> None:
    (project.runs_folder / "main").mkdir(parents=True)
    leave_unswapped(project, "a", [1], (3, 3))
    leave_unswapped(project, "a", [0])
    leave_unswapped(project, "a", frames=(20, 30))
    left = is_left(project, "a")
    assert left(1, 3)
    assert not left(1, 4)
    assert left(0, 49)
    assert left(1, 25)
    assert not is_left(project, "a2")(0, 0)
    keeps = plan(project, "a", person="1").keeps(plan(project, "a", person="1").parts[0])
    assert not any(keeps(0, frame) for frame in range(50))
    assert swap_again(project, "a") == 3
    assert not is_left(project, "a")(0, 49)
    with pytest.raises(ProjectError, match="no source 'z'"):
        leave_unswapped(project, "z")
    with pytest.raises(OptionsError, match="the smaller first"):
        leave_unswapped(project, "a", frames=(9, 3))
