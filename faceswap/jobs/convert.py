"""A's footage in, the same footage with B's face out."""

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.jobs.stages import finished
from faceswap.options import Device, Overwrite, ProjectFolder, Show
from faceswap.swap.look import Look
from faceswap.waiting import Paced, Report, loaded, waited

if TYPE_CHECKING:
    import torch

    from faceswap.project import Project
    from faceswap.swap.model import SwapModel
    from faceswap.swap.swapper import Placed
    from faceswap.video.reader import Frame


class ConvertOptions(Look):
    """Put B's face on A's footage with a trained model."""

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Show(short="-o", common=True),
        Field(description="The video to write; by default out/NAME.mp4 in the project."),
    ] = None
    name: Annotated[str, Field(description="Which training run's model to use.")] = "main"
    quality: Annotated[
        int,
        Field(ge=0, le=40, description="x264's CRF: 0 is lossless, 18 looks it, more is smaller."),
    ] = 14
    batch: Annotated[int, Field(ge=1, le=256, description="Frames computed at a time.")] = 8
    device: Device = "auto"
    overwrite: Overwrite = False


class ConvertSummary(Summary):
    """What a conversion wrote."""

    output: Path
    frames: int
    swapped: int

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.output}: {self.swapped} of {self.frames} frames swapped; labelled as "
            "synthetic in its metadata."
        )


def convert(options: ConvertOptions) -> Generator[Event, None, ConvertSummary]:
    """Put B's face on A's footage with a trained model.

    Frames without a face pass unchanged; sound, timestamps and size stay A's. The output says
    in its metadata that it is synthetic.
    """
    from faceswap.project import Project

    project = Project.open(options.project)
    yield Progress(stage="convert", done=0)
    yield from loaded("convert", "faceswap.swap.swapper", "faceswap.swap.placing")
    from faceswap.swap.swapper import Swapper
    from faceswap.training.precision import pick_device
    from faceswap.video.ahead import ahead
    from faceswap.video.reader import VideoReader
    from faceswap.video.writer import VideoWriter

    output = options.output or project.out / f"{options.name}.mp4"
    if options.output is None:
        project.out.mkdir(exist_ok=True)
    footage = VideoReader(project.video("a"), tolerate_damage=True)
    device = pick_device(options.device)
    model, (places, cuts) = yield from waited(
        "load", lambda report: _placed(options, project, device, report), "faces"
    )
    meter = Meter("convert", total=footage.info.frames or None)
    swapped = 0
    with (
        footage,
        VideoWriter(output, footage.info, crf=options.quality, overwrite=options.overwrite) as out,
        Swapper(model, device, options) as swapper,
        closing(ahead(footage.frames(), 2 * options.batch)) as frames,
        Paced(meter.progress) as paced,
    ):
        for batch in _batches(frames, options.batch, cuts):
            if batch[0].index in cuts:
                swapper.cut()
            faces = [places.get(frame.index, []) for frame in batch]
            pictures = [frame.image for frame in batch]
            images = yield from paced(partial(swapper.swap, pictures, faces))
            for frame, image in zip(batch, images, strict=True):
                out.write(image, frame.pts, frame.duration)
            swapped += sum(map(bool, faces))
            progress = meter.add(len(batch))
            if progress:
                yield progress
        yield from waited("convert", lambda _: finished(out), sign=meter.progress)
    yield meter.progress()
    if footage.damage:
        yield Notice(message=footage.damage)
    yield Saved(what="swapped video", path=output)
    return ConvertSummary(output=output, frames=int(meter.done), swapped=swapped)


def _placed(
    options: ConvertOptions, project: "Project", device: "torch.device", report: Report
) -> "tuple[SwapModel, tuple[dict[int, list[Placed]], set[int]]]":
    """The model, and where it puts faces."""
    from faceswap.swap.model import SwapModel
    from faceswap.swap.placing import placed_faces
    from faceswap.training.checkpoint import newest_checkpoint

    model = SwapModel.load(newest_checkpoint(project.model / options.name), device)
    with project.index() as index:
        return model, placed_faces(index, "a", model.resolution, options.smooth, report)


def _batches(
    frames: Iterable["Frame"], size: int, cuts: Collection[int]
) -> Iterator[list["Frame"]]:
    """Lists of up to ``size`` frames, a new one at every cut."""
    batch: list[Frame] = []
    for frame in frames:
        if batch and (len(batch) == size or frame.index in cuts):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch
