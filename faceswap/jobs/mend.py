"""Add faces by hand where none was found, delete false ones, or take that back."""

import re
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Summary
from faceswap.faces.extract_options import DetectorName
from faceswap.options import Options, Presentation, ProjectFolder

if TYPE_CHECKING:
    from faceswap.project.by_hand import Mend
    from faceswap.project.project import Project

_FRAMES = re.compile(r"(\d+)(?:-(\d+))?")


class MendOptions(Options):
    """Add faces by hand where none was found, or delete false ones."""

    project: ProjectFolder
    source: Annotated[
        str,
        Presentation(common=True),
        Field(description="The source, as 'faceswap sources' lists it."),
    ] = "a"
    frames: Annotated[
        str | None,
        Presentation(common=True),
        Field(
            pattern=r"^\d+(-\d+)?$",
            description="The frames, such as 100-160; a face in a box is followed up to the last.",
        ),
    ] = None
    box: Annotated[
        tuple[float, ...],
        Presentation(common=True, several=True),
        Field(
            description="Left, top, right and bottom of the face in the first frame, in pixels: "
            "--box 310 80 420 220. By default the frames are searched by --detector."
        ),
    ] = ()
    delete: Annotated[
        bool,
        Presentation(common=True),
        Field(
            description="Delete faces that are none: the one in the box, in all of these frames, "
            "or every face of the first frame."
        ),
    ] = False
    detector: DetectorName = "centerface"
    undo: Annotated[
        bool, Field(description="Take back what was last done to the source by hand.")
    ] = False

    @model_validator(mode="after")
    def _complete(self) -> "MendOptions":
        if self.undo and (self.frames or self.box or self.delete):
            raise ValueError("--undo takes back the last; leave --frames, --box and --delete out")
        if not self.undo and self.frames is None:
            raise ValueError("--frames says where; give it, such as --frames 100-160")
        if self.box and len(self.box) != 4:
            raise ValueError("--box takes four numbers, such as --box 310 80 420 220")
        if self.box and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("--box takes left and top, then right and bottom")
        return self


class MendSummary(Summary):
    """What was added, deleted or taken back.

    removed: whether something was taken back. deleted: whether faces were deleted.
    """

    source: str
    first: int
    last: int
    faces: int
    removed: bool = False
    deleted: bool = False

    def text(self) -> str:
        """One sentence for a person."""
        name = self.source.upper()
        if self.removed:
            done = "deleted" if self.deleted else "added"
            return f"{name}: what was {done} from frame {self.first} on is taken back."
        done = "deleted" if self.deleted else "added"
        return f"{name}: {self.faces} faces {done} in frames {self.first} to {self.last}."


def mend(options: MendOptions) -> Generator[Event, None, MendSummary]:
    """Add faces by hand where none was found, or delete false ones.

    Faces that are known stay as they are where others are added. What is done by hand stays when
    the source is extracted again, and --undo takes it back.

        faceswap mend --project P --source a --frames 100-160 --box 310 80 420 220
        faceswap mend --project P --source a --frames 30 --box 12 8 40 42 --delete
    """
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield from import_in_background("mend", "faceswap.project.mending", "faceswap.video.reader")
    from faceswap.project.by_hand import Mend
    from faceswap.project.source_list import source_of

    source = source_of(project, options.source).id
    if options.undo:
        return (yield from _undo(project, source))
    match = _FRAMES.fullmatch(options.frames or "")
    assert match is not None
    first, end = int(match[1]), int(match[2] or match[1])
    box = (options.box[0], options.box[1], options.box[2], options.box[3]) if options.box else None
    wanted = Mend(source, min(first, end), max(first, end), box, options.detector)
    count = yield from (_delete if options.delete else _add)(project, wanted)
    return MendSummary(
        source=source, first=wanted.first, last=wanted.last, faces=count, deleted=options.delete
    )


def _undo(project: "Project", source: str) -> Generator[Event, None, MendSummary]:
    from faceswap.project.mending import unmend

    last = yield from in_background("mend", lambda _: unmend(project, source))
    return MendSummary(
        source=source, first=last.first, last=last.last, faces=0, removed=True, deleted=last.delete
    )


def _delete(project: "Project", wanted: "Mend") -> Generator[Event, None, int]:
    from faceswap.project.deleting import delete, track_in

    choose = track_in(wanted.box)
    return (yield from in_background("mend", lambda _: delete(project, wanted, choose)))


def _add(project: "Project", wanted: "Mend") -> Generator[Event, None, int]:
    from faceswap.faces.downloads import download_weights
    from faceswap.project.grouping import group_people
    from faceswap.project.mending import mend as add
    from faceswap.video.reader import open_footage

    yield from download_weights(wanted.detector, "builtin")
    with open_footage(project.video(wanted.source)) as footage:
        count = yield from in_background(
            "mend", lambda report: add(project, footage, wanted, report), "frames"
        )
    yield from in_background("group", lambda report: group_people(project, report), "sources")
    return count
