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
    from faceswap.swap.compositing.swapper import AlignedFace
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.video.reader import Frame


class ConvertOptions(BlendOptions):
    """Swap B's face onto A's footage with a trained model."""

    renamed: ClassVar[Mapping[str, str]] = {**BlendOptions.renamed, "name": "run"}

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="The video to write; by default out/RUN.mp4 in the project."),
    ] = None
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    quality: Annotated[
        int,
        Field(
            ge=0,
            le=40,
            description="x264's CRF, lower is better: 0 is lossless, 18 looks lossless, higher "
            "gives smaller files.",
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
            f"{self.output}: {self.swapped} of {self.frames} frames swapped; labelled as "
            "synthetic in its metadata."
        )


def convert(
    options: ConvertOptions, *, part: bool = False
) -> Generator[Event, None, ConvertSummary]:
    """Swap B's face onto A's footage with a trained model.

    Reads A's video, the extracted faces of A and the newest checkpoint of --run; writes a video.
    Frames without a face stay unchanged, and so do sound, timestamps and size. The metadata of the
    output says that it is synthetic.

        faceswap convert --project P -o out.mp4
    """
    # part: whether a larger job runs this one and clears its own job mark at its end.
    from faceswap.project.project import Project

    project = Project.open(options.project)
    yield Progress(stage="convert", done=0)
    yield from import_in_background(
        "convert", "faceswap.swap.compositing.swapper", "faceswap.swap.compositing.face_placement"
    )
    from faceswap.swap.compositing.swapper import Swapper
    from faceswap.training import job_mark
    from faceswap.training.precision import pick_device
    from faceswap.video.encoding import Encoding
    from faceswap.video.prefetch import prefetch
    from faceswap.video.reader import VideoReader
    from faceswap.video.writer import VideoWriter

    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    footage = VideoReader(project.video("a"), tolerate_damage=True)
    device = pick_device(options.device)
    model, places, problems = yield from in_background(
        "load", lambda report: _load(options, project, device, report), "faces"
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
            Encoding(crf=options.quality),
            overwrite=options.overwrite,
        ) as out,
        Swapper(model, device, options) as swapper,
        closing(prefetch(footage.frames(), 2 * options.batch)) as frames,
        BackgroundWorker(meter.progress) as paced,
    ):
        for batch in _batches(frames, options.batch):
            swapper.drop_history(before=batch[0].index)
            faces = [places.get(frame.index, []) for frame in batch]
            pictures = [frame.image for frame in batch]
            images = yield from paced(partial(swapper.swap, pictures, faces))
            for frame, image in zip(batch, images, strict=True):
                out.write(image, frame.pts, frame.duration)
            swapped += sum(map(bool, faces))
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


def _load(
    options: ConvertOptions, project: "Project", device: "torch.device", report: ProgressReporter
) -> "tuple[SwapModel, dict[int, list[AlignedFace]], list[str]]":
    """Load the model, the alignments by frame, and warnings about both."""
    from faceswap.swap.compositing.face_placement import place_faces
    from faceswap.swap.model.loading import newest_model

    model, _, problems = newest_model(project.runs_folder / options.run, device)
    with project.open_index_read_only() as index, index.snapshot():
        problems += project.extraction_warnings(index, "a", require_complete=True)
        places, _ = place_faces(index, "a", model.resolution, options.alignment_smoothing, report)
    return model, places, problems


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
