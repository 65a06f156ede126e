"""Convert footage: swap the faces of A's video with a trained model."""

from collections.abc import Generator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from faceswap.background import import_in_background, in_background
from faceswap.errors import FaceswapError, OptionsError, OutputError
from faceswap.events import Event, Notice, Progress, Summary, as_stage
from faceswap.swap.compositing.convert_options import ConvertOptions

if TYPE_CHECKING:
    from faceswap.swap.compositing.film import MakeElsewhere

__all__ = ["ConvertOptions", "ConvertSummary", "FilmsSummary", "convert", "convert_one"]


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


class FilmRow(BaseModel):
    """What became of one of several films. message: why it failed, or the output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    film: Path
    state: Literal["done", "done before", "failed"]
    frames: int = 0
    swapped: int = 0
    message: str


class FilmsSummary(ConvertSummary):
    """Result of the conversion of several films to the folder ``output``."""

    rows: tuple[FilmRow, ...]

    def failed(self) -> bool:
        """Whether a film could not be converted."""
        return any(row.state == "failed" for row in self.rows)

    def text(self) -> str:
        """A table of the films, and how many were converted."""
        from faceswap.io.text_table import text_table

        cells = [
            (row.film.name, row.state, f"{row.frames or ''}", f"{row.swapped or ''}", row.message)
            for row in self.rows
        ]
        count = dict.fromkeys(("done", "done before", "failed"), 0)
        for row in self.rows:
            count[row.state] += 1
        counts = ", ".join(f"{number} {state}" for state, number in count.items())
        return f"{text_table(('film', 'state', 'frames', 'swapped', ''), cells)}\n{counts}."


def convert(options: ConvertOptions) -> Generator[Event, None, ConvertSummary]:
    """Swap B's face onto A's footage with a trained model.

    Reads A's video, the extracted faces of A and the newest checkpoint of --run; writes a video.
    People who are not named and frames without a face stay unchanged, and so do sound, timestamps
    and size. The metadata of the output says that it is synthetic. Stopped or killed, the same
    command goes on where it was; until then what is done is in OUTPUT.unfinished.

        faceswap convert --project P -o out.mp4
    """
    from faceswap.training import job_mark

    if options.out_dir is not None:
        return (yield from _several(options, options.out_dir))
    summary = yield from convert_one(options)
    with suppress(OSError):  # the project may be read-only
        # This also finishes a swap job that was stopped before its conversion.
        job_mark.clear_job_mark(options.project)
    return summary


def convert_one(options: ConvertOptions) -> Generator[Event, None, ConvertSummary]:
    """Convert one film; a larger job that this is a part of clears its own job mark."""
    from faceswap.project.film_list import named_films
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield Progress(stage="convert", done=0)
    yield from import_in_background("convert", "faceswap.swap.compositing.film")
    from faceswap.swap.compositing.film import convert_film

    films = [None] if options.input is None else named_films(options.input)
    if len(films) > 1:
        raise OptionsError("Several inputs need --out-dir, a folder for their outputs.")
    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    with ExitStack() as stack:
        farm = yield from _farm(options, stack)
        made = yield from convert_film(options, project, films[0], output, farm)
    return ConvertSummary(output=output, frames=made.frames, swapped=made.swapped)


def _farm(
    options: ConvertOptions, stack: ExitStack
) -> "Generator[Event, None, MakeElsewhere | None]":
    """What makes the segments on the cluster of --ray, as long as ``stack`` is open; else None."""
    if options.ray is None:
        return None
    yield from import_in_background("farm", "faceswap.farm.film_farm", "faceswap.farm.ray_cluster")
    from faceswap.farm.film_farm import film_farm
    from faceswap.farm.ray_cluster import RayCluster

    address, per_node = options.ray, options.workers_per_node
    cluster = yield from in_background("farm", lambda _: RayCluster(address, per_node))
    stack.enter_context(closing(cluster))
    return partial(film_farm, cluster)


def _several(options: ConvertOptions, folder: Path) -> Generator[Event, None, FilmsSummary]:
    """Convert several films; one that fails does not keep the others from it."""
    from faceswap.project.film_list import films_outputs, named_films
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield Progress(stage="convert", done=0)
    yield from import_in_background("convert", "faceswap.swap.compositing.film")
    from faceswap.swap.compositing.film import convert_film
    from faceswap.video.segment_journal import SegmentJournal

    outputs = films_outputs(named_films(options.input or []), folder)
    _make_folder(folder)
    rows = []
    with ExitStack() as stack:
        farm = yield from _farm(options, stack)
        for film, output in outputs.items():
            row = FilmRow(film=film, state="done before", message=str(output))
            unfinished = SegmentJournal(output).folder.exists()
            if options.overwrite or unfinished or not output.exists():
                try:
                    job = convert_film(options, project, film, output, farm)
                    made = yield from as_stage(film.name, job)
                    count = {"frames": made.frames, "swapped": made.swapped}
                    row = row.model_copy(update={"state": "done", **count})
                except FaceswapError as error:
                    yield Notice(message=f"{film.name} failed: {error}")
                    row = FilmRow(film=film, state="failed", message=str(error))
            rows.append(row)
    return FilmsSummary(
        output=folder,
        frames=sum(row.frames for row in rows),
        swapped=sum(row.swapped for row in rows),
        rows=tuple(rows),
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create {folder}: {error.strerror}; choose another place with --output."
        ) from error
