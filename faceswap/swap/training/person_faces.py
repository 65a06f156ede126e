"""The faces of the two people that a run is trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from faceswap.background import ReportProgress
from faceswap.errors import NoFaceError, OptionsError
from faceswap.options import Side
from faceswap.project.people import Person, choice_notice, chosen_person, find_person, people_of
from faceswap.project.project import Project
from faceswap.swap.training.face_selection import FaceLoadConfig, load_face_folders
from faceswap.swap.training.face_set import FaceSet

_FLAGS: Mapping[Side, str] = {"a": "--person-a", "b": "--person-b"}


def choose_people(
    project: Project, given: Mapping[Side, str | None]
) -> tuple[dict[Side, str | None], list[str]]:
    """Numbers of the people to train on, and what to tell about the choice.

    given: numbers or names that were given. None is returned for a side where nobody else is.
    Raises OptionsError when a person does not exist, or both sides would be the same one.
    """
    with project.open_index_read_only() as index:
        people = people_of(project, index)
    chosen: dict[Side, str | None] = {"a": None, "b": None}
    notices: list[str] = []
    taken: Person | None = None
    for side in chosen:
        names = _sources(project, side)
        word, shown = given[side], [one for one in people if set(names) & set(one.tracks)]
        if word is None and len(shown) < 2:
            person = shown[0] if shown else None
        elif word is not None:
            person = find_person(people, word)
        else:
            person = chosen_person(shown, names, other=taken)
            note = person and choice_notice(shown, person, side, _FLAGS[side], names)
            notices += [note] if note else []
        if side == "b" and person is not None and taken is not None and person.id == taken.id:
            if word is not None or given["a"] is not None or len(shown) > 1:
                raise OptionsError(
                    f"A and B are both person {person.label}; choose two with --person-a and "
                    "--person-b."
                )
            person = None
        if person is not None and (word is not None or len(shown) > 1):
            chosen[side] = str(person.id)
        taken = person
    return chosen, notices


def load_person(
    project: Project,
    side: Side,
    person: str | None,
    config: FaceLoadConfig,
    report: ReportProgress,
) -> FaceSet:
    """Load a side's faces, of one person or of all; starts over if they are replaced meanwhile.

    Raises NoFaceError when the person has too few.
    """
    while True:
        before = _places(project, side)
        try:
            with project.open_index_read_only() as index:
                others = _others(project, people_of(project, index), side, person)
            found = load_face_folders(before, side, config, report, others)
        except NoFaceError:
            if before == _places(project, side):
                raise
            continue
        if before == _places(project, side):
            return found


def _sources(project: Project, side: Side) -> list[str]:
    return [source.id for source in project.sources() if side in source.sides]


def _places(project: Project, side: Side) -> list[Path]:
    """Folders of the crops of a side; its own folder where it has no sources yet."""
    return [project.crops_folder(name) for name in _sources(project, side) or [side]]


def _others(
    project: Project, people: Sequence[Person], side: Side, person: str | None
) -> dict[Path, set[int]]:
    """By folder, the tracks that are of other people than ``person``, or of ignored ones."""
    left_out: dict[Path, set[int]] = {}
    for name in _sources(project, side):
        folder = project.crops_folder(name)
        for other in people:
            if other.ignored or (person is not None and str(other.id) != person):
                left_out.setdefault(folder, set()).update(other.numbers(name))
    return left_out
