"""Preview: write one swapped frame, or run the preview server for the window."""

import json
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from faceswap.background import in_background
from faceswap.errors import FaceswapError, InputError, OptionsError
from faceswap.events import Answer, Event, Notice, Preview, Progress, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions

if TYPE_CHECKING:
    from faceswap.preview.server import PreviewServer
    from faceswap.preview.session import PreviewSession


FILE_REQUESTS = frozenset({"spans", "faces", "exclude", "restore", "metrics"})
"""Requests whose results grow with the clip, its faces or the run; they are written to a file."""


class PreviewOptions(BlendOptions):
    """Write one frame of A with the face swapped, or run the preview server."""

    renamed: ClassVar[Mapping[str, str]] = {**BlendOptions.renamed, "name": "run"}

    project: ProjectFolder
    frame: Annotated[
        int, Presentation(common=True), Field(ge=0, description="Number of the frame of A, from 0.")
    ] = 0
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="The picture to write, such as frame.png."),
    ] = None
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    serve: Annotated[
        bool,
        Field(
            description="Run the preview server: read requests from standard input, one line of "
            "JSON each, until it closes. For programs, with --events jsonl."
        ),
    ] = False
    device: Device = "auto"
    overwrite: Overwrite = False


class PreviewSummary(Summary):
    """Result of a preview."""

    answered: int = 0
    output: Path | None = None
    faces: int = 0
    frame: int = 0
    nearest: int | None = None

    def text(self) -> str:
        """One sentence for a person."""
        if self.output is None:
            return f"{self.answered} requests answered."
        if self.faces:
            return f"{self.output}: {self.faces} faces swapped."
        if self.nearest is None:
            return f"{self.output}: A unchanged, as A has no face in any frame."
        return (
            f"{self.output}: A unchanged, as frame {self.frame} has no face; the nearest frame "
            f"with one is {self.nearest}."
        )


def preview(options: PreviewOptions) -> Generator[Event, None, PreviewSummary]:
    """Write one frame of A with the face swapped, or run the preview server.

    The frame is the same as 'convert' would write; use it to try blending options.

        faceswap preview --project P --frame 100 -o frame.png --mask-blur 0.2

    With --serve each line of standard input is a request such as
    ``{"id": 1, "do": "frame", "side": "a", "frame": 25}``, answered by one event with the same id.
    Requests are the ``on_`` methods of ``faceswap.preview.server.PreviewServer``. Requests spans,
    faces, exclude, restore and metrics need a file for the result: ``"into": "/tmp/1.json"``.
    """
    if options.serve == (options.output is not None):
        raise OptionsError("Give either -o with a picture to write, or --serve.")
    if options.output is not None:
        return (yield from _write_one(options, options.output))
    from faceswap.preview.server import PreviewServer

    with PreviewServer(options.project, options.device) as server:
        return (yield from _serve(server))


def _write_one(options: PreviewOptions, output: Path) -> Generator[Event, None, PreviewSummary]:
    from faceswap.errors import OutputError
    from faceswap.io.provenance import check_picture_name

    check_picture_name(output)
    if output.exists() and not options.overwrite:
        raise OutputError(f"{output} exists; add --overwrite to replace it.")
    yield Progress(stage="preview", done=0, total=1, unit="pictures")
    made = yield from in_background("preview", lambda _: _render(options, output), "pictures")
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


def _render(options: PreviewOptions, output: Path) -> _Rendered:
    """Swap the chosen frame and write it to ``output``."""
    from faceswap.preview.session import PreviewSession, write_picture

    with PreviewSession(options.project, options.device) as session:
        _check_frame(options, session)
        made = session.swapped(options.frame, options.run, options)
        write_picture(output, made.image)
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


def _serve(server: "PreviewServer") -> Generator[Event, None, PreviewSummary]:
    count = 0
    for line in sys.stdin:
        if line.strip():
            yield _answer(server, line)
            yield from _notices(server)
            count += 1
    return PreviewSummary(answered=count)


def _notices(server: "PreviewServer") -> Generator[Event, None, None]:
    """Yield the session's new notices and clear them."""
    notices, server.session.notices = server.session.notices, []
    for sentence in notices:
        yield Notice(message=sentence)


def _answer(server: "PreviewServer", line: str) -> Answer:
    """Answer one request; errors become an answer, so that the server keeps running."""
    number = 0
    try:
        request: dict[str, Any] = json.loads(line)
        number, do = int(request.pop("id")), str(request.pop("do"))
        into = request.pop("into", None)
        if do not in FILE_REQUESTS:
            return Answer(id=number, values=server.answer(do, request))
        if into is None:
            raise OptionsError(f'The result of "{do}" may be long; give it a file with "into".')
        values = server.answer(do, request)
        Path(into).write_text(json.dumps(values), encoding="utf-8")
        return Answer(id=number, path=Path(into))
    except FaceswapError as error:
        return Answer(id=number, error=str(error))
    except OSError as error:
        return Answer(id=number, error=f"{error.filename}: {error.strerror or error}.")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Answer(id=number, error=f"The request is not valid: {error!r}.")
    except Exception as error:  # noqa: BLE001  (one bad frame must not end the preview)
        return Answer(
            id=number, error=f"Unexpected error, please report it: {type(error).__name__}: {error}"
        )
