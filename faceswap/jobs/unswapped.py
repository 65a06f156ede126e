"""Leave faces unswapped in conversions: a track, a range of frames, a single face."""

import re
from collections.abc import Generator
from typing import Annotated, Any

from pydantic import Field, model_validator

from faceswap.background import import_in_background
from faceswap.events import Event, Notice, Summary
from faceswap.options import Options, Presentation, ProjectFolder

_FRAMES = re.compile(r"(\d+)(?:-(\d+))?")


class UnswappedOptions(Options):
    """Leave faces unswapped in conversions: a track, a range of frames, a single face."""

    project: ProjectFolder
    source: Annotated[
        str,
        Presentation(common=True),
        Field(description="The source, as 'faceswap sources' lists it."),
    ] = "a"
    tracks: Annotated[
        tuple[int, ...],
        Presentation(common=True, several=True),
        Field(description="Leave these tracks unswapped; by default all faces of the frames."),
    ] = ()
    frames: Annotated[
        str | None,
        Presentation(common=True),
        Field(
            pattern=r"^\d+(-\d+)?$",
            description="Only in this frame, 120, or these, 100-120; by default in all frames.",
        ),
    ] = None
    undo: Annotated[bool, Field(description="Swap all faces of the source again.")] = False

    @model_validator(mode="after")
    def _either(self) -> "UnswappedOptions":
        if self.undo and (self.tracks or self.frames):
            raise ValueError("--undo is for the whole source; leave --tracks and --frames out")
        return self


class UnswappedSummary(Summary):
    """All spans that are left unswapped; see ``project/unswapped.py``."""

    spans: list[dict[str, Any]]

    def text(self) -> str:
        """A line for each span."""
        if not self.spans:
            return "No face is left unswapped."
        lines = []
        for span in self.spans:
            tracks = ", ".join(map(str, span.get("tracks", []))) or "all"
            frames = (
                f"frames {span['first']} to {span['last']}" if "first" in span else "all frames"
            )
            lines.append(f"{span['source']}: tracks {tracks}, {frames}")
        return "\n".join(lines)


def unswapped(options: UnswappedOptions) -> Generator[Event, None, UnswappedSummary]:
    """Leave faces unswapped in conversions: a track, a range of frames, a single face.

    Deleting a crop takes a face out of training only. This leaves it as it was filmed. Without
    tracks and frames, lists what is left unswapped.

        faceswap unswapped --project P --source a --tracks 3 --frames 100-120
    """
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield from import_in_background("unswapped", "faceswap.project.unswapped")
    from faceswap.project.unswapped import leave_unswapped, spans_of, swap_again

    if options.undo:
        count = swap_again(project, options.source)
        yield Notice(message=f"{count} spans of {options.source.upper()} are swapped again.")
    elif options.tracks or options.frames:
        leave_unswapped(project, options.source, options.tracks, _range(options.frames))
    return UnswappedSummary(spans=spans_of(project))


def _range(text: str | None) -> tuple[int, int] | None:
    match = _FRAMES.fullmatch(text or "")
    if match is None:
        return None
    return int(match[1]), int(match[2] or match[1])
