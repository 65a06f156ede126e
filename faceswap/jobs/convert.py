"""Convert footage: swap the faces of A's video with a trained model."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    import_in_background,
    in_background,
)
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions

if TYPE_CHECKING:
    import torch

    from faceswap.project.project import Project
    from faceswap.swap.compositing.several import Cast
    from faceswap.video.picture_reader import FootageReader
    from faceswap.video.reader import Frame


class ConvertOptions(BlendOptions):
    """Swap B's face onto A's footage with a trained model."""

    renamed: ClassVar[Mapping[str, str]] = {
        **BlendOptions.renamed,
        "name": "run",
        "quality": "crf",
    }

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="The video to write; by default out/RUN.mp4 in the project."),
    ] = None
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    input: Annotated[
        Path | None,
        Presentation(common=True),
        Field(
            description="The footage to convert: a file of the project, or a new one, whose faces "
            "are extracted first and not trained on. By default A's."
        ),
    ] = None
    person: Annotated[
        str | None,
        Field(
            description="Number or name of the person to swap (see 'faceswap people'); by default "
            "the one that the run was trained on, or the one longest on screen."
        ),
    ] = None
    map: Annotated[
        tuple[str, ...],
        Presentation(several=True),
        Field(description="Several people, each by a run of its own: --map 1=main 2=other."),
    ] = ()
    crf: Annotated[
        int,
        Field(
            ge=0,
            le=40,
            description="Quality as x264's CRF, lower is better: 0 is lossless, 18 looks lossless, "
            "higher gives smaller files.",
        ),
    ] = 14
    batch: Annotated[int, Field(ge=1, le=256, description="Frames per batch.")] = 8
    device: Device = "auto"
    overwrite: Overwrite = False


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
    yield from import_in_background(
        "convert", "faceswap.swap.compositing.swapper", "faceswap.swap.compositing.face_placement"
    )
    from faceswap.devices import pick_device
    from faceswap.io.provenance import SWAPPED
    from faceswap.swap.compositing.several import SeveralSwappers
    from faceswap.training import job_mark
    from faceswap.video.picture_reader import open_footage
    from faceswap.video.prefetch import prefetch
    from faceswap.video.writer import VideoWriter

    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    source = yield from _source(options, project, output)
    footage = open_footage(project.video(source))
    device = pick_device(options.device)
    casts, problems = yield from in_background(
        "load", lambda report: _load(options, project, source, device, report), "faces"
    )
    for problem in problems:
        yield Notice(message=problem)
    meter = Meter("convert", total=footage.info.frames or None)
    swapped = 0
    with (
        footage,
        VideoWriter(
            output,
            footage.info,
            crf=options.crf,
            overwrite=options.overwrite,
            made=SWAPPED,
        ) as out,
        SeveralSwappers(casts, device, options) as swapper,
        closing(prefetch(footage.frames(), 2 * options.batch)) as frames,
        BackgroundWorker(meter.progress) as paced,
    ):
        for batch in _batches(frames, options.batch):
            numbers, pictures = [f.index for f in batch], [f.image for f in batch]
            images = yield from paced(partial(swapper.swap, numbers, pictures))
            for frame, image in zip(batch, images, strict=True):
                out.write(image, frame.pts, frame.duration)
            swapped += sum(map(swapper.has_faces, numbers))
            progress = meter.add(len(batch))
            if progress:
                yield progress
        yield from in_background("convert", lambda _: out.finish(), heartbeat=meter.progress)
    yield meter.finished()
    if footage.damage:
        yield Notice(message=footage.damage)
    yield Saved(what="swapped video", path=output)
    if not part:
        with suppress(OSError):  # the project may be read-only
            # This also finishes a swap job that was stopped before its conversion.
            job_mark.clear_job_mark(project.folder)
    return ConvertSummary(output=output, frames=int(meter.done), swapped=swapped)


def _make_folder(folder: Path) -> None:
    from faceswap.errors import OutputError

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create {folder}: {error.strerror}; choose another place with --output."
        ) from error


def _source(
    options: ConvertOptions, project: "Project", output: Path
) -> Generator[Event, None, str]:
    """Id of the source to convert; a new file is added and its faces are extracted."""
    from faceswap.errors import InputError
    from faceswap.project.source_list import add_source, find_source
    from faceswap.video.picture_reader import open_footage

    if options.input is None:
        return project.main_source("a")
    with open_footage(options.input) as footage:
        if footage.info.still and footage.info.codec == "pictures":
            raise InputError(
                f"{options.input} holds photographs, and 'faceswap convert' writes videos; give a "
                "video, or numbered pictures of one film."
            )
        _check_output(options, footage.info.audio != (), output)
        source = find_source(project, options.input) or add_source(project, options.input, None)
        with project.open_index_read_only() as index:
            clip = index.clip(source.id)
        if clip is None or not clip.complete:
            yield from _extract(options, project, source.id, footage)
    return source.id


def _check_output(options: ConvertOptions, sound: bool, output: Path) -> None:
    """Raise OutputError for what can't be written, before faces are extracted."""
    from faceswap.video.audio import check_sound
    from faceswap.video.writer import check_output

    check_output(output, overwrite=options.overwrite, source=options.input)
    if sound and options.input is not None:
        check_sound(options.input, output.suffix)


def _extract(
    options: ConvertOptions, project: "Project", source: str, footage: "FootageReader"
) -> Generator[Event, None, None]:
    """Extract the faces of a new source; a few crops are enough, as it is not trained on."""
    from faceswap.faces.extract_options import ExtractOptions
    from faceswap.project.grouping import group_people
    from faceswap.project.source_extraction import SourceExtraction, extract_source

    extraction = ExtractOptions(
        inputs=(footage.path,),
        project=project.folder,
        side="a",
        every=_CROPS_EVERY,
        size=256,
        device=options.device,
    )
    yield from extract_source(SourceExtraction(project, source, footage.path, footage, extraction))
    yield from in_background("group", lambda report: group_people(project, report), "sources")


_CROPS_EVERY = 25


def _load(
    options: ConvertOptions,
    project: "Project",
    source: str,
    device: "torch.device",
    report: ProgressReporter,
) -> "tuple[list[Cast], list[str]]":
    """Load the models, each with its faces by frame, and warnings about them."""
    from faceswap.project.swap_plan import plan_swap
    from faceswap.swap.compositing.face_placement import place_faces
    from faceswap.swap.compositing.several import Cast
    from faceswap.swap.model.loading import newest_model

    casts = []
    with project.open_index_read_only() as index, index.snapshot():
        plan = plan_swap(project, index, source, options.run, options.person, options.map)
        problems = list(plan.notices)
        for part in plan.parts:
            model, _, told = newest_model(project.runs_folder / part.run, device)
            problems += told
            smoothing, keep = options.alignment_smoothing, plan.keeps(part)
            places, _ = place_faces(index, source, model.resolution, smoothing, report, keep)
            casts.append(Cast(model, places))
        problems += project.extraction_warnings(index, source, require_complete=True)
    return casts, problems


def _batches(frames: Iterable["Frame"], size: int) -> Iterator[list["Frame"]]:
    """Yield lists of ``size`` frames; the last may be shorter."""
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
