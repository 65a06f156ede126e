"""Which tracks of a source a conversion swaps, by the model of which run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceswap.errors import CheckpointError, OptionsError
from faceswap.faces.index import FaceIndex
from faceswap.options import Side
from faceswap.project.people import (
    Person,
    choice_notice,
    chosen_person,
    find_person,
    people_of,
)
from faceswap.project.project import Project
from faceswap.project.unswapped import is_left
from faceswap.training.run_metadata import read_newest_header


@dataclass(frozen=True)
class Part:
    """The tracks that one run's model swaps; None: all, as nobody else is there."""

    run: str
    tracks: frozenset[int] | None


@dataclass(frozen=True)
class SwapPlan:
    """What a conversion swaps. left: whether a face, by track and frame, is left unswapped.

    choice: who was chosen of several, in a sentence; empty where there was no choice. warnings:
    what may not be meant.
    """

    parts: tuple[Part, ...]
    left: Callable[[int, int], bool]
    warnings: tuple[str, ...] = ()
    choice: str = ""

    @property
    def notices(self) -> tuple[str, ...]:
        """All that is to be told."""
        return (*self.warnings, *([self.choice] if self.choice else []))

    def keeps(self, part: Part) -> Callable[[int, int], bool]:
        """A function of track and frame: whether ``part`` swaps that face."""
        return lambda track, frame: (
            (part.tracks is None or track in part.tracks) and not self.left(track, frame)
        )


def plan_swap(
    project: Project,
    index: FaceIndex,
    source: str,
    run: str = "main",
    person: str | None = None,
    mapping: Sequence[str] = (),
) -> SwapPlan:
    """Plan the conversion of a source.

    person: number or name of who is swapped; mapping: PERSON=RUN for several. Without both, the
    person whom the run was trained on, if the source shows that one, or the one longest on screen.
    Raises OptionsError for a person that does not exist or is named twice, CheckpointError for a
    run that does not exist or puts a person's own face on.
    """
    people = people_of(project, index)
    left = is_left(project, source)
    if mapping:
        pairs = [_pair(project, people, word) for word in mapping]
        named = [found.id for found, _ in pairs]
        if len(set(named)) < len(named):
            raise OptionsError("A person is named twice in --map; each can have one run only.")
        parts = [_part(project, source, found, name) for found, name in pairs]
        notices = [note for found, name in pairs for note in _trained_on(project, found, name)]
        return SwapPlan(tuple(parts), left, tuple(notices + _absent(parts, pairs, source)))
    everyone = [known for known in people if source in known.tracks]
    shown = [known for known in everyone if not known.ignored]
    if person is not None:
        chosen = find_person(people, person)
        part = _part(project, source, chosen, run)
        notices = _trained_on(project, chosen, run) + _absent([part], [(chosen, run)], source)
        return SwapPlan((part,), left, tuple(notices))
    if len(everyone) < 2 and shown == everyone:
        told = [note for alone in everyone for note in _new_to_a(people, alone, run)]
        return SwapPlan((Part(run, None),), left, tuple(told))
    known_a = trained_people(project, run)["a"]
    trained = [known for known in shown if str(known.id) == known_a]
    taken = trained[0] if trained else chosen_person(shown, [source])
    if taken is None:
        return SwapPlan((Part(run, frozenset()),), left, ("Everyone in it is ignored.",))
    part = Part(run, frozenset(taken.numbers(source)))
    if trained:
        choice = (
            f"Person {taken.label} is swapped, whom the run {run!r} was trained on; choose others "
            "with --person or --map."
        )
        return SwapPlan((part,), left, choice=choice if len(shown) > 1 else "")
    note = choice_notice(shown, taken, "a", "--person", [source])
    return SwapPlan((part,), left, choice=note or "")


def trained_people(project: Project, run: str) -> Mapping[Side, str | None]:
    """Numbers of the people that a run was trained on; None where there was no choice."""
    begun: dict[str, Any] = (
        read_newest_header(project.runs_folder / run)
        .get("numbers", {})
        .get("notes", {})
        .get("begun", {})
    )
    return {"a": begun.get("person_a"), "b": begun.get("person_b")}


def _pair(project: Project, people: Sequence[Person], word: str) -> tuple[Person, str]:
    name, equals, run = word.partition("=")
    if not equals or not run:
        raise OptionsError(f"{word!r} is no part of a map; give PERSON=RUN, such as --map 1=main.")
    return find_person(people, name), run


def _part(project: Project, source: str, person: Person, run: str) -> Part:
    folder = project.runs_folder / run
    if not folder.is_dir():
        runs = project.runs_folder
        known = sorted(p.name for p in runs.iterdir()) if runs.is_dir() else []
        raise CheckpointError(
            f"There is no run {run!r}; there are {', '.join(known) or 'none yet'}."
        )
    if trained_people(project, run)["b"] == str(person.id):
        raise CheckpointError(
            f"The run {run!r} puts the face of person {person.label} on others, so it can't be "
            "used on that person; choose another run or person."
        )
    return Part(run, frozenset(person.numbers(source)))


def _trained_on(project: Project, person: Person, run: str) -> list[str]:
    known = trained_people(project, run)["a"]
    if known in (None, str(person.id)):
        return []
    return [
        f"The run {run!r} was trained on person {known}; person {person.label} may look less like "
        "B until it is trained on that person, too."
    ]


def _new_to_a(people: Sequence[Person], alone: Person, run: str) -> list[str]:
    """What to tell when someone is swapped who is not among A's people; B is another matter."""
    if alone.sides or not any("a" in known.sides for known in people):
        return []
    return [
        f"This is person {alone.label}, whom A's sources do not show; the run {run!r} was not "
        "trained on them, so they may look less like B until it is."
    ]


def _absent(parts: Sequence[Part], pairs: Sequence[tuple[Person, str]], source: str) -> list[str]:
    return [
        f"Person {person.label} is not in {source.upper()}; nobody is swapped by the run {run!r}."
        for part, (person, run) in zip(parts, pairs, strict=True)
        if not part.tracks
    ]
