"""The people of a project: groups of tracks over all sources, and what the user said of them.

Tracks are put into groups by their looks (``grouping.py``); that is in the index. What the user
says — a name, who is ignored, which tracks belong together — is in ``project.toml`` and wins:

::

    [[people]]
    id = 2
    name = "lead"
    ignored = false
    no_face = false                     # what was said to be no face at all
    tracks = { a = [0, 3], b = [1] }    # said to be this person's, whatever they look like
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from faceswap.errors import OptionsError, ProjectError
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import TrackRow
from faceswap.options import Side
from faceswap.project.project import Project

TrackKey = tuple[str, int]
"""Source and number of a track."""

_STILL = 0.04
"""Seconds on screen that a face in a photograph counts as."""


@dataclass(frozen=True)
class Person:
    """A person. tracks: by source, those that show the person. seconds: on screen in all.

    sides: of the sources that show the person. no_face: whether these tracks show no face.
    """

    id: int
    name: str = ""
    ignored: bool = False
    tracks: Mapping[str, tuple[TrackRow, ...]] = field(default_factory=dict)
    sides: str = ""
    no_face: bool = False

    @property
    def label(self) -> str:
        """The name, or the number where there is none."""
        return self.name or str(self.id)

    @property
    def faces(self) -> int:
        """Number of faces in all sources."""
        return sum(row.faces for rows in self.tracks.values() for row in rows)

    def seconds(self, sources: Iterable[str] | None = None) -> float:
        """Seconds on screen, in the given sources or in all; photographs count a little."""
        rows = [r for s in self.tracks if sources is None or s in sources for r in self.tracks[s]]
        return sum(row.seconds or _STILL * row.faces for row in rows)

    def tracks_by_source(self) -> dict[str, list[int]]:
        """Numbers of the person's tracks by source."""
        return {source: [row.track for row in rows] for source, rows in self.tracks.items()}

    def numbers(self, source: str) -> set[int]:
        """Numbers of the person's tracks in a source."""
        return {row.track for row in self.tracks.get(source, ())}


def entries_of(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the user said of people; raises ProjectError when it is damaged."""
    entries = settings.get("people", [])
    for entry in entries if isinstance(entries, list) else [None]:
        tracks = entry.get("tracks", {}) if isinstance(entry, dict) else None
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("id"), int)
            or not isinstance(entry.get("name", ""), str)
            or not isinstance(tracks, dict)
            or not all(isinstance(numbers, list) for numbers in tracks.values())
        ):
            raise ProjectError("The people in project.toml are damaged; correct or remove them.")
    return list(entries)


def pinned(settings: Mapping[str, Any]) -> dict[TrackKey, int]:
    """The person of each track that the user has decided on."""
    return {
        (source, int(track)): int(entry["id"])
        for entry in entries_of(settings)
        for source, tracks in entry.get("tracks", {}).items()
        for track in tracks
    }


def people_of(project: Project, index: FaceIndex) -> list[Person]:
    """All people of a project, the one longest on screen first."""
    settings = project.settings()
    pins, entries = pinned(settings), {entry["id"]: entry for entry in entries_of(settings)}
    tracks: dict[int, dict[str, list[TrackRow]]] = defaultdict(lambda: defaultdict(list))
    sides: dict[int, set[str]] = defaultdict(set)
    for source in project.sources():
        for row in index.tracks(source.id):
            person = pins.get((source.id, row.track), row.person)
            if person is not None:
                tracks[person][source.id].append(row)
                sides[person] |= set(source.sides)
    people = [
        Person(
            person,
            str(entries.get(person, {}).get("name", "")),
            bool(entries.get(person, {}).get("ignored", False)),
            {source: tuple(rows) for source, rows in found.items()},
            "".join(sorted(sides[person])),
            bool(entries.get(person, {}).get("no_face", False)),
        )
        for person, found in tracks.items()
    ]
    return sorted(people, key=lambda person: (-person.seconds(), person.id))


def find_person(people: Iterable[Person], word: str) -> Person:
    """The person with this number or name; raises OptionsError when there is none."""
    known = list(people)
    for person in known:
        if word in (str(person.id), person.name):
            return person
    labels = ", ".join(
        f"{person.id} ({person.name})" if person.name else str(person.id) for person in known
    )
    raise OptionsError(f"There is no person {word!r}; there are {labels or 'none yet'}.")


def chosen_person(
    people: Iterable[Person], sources: Iterable[str], other: Person | None = None
) -> Person | None:
    """The person longest on screen in the sources, without the ignored ones and ``other``."""
    wanted = set(sources)
    shown = [
        person
        for person in people
        if not person.ignored and wanted & set(person.tracks) and person is not other
    ]
    return max(shown, key=lambda person: person.seconds(wanted), default=None)


def choice_notice(
    people: Iterable[Person], chosen: Person, side: Side, flag: str, sources: Iterable[str]
) -> str | None:
    """What to tell when one of several people in the sources was taken; None without a choice."""
    wanted = set(sources)
    others = [
        person
        for person in people
        if wanted & set(person.tracks) and not person.ignored and person.id != chosen.id
    ]
    if not others:
        return None
    more = "one other person is" if len(others) == 1 else f"{len(others)} other people are"
    return (
        f"{side.upper()} is person {chosen.label}, {chosen.seconds(wanted):.1f} s on screen, the "
        f"longest of all; {more} there too. Choose with {flag}; 'faceswap people' lists them."
    )
