"""List a project's sources; relink, trim or remove one."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Notice, Summary
from faceswap.options import Options, Presentation, ProjectFolder

if TYPE_CHECKING:
    from faceswap.project.project import Project


class SourcesOptions(Options):
    """List a project's sources; relink, trim or remove one."""

    project: ProjectFolder
    relink: Annotated[
        tuple[str, ...],
        Presentation(common=True, several=True),
        Field(description="Say where the moved file of a source is: --relink a2 D/clip.mp4."),
    ] = ()
    remove: Annotated[
        str | None,
        Presentation(common=True),
        Field(description="Remove a source, with its faces and crops; its file stays."),
    ] = None
    trim: Annotated[
        str | None,
        Field(
            description="Set in and out point of this source, with --from and --to: the part that "
            "'faceswap convert' converts by default."
        ),
    ] = None
    begin: Annotated[
        float | None,
        Presentation(flag="--from"),
        Field(ge=0, description="In point in seconds; by default the beginning."),
    ] = None
    end: Annotated[
        float | None,
        Presentation(flag="--to"),
        Field(gt=0, description="Out point in seconds; by default the end."),
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> "SourcesOptions":
        if self.relink and len(self.relink) != 2:
            raise ValueError("--relink takes a source and a path, such as --relink a2 clip.mp4")
        if (self.begin, self.end) != (None, None) and self.trim is None:
            raise ValueError("--from and --to need --trim with the source they are for")
        return self


class SourceFacts(BaseModel):
    """One source. problem: why it can't be read, empty if it can."""

    model_config = ConfigDict(frozen=True)

    id: str
    path: Path
    kind: str
    sides: str
    faces: int
    tracks: int
    people: list[str]
    in_point: float | None
    out_point: float | None
    problem: str


class SourcesSummary(Summary):
    """All sources."""

    sources: list[SourceFacts]

    def text(self) -> str:
        """A table."""
        lines = [f"{'':<6}{'sides':<7}{'kind':<10}{'faces':>9}{'tracks':>8}  people"]
        for source in self.sources:
            shown = ", ".join(source.people) or "-"
            lines.append(
                f"{source.id:<6}{' '.join(source.sides.upper()) or '-':<7}{source.kind:<10}"
                f"{source.faces:>9,}{source.tracks:>8,}  {shown}"
            )
            trimmed = ""
            if source.in_point is not None or source.out_point is not None:
                trimmed = f", {source.in_point or 0:g} s to {source.out_point or 'the end'}"
            lines.append(f"      {source.path}{trimmed}")
            if source.problem:
                lines.append(f"      {source.problem}")
        return "\n".join(lines)


def sources(options: SourcesOptions) -> Generator[Event, None, SourcesSummary]:
    """List a project's sources; relink, trim or remove one.

    Sources are the videos, pictures and folders of pictures that 'faceswap extract' was given.

        faceswap sources --project P --relink a2 D/clip.mp4
    """
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield from import_in_background("sources", "faceswap.project.source_list")
    from faceswap.project.source_list import relink, remove_source, set_points

    if options.relink:
        name, path = options.relink
        relink(project, name, Path(path))
        yield Notice(message=f"{name.upper()} is {path} now.")
    if options.trim is not None:
        set_points(project, options.trim, options.begin, options.end)
    if options.remove is not None:
        remove = options.remove
        yield from in_background("remove", lambda _: remove_source(project, remove))
    found = yield from in_background("sources", lambda _: _facts(project))
    return SourcesSummary(sources=found)


def _facts(project: "Project") -> list[SourceFacts]:
    from faceswap.project.people import people_of

    with project.open_index_read_only() as index:
        people = people_of(project, index)
        facts = []
        for source in project.sources():
            tracks = index.track_counts(source.id)
            facts.append(
                SourceFacts(
                    id=source.id,
                    path=source.path,
                    kind=source.kind,
                    sides=source.sides,
                    faces=tracks[0],
                    tracks=tracks[1],
                    people=[person.label for person in people if source.id in person.tracks],
                    in_point=source.in_point,
                    out_point=source.out_point,
                    problem="" if source.path.exists() else "It is missing; use --relink.",
                )
            )
    return facts
