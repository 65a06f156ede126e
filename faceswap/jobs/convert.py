"""Convert footage: swap the faces of A's video with a trained model."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
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
from faceswap.events import Estimate, Event, Meter, Notice, Progress, Saved, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions
from faceswap.video.output_options import OutputOptions

if TYPE_CHECKING:
    import torch

    from faceswap.project.project import Project
    from faceswap.swap.compositing.swapper import AlignedFace, Swapper
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.video.info import VideoInfo
    from faceswap.video.passes import CompositingPasses
    from faceswap.video.patch import Patch
    from faceswap.video.picture_output import PictureOutput
    from faceswap.video.reader import Footage, VideoReader
    from faceswap.video.span import Span
    from faceswap.video.writer import VideoWriter

_MEMORY = 200 * 2**20
"""Bytes of frames that are held at a time."""


class ConvertOptions(OutputOptions, BlendOptions):
    """Swap B's face onto A's footage with a trained model."""

    renamed: ClassVar[Mapping[str, str]] = {
        **BlendOptions.renamed,
        **OutputOptions.renamed,
        "name": "run",
    }

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(
            description="The video to write; by default out/RUN.mp4 in the project. Also pictures, "
            "with a number in the name (out_%06d.png, .tif, .exr), or a GIF or WebP."
        ),
    ] = None
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    begin: Annotated[
        str | None,
        Presentation(flag="--from"),
        Field(
            description="In point: where the part to convert begins, in seconds (12.5), h:mm:ss, "
            "as a timecode (00:01:30:12) or a frame (300f)."
        ),
    ] = None
    end: Annotated[
        str | None,
        Presentation(flag="--to"),
        Field(description="Out point: the part ends before it."),
    ] = None
    passes: Annotated[
        Path | None,
        Field(
            description="A folder to write face and mask of each frame to as 16-bit PNG, and their "
            "matrices as JSON, for compositing programs."
        ),
    ] = None
    picture_rate: Annotated[
        float,
        Field(
            gt=0, le=1000, description="Frames per second of A where it is a folder of pictures."
        ),
    ] = 25.0
    batch: Annotated[
        int, Field(ge=1, le=256, description="Frames per batch; fewer where frames are large.")
    ] = 8
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
    from faceswap.devices import pick_device
    from faceswap.swap.compositing.swapper import Swapper
    from faceswap.training import job_mark
    from faceswap.video.prefetch import prefetch
    from faceswap.video.reader import VideoReader

    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    footage = VideoReader(
        project.video("a"),
        tolerate_damage=True,
        picture_rate=Fraction(options.picture_rate).limit_denominator(1001),
    )
    found = yield from in_background(
        "convert", lambda report: _plan(options, output, footage, report), "trials"
    )
    for told in found.notices:
        yield Notice(message=told)
    if found.estimate is not None:
        yield found.estimate
    device = pick_device(options.device)
    model, places, problems = yield from in_background(
        "load", lambda report: _load(options, project, device, report), "faces"
    )
    for problem in problems:
        yield Notice(message=problem)
    size, ahead = _batch_sizes(footage.info, options.batch)
    passes = _passes(options, footage)
    meter = Meter("convert", total=_frames_in(footage.info, found.span))
    swapped = 0
    with (
        footage,
        found.writer() as out,
        Swapper(model, device, options) as swapper,
        closing(prefetch(_with_images(footage, found.span, places), ahead)) as frames,
        BackgroundWorker(meter.progress) as paced,
    ):
        yield from paced(partial(_measure_before, swapper, footage, found.span, places, options))
        for batch in _batches(frames, size):
            swapper.drop_history(before=batch[0].index)
            faces = [places.get(frame.index, []) for frame in batch]
            made = yield from paced(partial(_patches, swapper, batch, faces))
            for frame, patches in zip(batch, made, strict=True):
                if passes is not None and patches:
                    yield from paced(partial(passes.write, frame.index, frame.pts, patches))
                out.write_footage(frame, patches)
            swapped += sum(map(bool, faces))
            progress = meter.add(len(batch))
            if progress:
                yield progress
        yield from in_background("convert", lambda _: out.finish(), heartbeat=meter.progress)
    if passes is not None:
        yield Saved(what="compositing passes", path=passes.finish())
    yield meter.finished()
    for trouble in (footage.damage, footage.resized, out.damage):
        if trouble:
            yield Notice(message=trouble)
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


@dataclass(frozen=True)
class _Prepared:
    """What was found and decided before the work: the writer to make, and what to tell."""

    writer: "Callable[[], VideoWriter | PictureOutput]"
    span: "Span"
    notices: tuple[str, ...]
    estimate: Estimate | None = None


def _plan(
    options: ConvertOptions, output: Path, footage: "VideoReader", report: ProgressReporter
) -> _Prepared:
    """How the output is written; finds all that it would lose, and its size, before."""
    from faceswap.video.output_file import check_output
    from faceswap.video.output_plan import plan_output
    from faceswap.video.picture_output import PictureOutput, is_picture_output
    from faceswap.video.quality import estimate_quality
    from faceswap.video.span import parse_span
    from faceswap.video.writer import VideoWriter

    info = footage.info
    span = parse_span(options.begin, options.end, info)
    if is_picture_output(output):
        deep = options.pixel_format.startswith("rgb48")
        pictures = PictureOutput(output, info, deep=deep, overwrite=options.overwrite)
        return _Prepared(lambda: pictures, span, pictures.notices)
    check_output(output, overwrite=options.overwrite, source=info.path)
    plan = plan_output(output, info, options.encoding(), span)
    footage.deinterlace = plan.deinterlaced
    found = estimate_quality(plan, footage, fixed=options.quality != "auto", report=report)
    plan = plan.with_crf(found.crf)
    told = Estimate(path=output, size=found.size, crf=found.crf, fidelity=found.fidelity)
    return _Prepared(
        lambda: VideoWriter.of_footage(plan, overwrite=options.overwrite),
        span,
        plan.notices,
        told,
    )


def _passes(options: ConvertOptions, footage: "VideoReader") -> "CompositingPasses | None":
    from faceswap.video.passes import CompositingPasses

    if options.passes is None:
        return None
    return CompositingPasses(options.passes, footage.info, overwrite=options.overwrite)


def _frames_in(info: "VideoInfo", span: "Span") -> int | None:
    """Estimated number of frames to convert; None where unknown."""
    if not info.frames:
        return None
    first = info.start * info.time_base
    begin = 0 if span.start is None else round((span.start - first) * info.rate)
    end = info.frames if span.stop is None else round((span.stop - first) * info.rate)
    return max(1, min(end, info.frames) - begin)


def _with_images(
    footage: "VideoReader", span: "Span", places: "Mapping[int, list[AlignedFace]]"
) -> "Generator[Footage, None, None]":
    """The footage within ``span``; frames with faces are converted to RGB in this thread."""
    first = 0 if span.start is None else footage.first_index(span.start)
    with closing(footage.footage(first)) as pictures:
        for one in pictures:
            time = one.pts * footage.info.time_base
            if span.stop is not None and time >= span.stop:
                return
            if not span.contains(time):
                continue
            if places.get(one.index):
                _ = one.image
            yield one


def _measure_before(
    swapper: "Swapper",
    footage: "VideoReader",
    span: "Span",
    places: "Mapping[int, list[AlignedFace]]",
    options: ConvertOptions,
) -> None:
    """Measure the colours before the in point that those of the first frame depend on."""
    from faceswap.swap.compositing.color_smoothing import anchors_before

    if span.start is None:
        return
    first = footage.first_index(span.start)
    for number, faces in anchors_before(places, first, options.color_smoothing).items():
        images = [frame.image for frame in footage.frames(number, number + 1)]
        swapper.measure_colors(images, [faces])


def _batch_sizes(info: "VideoInfo", wanted: int) -> tuple[int, int]:
    """Frames per batch, and how many are decoded ahead: fewer where they are large."""
    stored = info.stored[0] * info.stored[1] * (2 if "p1" in info.pixel_format else 1)
    frame = 2 * stored + 3 * info.width * info.height
    most = max(1, _MEMORY // (2 * frame))
    return min(wanted, most), max(2, min(2 * wanted, most))


def _patches(
    swapper: "Swapper", batch: "list[Footage]", faces: "list[list[AlignedFace]]"
) -> "list[list[Patch]]":
    """Patches of each frame; only those with faces are looked at."""
    some = [number for number, found in enumerate(faces) if found]
    patches: list[list[Patch]] = [[] for _ in batch]
    made = swapper.patches([batch[n].image for n in some], [faces[n] for n in some])
    for number, found in zip(some, made, strict=True):
        patches[number] = found
    return patches


def _batches(frames: Iterable["Footage"], size: int) -> Iterator[list["Footage"]]:
    """Yield lists of ``size`` frames; the last may be shorter."""
    batch: list[Footage] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
