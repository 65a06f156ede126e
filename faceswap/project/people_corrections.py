"""What the user says of people: merge, split, name, ignore, move. A new extraction keeps it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from faceswap.errors import OptionsError
from faceswap.faces.index import FaceIndex
from faceswap.faces.people_groups import gallery, group_tracks, likeness
from faceswap.project.pairs import replace_people
from faceswap.project.people import Person, TrackKey, entries_of, find_person, people_of
from faceswap.project.project import Project

Tracks = Mapping[str, Iterable[int]]

_DECIDED = ("people", "pairs")
"""Parts of the settings that say what was decided of people."""
_NO_FACE = "no face"


def merge(project: Project, people: list[Person], words: Iterable[str]) -> None:
    """Make several people one, which keeps the number and, if it has one, the name of the first.

    Raises OptionsError when there are less than two, one of them does not exist, or they are A and
    B of a run.
    """
    found = {person.id: person for person in (find_person(people, word) for word in words)}
    chosen = list(found.values())
    first, others = chosen[0], chosen[1:]
    if not others:
        raise OptionsError("Give at least two people to merge, such as --merge 2 5.")
    tracks = _joined(first.tracks_by_source(), *(other.tracks_by_source() for other in others))
    name = next((person.name for person in chosen if person.name), "")

    def change(settings: dict[str, Any]) -> None:
        gone = {person.id for person in others}
        replace_people(settings, first.id, gone)
        settings["people"] = [e for e in entries_of(settings) if e["id"] not in gone]
        _pin(settings, first.id, tracks)
        if name:
            _entry(settings, first.id)["name"] = name

    project.change_settings(change)


def split(project: Project, index: FaceIndex, people: list[Person], words: list[str]) -> int:
    """Split a person in two, and return the number of the new one.

    words: the person, then the tracks that are of the new one, as SOURCE:TRACK; without any, those
    that look least like the rest. Raises OptionsError when that is not possible.
    """
    person = find_person(people, words[0])
    named = [_track(person, word) for word in words[1:]]
    moved = named or _other_half(index, person)
    every = {(s, number) for s, numbers in person.tracks_by_source().items() for number in numbers}
    if not set(moved) < every:
        raise OptionsError(
            f"Person {person.label} must keep a track; name some of its {len(every)} tracks."
        )
    number = 1 + max([known.id for known in people] + _numbers(project))

    def change(settings: dict[str, Any]) -> None:
        _pin(settings, person.id, _by_source(every - set(moved)))
        _pin(settings, number, _by_source(moved))

    project.change_settings(change)
    return number


def rename(project: Project, people: list[Person], word: str, name: str) -> None:
    """Name a person; an empty name removes it.

    Raises OptionsError when another person has the name, or it is a number.
    """
    person = find_person(people, word)
    if name.isdigit() or any(other.name == name != "" for other in people if other is not person):
        raise OptionsError(f"{name!r} can't be a name: it is a number, or another person's.")

    def change(settings: dict[str, Any]) -> None:
        _entry(settings, person.id)["name"] = name

    project.change_settings(change)


def ignore(project: Project, people: list[Person], words: Iterable[str], ignored: bool) -> None:
    """Ignore people, such as a poster or extras, or no longer; raises OptionsError as ``merge``."""
    numbers = [find_person(people, word).id for word in words]

    def change(settings: dict[str, Any]) -> None:
        for number in numbers:
            _entry(settings, number)["ignored"] = ignored

    project.change_settings(change)


def move_tracks(
    project: Project, people: list[Person], tracks: Iterable[TrackKey], person: int | None
) -> None:
    """Say that tracks show another person; None: that they show no face.

    What shows no face is ignored, and so are tracks like it. Raises OptionsError when there is no
    such person or track.
    """
    moved = list(tracks)
    known = {
        (source, number)
        for one in people
        for source, numbers in one.tracks_by_source().items()
        for number in numbers
    }
    missing = [f"{source}:{number}" for source, number in moved if (source, number) not in known]
    if missing:
        raise OptionsError(f"There is no track {', '.join(missing)}; list the people again.")
    if person is not None:
        find_person(people, str(person))

    def change(settings: dict[str, Any]) -> None:
        goal = person
        if goal is None:
            known = [entry["id"] for entry in entries_of(settings) if entry.get("no_face")]
            numbers = [one.id for one in people] + [entry["id"] for entry in entries_of(settings)]
            goal = known[0] if known else 1 + max(numbers, default=0)
            _entry(settings, goal).update({"name": _NO_FACE, "ignored": True, "no_face": True})
        _pin(settings, goal, _by_source(moved))

    project.change_settings(change)


def decided(project: Project) -> str:
    """All that was decided of people, as text that ``go_back`` takes."""
    settings = project.settings()
    return json.dumps({part: settings.get(part, []) for part in _DECIDED})


def go_back(project: Project, earlier: str, expected: str) -> None:
    """Go back to what was decided earlier.

    expected: what the caller takes to be decided now. Raises OptionsError when something else is,
    by another program or a new extraction, and nothing is changed then.
    """

    def change(settings: dict[str, Any]) -> None:
        now = json.dumps({part: settings.get(part, []) for part in _DECIDED})
        if now != expected:
            raise OptionsError(
                "The people were changed meanwhile, by another program or a new extraction, so "
                "this can't be undone any more; correct them anew."
            )
        before = json.loads(earlier)
        settings.update({part: before.get(part, []) for part in _DECIDED})

    project.change_settings(change)


def _entry(settings: dict[str, Any], number: int) -> dict[str, Any]:
    entries: list[dict[str, Any]] = settings.setdefault("people", [])
    for entry in entries:
        if entry["id"] == number:
            return entry
    entries.append({"id": number})
    return entries[-1]


def _pin(settings: dict[str, Any], number: int, tracks: Tracks) -> None:
    """Say that tracks are of a person, and no longer of any other."""
    wanted = {source: set(numbers) for source, numbers in tracks.items()}
    for entry in entries_of(settings):
        for source, known in entry.get("tracks", {}).items():
            entry["tracks"][source] = [n for n in known if n not in wanted.get(source, ())]
    own = _entry(settings, number).setdefault("tracks", {})
    for source, numbers in wanted.items():
        own[source] = sorted(set(own.get(source, [])) | numbers)


def _joined(*all_tracks: Tracks) -> dict[str, set[int]]:
    joined: dict[str, set[int]] = {}
    for tracks in all_tracks:
        for source, numbers in tracks.items():
            joined.setdefault(source, set()).update(numbers)
    return joined


def _by_source(tracks: Iterable[tuple[str, int]]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for source, number in tracks:
        found.setdefault(source, set()).add(number)
    return found


def _numbers(project: Project) -> list[int]:
    return [int(entry["id"]) for entry in entries_of(project.settings())]


def _track(person: Person, word: str) -> tuple[str, int]:
    source, _, number = word.partition(":")
    if number.isdigit() and int(number) in person.numbers(source):
        return source, int(number)
    known = [f"{s}:{n}" for s, numbers in person.tracks_by_source().items() for n in numbers]
    raise OptionsError(
        f"{word!r} is not a track of person {person.label}; its tracks are {', '.join(known[:20])}"
        f"{' and more' if len(known) > 20 else ''}."
    )


def _other_half(index: FaceIndex, person: Person) -> list[tuple[str, int]]:
    """The tracks of a person that look least like the rest of them."""
    names = [(s, row) for s, rows in person.tracks.items() for row in rows if len(row.embeddings)]
    vectors = {n: row.embeddings.astype(np.float32) for n, (_, row) in enumerate(names)}
    if len(names) < 2:
        raise OptionsError(
            f"Person {person.label} has one track only, which is one person by itself."
        )
    places = {name: n for n, (source, row) in enumerate(names) for name in [(source, row.track)]}
    apart = {
        (places[source, one], places[source, other])
        for source in person.tracks
        for one, other in index.tracks_together(source)
        if (source, one) in places and (source, other) in places
    }
    groups = group_tracks(vectors, apart, least=-0.99, count=2)
    sets = [gallery([vectors[n] for n in group]) for group in groups]
    rest = min(range(1, len(groups)), key=lambda n: likeness(sets[0], sets[n]))
    return [(names[n][0], names[n][1].track) for n in groups[rest]]


def corrected(project: Project) -> list[Person]:
    """All people, read again after a correction."""
    with project.open_index_read_only() as index:
        return people_of(project, index)
