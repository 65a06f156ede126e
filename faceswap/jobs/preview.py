"""Single pictures of a project: one for the command line, or as many as are asked for."""

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


GROWING = frozenset({"spans", "faces", "exclude", "restore", "metrics"})
"""Questions whose answers grow with the clip, its faces or the run, and so go to a file."""


class PreviewOptions(BlendOptions):
    """Show a frame of A as conversion writes it, or answer questions about a project."""

    renamed: ClassVar[Mapping[str, str]] = {**BlendOptions.renamed, "name": "run"}

    project: ProjectFolder
    frame: Annotated[
        int, Presentation(common=True), Field(ge=0, description="Which frame of A, counted from 0.")
    ] = 0
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="The picture to write."),
    ] = None
    run: Annotated[str, Field(description="Which training run's model to use.")] = "main"
    serve: Annotated[
        bool,
        Field(
            description="Answer questions, one line of JSON each on the standard input, until "
            "that ends; for programs, with --events jsonl."
        ),
    ] = False
    device: Device = "auto"
    overwrite: Overwrite = False


class PreviewSummary(Summary):
    """What was shown."""

    answered: int = 0
    output: Path | None = None
    faces: int = 0
    frame: int = 0
    nearest: int | None = None

    def text(self) -> str:
        """One sentence for a person."""
        if self.output is None:
            return f"{self.answered} questions answered."
        if self.faces:
            return f"{self.output}: {self.faces} faces swapped."
        if self.nearest is None:
            return f"{self.output}: A as it is, as no frame of A shows a face."
        return (
            f"{self.output}: A as it is, as no face was found in frame {self.frame}; the nearest "
            f"frame with one is {self.nearest}."
        )


def preview(options: PreviewOptions) -> Generator[Event, None, PreviewSummary]:
    """Show a frame of A as conversion writes it, or answer questions about a project.

    With --serve each line on the standard input is a question such as
    ``{"id": 1, "do": "frame", "side": "a", "frame": 25}`` and is answered by one event with the
    same id; the questions are the methods of ``faceswap.preview.server.PreviewServer``. Those in
    ``GROWING`` also name a file, as ``"into": "/tmp/1.json"``, which the answer is written to.
    """
    if options.serve == (options.output is not None):
        raise OptionsError("Give either a picture to write with -o, or --serve.")
    if options.output is not None:
        return (yield from _one(options, options.output))
    from faceswap.preview.server import PreviewServer

    with PreviewServer(options.project, options.device) as answers:
        return (yield from _serve(answers))


def _one(options: PreviewOptions, output: Path) -> Generator[Event, None, PreviewSummary]:
    from faceswap.errors import OutputError
    from faceswap.io.provenance import check_picture_name

    check_picture_name(output)
    if output.exists() and not options.overwrite:
        raise OutputError(f"{output} exists; add --overwrite to replace it.")
    yield Progress(stage="preview", done=0, total=1, unit="pictures")
    made = yield from in_background("preview", lambda _: _written(options, output), "pictures")
    for problem in made.problems:
        yield Notice(message=problem)
    yield Preview(path=output, caption=f"frame {made.frame} with B's face")
    return PreviewSummary(output=output, faces=made.faces, frame=made.frame, nearest=made.nearest)


class _Written(NamedTuple):
    """A frame that was written, and what is to be told of it."""

    frame: int
    faces: int
    nearest: int | None
    problems: tuple[str, ...]


def _written(options: PreviewOptions, output: Path) -> _Written:
    """Write the frame that was asked for."""
    from faceswap.preview.session import PreviewSession, write_picture

    with PreviewSession(options.project, options.device) as studio:
        _check_frame(options, studio)
        made = studio.swapped(options.frame, options.run, options)
        write_picture(output, made.image)
        nearest = studio.nearest_face(made.frame)
        return _Written(made.frame, made.faces, nearest, tuple(studio.notices))


def _check_frame(options: PreviewOptions, studio: "PreviewSession") -> None:
    """Raise InputError when A has no frame of the number that is asked for."""
    from faceswap.project.project import Project

    video = Project.open(options.project).video("a")
    footage = studio.footage(video)
    last = footage.frame(options.frame).index
    if last != options.frame:
        cut_short = options.frame < footage.reader.info.frames
        raise InputError(
            f"{video.name} has no frame {options.frame}; its last one is {last}"
            f"{', as the file breaks off there' if cut_short else ''}."
        )


def _serve(answers: "PreviewServer") -> Generator[Event, None, PreviewSummary]:
    count = 0
    for line in sys.stdin:
        if line.strip():
            yield _answer(answers, line)
            yield from _notices(answers)
            count += 1
    return PreviewSummary(answered=count)


def _notices(answers: "PreviewServer") -> Generator[Event, None, None]:
    """What was found out about the project meanwhile, each sentence once."""
    told, answers.studio.notices = answers.studio.notices, []
    for sentence in told:
        yield Notice(message=sentence)


def _answer(answers: "PreviewServer", line: str) -> Answer:
    """Answer one question; whatever is wrong with it, the next one is answered too."""
    number = 0
    try:
        question: dict[str, Any] = json.loads(line)
        number, do = int(question.pop("id")), str(question.pop("do"))
        into = question.pop("into", None)
        if do not in GROWING:
            return Answer(id=number, values=answers.answer(do, question))
        if into is None:
            raise OptionsError(f'An answer to "{do}" may be long; name a file for it by "into".')
        values = answers.answer(do, question)
        Path(into).write_text(json.dumps(values), encoding="utf-8")
        return Answer(id=number, path=Path(into))
    except FaceswapError as error:
        return Answer(id=number, error=str(error))
    except OSError as error:
        return Answer(id=number, error=f"{error.filename}: {error.strerror or error}.")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Answer(id=number, error=f"The question cannot be read: {error!r}.")
    except Exception as error:  # noqa: BLE001  (one bad frame must not end the preview)
        return Answer(
            id=number, error=f"This should not have happened: {type(error).__name__}: {error}"
        )
