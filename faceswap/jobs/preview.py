"""Preview: write one swapped frame."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

from pydantic import Field

from faceswap.background import in_background
from faceswap.errors import InputError, OutputError
from faceswap.events import Event, Notice, Preview, Progress, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions

if TYPE_CHECKING:
    from faceswap.preview.session import PreviewSession


class PreviewOptions(BlendOptions):
    """Write one frame of A with the face swapped."""

    renamed: ClassVar[Mapping[str, str]] = {**BlendOptions.renamed, "name": "run"}
    removed: ClassVar[Mapping[str, str]] = {
        "serve": "use the command 'faceswap serve --project P --exchange DIR'"
    }

    project: ProjectFolder
    frame: Annotated[
        int, Presentation(common=True), Field(ge=0, description="Number of the frame of A, from 0.")
    ] = 0
    output: Annotated[
        Path,
        Presentation(short="-o", common=True),
        Field(description="The picture to write, such as frame.png."),
    ]
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    mask: Annotated[
        bool, Field(description="Write the frame of A tinted where faces would be swapped instead.")
    ] = False
    device: Device = "auto"
    overwrite: Overwrite = False


class PreviewSummary(Summary):
    """Result of a preview: ``nearest`` is the frame with a face nearest to ``frame``."""

    output: Path
    faces: int
    frame: int
    nearest: int | None

    def text(self) -> str:
        """One sentence for a person."""
        if self.faces:
            return f"{self.output}: {self.faces} faces swapped."
        if self.nearest is None:
            return f"{self.output}: A unchanged, as A has no face in any frame."
        return (
            f"{self.output}: A unchanged, as frame {self.frame} has no face; the nearest frame "
            f"with one is {self.nearest}."
        )


def preview(options: PreviewOptions) -> Generator[Event, None, PreviewSummary]:
    """Write one frame of A with the face swapped.

    The frame is the same as 'convert' would write; use it to try blending options.

        faceswap preview --project P --frame 100 -o frame.png --mask-blur 0.2
    """
    from faceswap.io.provenance import check_picture_name

    output = options.output
    check_picture_name(output)
    if output.exists() and not options.overwrite:
        raise OutputError(f"{output} exists; add --overwrite to replace it.")
    yield Progress(stage="preview", done=0, total=1, unit="pictures")
    made = yield from in_background("preview", lambda _: _render(options), "pictures")
    for problem in made.problems:
        yield Notice(message=problem)
    yield Preview(path=output, caption=f"frame {made.frame} with B's face")
    return PreviewSummary(output=output, faces=made.faces, frame=made.frame, nearest=made.nearest)


class _Rendered(NamedTuple):
    """A frame that was written. nearest: nearest frame with a face. problems: warnings."""

    frame: int
    faces: int
    nearest: int | None
    problems: tuple[str, ...]


def _render(options: PreviewOptions) -> _Rendered:
    """Swap the chosen frame and write it."""
    from faceswap.preview.session import Casting, PreviewSession, write_picture

    with PreviewSession(options.project, options.device) as session:
        _check_frame(options, session)
        made = session.swapped(Casting(run=options.run), options.frame, options, mask=options.mask)
        write_picture(options.output, made.image)
        nearest = session.nearest_face(made.frame)
        return _Rendered(made.frame, made.faces, nearest, tuple(session.notices))


def _check_frame(options: PreviewOptions, session: "PreviewSession") -> None:
    """Raise InputError when A has no frame of this number."""
    from faceswap.project.project import Project

    video = Project.open(options.project).video("a")
    footage = session.footage(video)
    last = footage.frame(options.frame).index
    if last != options.frame:
        cut_short = options.frame < footage.reader.info.frames
        raise InputError(
            f"{video.name} has no frame {options.frame}; its last one is {last}"
            f"{', as the file breaks off there' if cut_short else ''}."
        )
