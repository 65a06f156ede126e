"""Single pictures of a project: one for the command line, or as many as are asked for."""

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from faceswap.errors import FaceswapError, OptionsError
from faceswap.events import Answer, Event, Preview, Progress, Summary
from faceswap.options import Device, Overwrite, ProjectFolder, Show
from faceswap.swap.look import Look
from faceswap.waiting import waited

if TYPE_CHECKING:
    from faceswap.jobs.answers import Answers


class PreviewOptions(Look):
    """Show a frame of A with B's face, or answer questions about a project."""

    project: ProjectFolder
    frame: Annotated[
        int, Show(common=True), Field(ge=0, description="Which frame of A, counted from 0.")
    ] = 0
    output: Annotated[
        Path | None, Show(short="-o", common=True), Field(description="The picture to write.")
    ] = None
    name: Annotated[str, Field(description="Which training run's model to use.")] = "main"
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

    def text(self) -> str:
        """One sentence for a person."""
        if self.output is None:
            return f"{self.answered} questions answered."
        return f"{self.output}: {self.faces} faces swapped."


def preview(options: PreviewOptions) -> Generator[Event, None, PreviewSummary]:
    """Show a frame of A with B's face, or answer questions about a project.

    With --serve each line on the standard input is a question such as
    ``{"id": 1, "do": "frame", "side": "a", "frame": 25}`` and is answered by one event with the
    same id; the questions are the methods of ``faceswap.jobs.answers.Answers``.
    """
    if options.serve == (options.output is not None):
        raise OptionsError("Give either a picture to write with -o, or --serve.")
    if options.output is not None:
        return (yield from _one(options, options.output))
    from faceswap.jobs.answers import Answers

    with Answers(options.project, options.device) as answers:
        return (yield from _serve(answers))


def _one(options: PreviewOptions, output: Path) -> Generator[Event, None, PreviewSummary]:
    from faceswap.errors import OutputError

    if output.exists() and not options.overwrite:
        raise OutputError(f"{output} exists; add --overwrite to replace it.")
    yield Progress(stage="preview", done=0, total=1, unit="pictures")
    faces = yield from waited("preview", lambda _: _written(options, output), "pictures")
    yield Preview(path=output, caption=f"frame {options.frame} with B's face")
    return PreviewSummary(output=output, faces=faces)


def _written(options: PreviewOptions, output: Path) -> int:
    """Write the frame that was asked for; the number of faces swapped in it."""
    from faceswap.swap.studio import Studio, write_picture

    with Studio(options.project, options.device) as studio:
        image, faces = studio.swapped(options.frame, options.name, options)
    write_picture(output, image)
    return faces


def _serve(answers: "Answers") -> Generator[Event, None, PreviewSummary]:
    count = 0
    for line in sys.stdin:
        if line.strip():
            yield _answer(answers, line)
            count += 1
    return PreviewSummary(answered=count)


def _answer(answers: "Answers", line: str) -> Answer:
    """Answer one question; whatever is wrong with it, the next one is answered too."""
    number = 0
    try:
        question: dict[str, Any] = json.loads(line)
        number = int(question.pop("id"))
        return Answer(id=number, values=answers.answer(str(question.pop("do")), question))
    except FaceswapError as error:
        return Answer(id=number, error=str(error))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Answer(id=number, error=f"The question cannot be read: {error!r}.")
    except Exception as error:  # noqa: BLE001  (one bad frame must not end the preview)
        return Answer(
            id=number, error=f"This should not have happened: {type(error).__name__}: {error}"
        )
