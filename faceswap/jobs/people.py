"""List the people of a project, with a sheet of thumbnails, and correct who is who."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceswap.background import import_in_background, in_background
from faceswap.errors import OutputError
from faceswap.events import Event, Notice, Preview, Summary
from faceswap.options import Options, Presentation, ProjectFolder

if TYPE_CHECKING:
    from faceswap.faces.index import FaceIndex
    from faceswap.project.people import Person
    from faceswap.project.project import Project
    from faceswap.types import UInt8Image

SHEET = "people.png"
"""Name of the sheet in the project folder."""


class PeopleOptions(Options):
    """List the people of a project, with a sheet of thumbnails, and correct who is who."""

    project: ProjectFolder
    merge: Annotated[
        tuple[str, ...],
        Presentation(common=True, several=True),
        Field(description="Make these people one; the first keeps its number. Numbers or names."),
    ] = ()
    split: Annotated[
        tuple[str, ...],
        Presentation(common=True, several=True),
        Field(
            description="Split a person in two by looks; or move tracks out: --split 3 a:4 a2:0."
        ),
    ] = ()
    name: Annotated[
        tuple[str, ...],
        Presentation(common=True, several=True),
        Field(description="Name a person: --name 1 lead."),
    ] = ()
    ignore: Annotated[
        tuple[str, ...],
        Presentation(common=True, several=True),
        Field(description="Ignore these people: a poster, extras, a reflection."),
    ] = ()
    no_longer_ignore: Annotated[
        tuple[str, ...],
        Presentation(several=True),
        Field(description="Do not ignore these people any more."),
    ] = ()

    @model_validator(mode="after")
    def _complete(self) -> "PeopleOptions":
        if self.name and len(self.name) != 2:
            raise ValueError("--name takes a person and a name, such as --name 1 lead")
        if self.merge and len(self.merge) < 2:
            raise ValueError("--merge takes at least two people, such as --merge 2 5")
        return self


class PersonFacts(BaseModel):
    """One person. seconds: on screen, by source in ``sources``."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    ignored: bool
    sides: str
    faces: int
    tracks: int
    seconds: float
    sources: dict[str, float]


class PeopleSummary(Summary):
    """All people, and the sheet of their thumbnails; None where nothing can be written."""

    people: list[PersonFacts]
    sheet: Path | None = None

    def text(self) -> str:
        """A table."""
        wide = max([4, *(len(person.name) for person in self.people)]) + 2
        lines = [f"{'':>4}  {'name':<{wide}}{'sides':<7}{'seconds':>8}{'faces':>9}{'tracks':>8}"]
        for person in self.people:
            note = "  ignored" if person.ignored else ""
            lines.append(
                f"{person.id:>4}  {person.name:<{wide}}{' '.join(person.sides.upper()):<7}"
                f"{person.seconds:>8.1f}{person.faces:>9,}{person.tracks:>8,}{note}"
            )
            shown = ", ".join(f"{name} {spent:.1f} s" for name, spent in person.sources.items())
            lines.append(f"      {shown[:200]}")
        if self.sheet is not None:
            lines.append(f"Thumbnails: {self.sheet}")
        return "\n".join(lines)


def people(options: PeopleOptions) -> Generator[Event, None, PeopleSummary]:
    """List the people of a project, with a sheet of thumbnails, and correct who is who.

    People are the faces of all sources, grouped by their looks. Writes people.png to the project.
    What is corrected stays when footage is extracted again. With several people on a side, the one
    longest on screen is trained and swapped, unless another one is chosen.

        faceswap people --project P --merge 2 5
    """
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield from import_in_background("people", "faceswap.project.grouping")
    from faceswap.project.grouping import group_people
    from faceswap.project.people_corrections import corrected

    yield from in_background("group", lambda report: group_people(project, report), "sources")
    for message in (yield from in_background("correct", lambda _: _correct(project, options))):
        yield Notice(message=message)
    found = yield from in_background("people", lambda _: corrected(project))
    sheet: Path | None = project.folder / SHEET
    try:
        yield from in_background("sheet", lambda _: _write_sheet(project, found), "people")
    except OutputError as error:  # the project may be read-only
        yield Notice(message=str(error))
        sheet = None
    if sheet is not None:
        yield Preview(path=sheet, caption="People, the one longest on screen first")
    return PeopleSummary(people=[_facts(person) for person in found], sheet=sheet)


def _correct(project: "Project", options: PeopleOptions) -> list[str]:
    """Apply the corrections in order; returns what to tell."""
    from faceswap.project import people_corrections as corrections
    from faceswap.project.people import people_of

    told = []
    if options.merge:
        corrections.merge(project, corrections.corrected(project), options.merge)
    if options.split:
        with project.open_index_read_only() as index:
            known = people_of(project, index)
            number = corrections.split(project, index, known, list(options.split))
        told.append(f"The new person is {number}.")
    if options.name:
        corrections.rename(project, corrections.corrected(project), *options.name)
    for words, ignored in ((options.ignore, True), (options.no_longer_ignore, False)):
        if words:
            corrections.ignore(project, corrections.corrected(project), words, ignored)
    return told


def _facts(person: "Person") -> PersonFacts:
    return PersonFacts(
        id=person.id,
        name=person.name,
        ignored=person.ignored,
        sides=person.sides,
        faces=person.faces,
        tracks=sum(map(len, person.tracks.values())),
        seconds=person.seconds(),
        sources={source: person.seconds([source]) for source in person.tracks},
    )


def _write_sheet(project: "Project", found: "list[Person]") -> None:
    from faceswap.faces.people_sheet import encode_png, people_sheet
    from faceswap.io.atomic import write_atomically

    with project.open_index_read_only() as index:
        rows = [(_label(person), _crops(project, index, person)) for person in found[:_MOST_ROWS]]
    write_atomically(project.folder / SHEET, encode_png(people_sheet(rows)))


_MOST_ROWS = 60
"""People on a sheet, those longest on screen."""


def _label(person: "Person") -> str:
    name = f" {person.name}" if person.name else ""
    state = ", ignored" if person.ignored else ""
    return (
        f"{person.id}{name}   {person.seconds():.1f} s, {person.faces:,} faces, "
        f"in {', '.join(list(person.tracks)[:6])}{state}"
    )


def _crops(project: "Project", index: "FaceIndex", person: "Person") -> "list[UInt8Image]":
    """Crops of a person, spread over its longest tracks."""
    from faceswap.errors import InputError
    from faceswap.faces.crops import read_crop
    from faceswap.faces.manual_exclusion import EXCLUDED
    from faceswap.faces.people_sheet import THUMBNAILS

    tracks = [(r.faces, source, r.track) for source, rows in person.tracks.items() for r in rows]
    found: list[UInt8Image] = []
    longest = sorted(tracks, reverse=True)[:THUMBNAILS]
    each = -(-THUMBNAILS // max(len(longest), 1))
    for _, source, track in longest:
        folder = project.crops_folder(source)
        for name in index.crops_of_tracks(source, {track}, each).get(track, []):
            for path in (folder / name, folder / EXCLUDED / name):
                try:
                    found += [read_crop(path).image] if path.is_file() else []
                except InputError:
                    continue  # training tells about damaged crops
    return found
