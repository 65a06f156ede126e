"""Convert footage: swap the faces of A's video with a trained model."""

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

from faceswap.background import import_in_background
from faceswap.errors import OutputError
from faceswap.events import Event, Progress, Summary
from faceswap.swap.compositing.convert_options import ConvertOptions

__all__ = ["ConvertOptions", "ConvertSummary", "convert"]


class ConvertSummary(Summary):
    """Result of a conversion."""

    output: Path
    frames: int
    swapped: int

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.output}: {self.swapped} of {self.frames} frames swapped; labeled as "
            "synthetic in its metadata."
        )


def convert(
    options: ConvertOptions, *, part: bool = False
) -> Generator[Event, None, ConvertSummary]:
    """Swap B's face onto A's footage with a trained model.

    Reads A's video, the extracted faces of A and the newest checkpoint of --run; writes a video.
    People who are not named and frames without a face stay unchanged, and so do sound, timestamps
    and size. The metadata of the output says that it is synthetic.

        faceswap convert --project P -o out.mp4
    """
    # part: whether a larger job runs this one and clears its own job mark at its end.
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield Progress(stage="convert", done=0)
    yield from import_in_background("convert", "faceswap.swap.compositing.film")
    from faceswap.swap.compositing.film import convert_film
    from faceswap.training import job_mark

    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    made = yield from convert_film(options, project, output)
    if not part:
        with suppress(OSError):  # the project may be read-only
            # This also finishes a swap job that was stopped before its conversion.
            job_mark.clear_job_mark(project.folder)
    return ConvertSummary(output=output, frames=made.frames, swapped=made.swapped)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create {folder}: {error.strerror}; choose another place with --output."
        ) from error
