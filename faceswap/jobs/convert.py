"""Convert footage: swap the faces of A's video with a trained model."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
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
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions
from faceswap.video.output_options import OutputOptions

if TYPE_CHECKING:
    import torch

    from faceswap.project.project import Project
    from faceswap.swap.compositing.several import Cast, SeveralSwappers
    from faceswap.video.info import VideoInfo
    from faceswap.video.passes import CompositingPasses
    from faceswap.video.planned_output import PlannedOutput
    from faceswap.video.reader import Footage, VideoReader
    from faceswap.video.span import Span

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
    begin: Annotated[
        str | None,
        Presentation(flag="--from"),
        Field(
            description="In point: where the part to convert begins, in seconds (12.5), h:mm:ss, "
            "as a timecode (00:01:30:12) or a frame (300f); by default that of 'faceswap sources'."
        ),
    ] = None
    end: Annotated[
        str | None,
        Presentation(flag="--to"),
        Field(description="Out point: the part ends before it; by default as the in point."),
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
    from faceswap.project.new_source import source_to_convert
    from faceswap.swap.compositing.several import SeveralSwappers
    from faceswap.training import job_mark
    from faceswap.video.planned_output import plan_conversion
    from faceswap.video.span import parse_span

    output = options.output or project.output_folder / f"{options.run}.mp4"
    if options.output is None:
        _make_folder(project.output_folder)
    footage = _footage(options, project)
    span = parse_span(*_points(options, project), footage.info)
    planned = yield from in_background(
        "convert",
        lambda _: plan_conversion(options, output, footage, span, overwrite=options.overwrite),
    )
    for told in planned.notices:
        yield Notice(message=told)
    source = yield from source_to_convert(project, options.input, options.device)
    device = pick_device(options.device)
    casts, problems = yield from in_background(
        "load", lambda report: _load(options, project, source, device, report), "faces"
    )
    for problem in problems:
        yield Notice(message=problem)
    made = planned
    if planned.has_quality:
        made, estimate = yield from in_background(
            "convert", lambda report: planned.with_quality(options, footage, report), "trials"
        )
        yield estimate
    with SeveralSwappers(casts, device, options) as swapper:
        summary = yield from _write(options, footage, made, swapper)
    if not part:
        with suppress(OSError):  # the project may be read-only
            # This also finishes a swap job that was stopped before its conversion.
            job_mark.clear_job_mark(project.folder)
    return summary


def _write(
    options: ConvertOptions,
    footage: "VideoReader",
    plan: "PlannedOutput",
    swapper: "SeveralSwappers",
) -> Generator[Event, None, ConvertSummary]:
    """Decode, swap and encode, each in a thread; closes ``footage``."""
    from faceswap.video.prefetch import prefetch

    size, ahead = _batch_sizes(footage.info, options.batch)
    passes = _passes(options, footage)
    meter = Meter("convert", total=_frames_in(footage.info, plan.span))
    swapped = 0
    with (
        footage,
        plan.writer() as out,
        closing(prefetch(_with_images(footage, plan.span, swapper), ahead)) as frames,
        BackgroundWorker(meter.progress) as paced,
    ):
        if plan.span.start is not None:
            first = footage.first_index(plan.span.start)
            yield from paced(partial(swapper.measure_before, footage, first))
        for batch in _batches(frames, size):
            made = yield from paced(partial(swapper.patches, batch))
            for frame, patches in zip(batch, made, strict=True):
                if passes is not None and patches:
                    yield from paced(partial(passes.write, frame.index, frame.pts, patches))
                out.write_footage(frame, patches)
            swapped += sum(swapper.has_faces(frame.index) for frame in batch)
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
    yield Saved(what="swapped video", path=plan.path)
    return ConvertSummary(output=plan.path, frames=int(meter.done), swapped=swapped)


def _make_folder(folder: Path) -> None:
    from faceswap.errors import OutputError

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot create {folder}: {error.strerror}; choose another place with --output."
        ) from error


def _points(options: ConvertOptions, project: "Project") -> tuple[str | None, str | None]:
    """In and out point: those given, or else those of the source."""
    from faceswap.project.source_list import find_source

    path = options.input or project.video(project.main_source("a"))
    source = find_source(project, path)
    known = (None, None) if source is None else (source.in_point, source.out_point)
    begin, end = (None if point is None else f"{point}s" for point in known)
    return options.begin or begin, options.end or end


def _footage(options: ConvertOptions, project: "Project") -> "VideoReader":
    from faceswap.errors import InputError
    from faceswap.video.picture_source import is_photographs
    from faceswap.video.reader import VideoReader

    path = options.input or project.video(project.main_source("a"))
    if is_photographs(path) and path.is_dir():
        raise InputError(
            f"{path} holds photographs, and 'faceswap convert' changes films; give a video, or "
            "numbered pictures of one film."
        )
    rate = Fraction(options.picture_rate).limit_denominator(1001)
    return VideoReader(path, tolerate_damage=True, picture_rate=rate)


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
    footage: "VideoReader", span: "Span", swapper: "SeveralSwappers"
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
            if swapper.has_faces(one.index):
                _ = one.image
            yield one


def _batch_sizes(info: "VideoInfo", wanted: int) -> tuple[int, int]:
    """Frames per batch, and how many are decoded ahead: fewer where they are large."""
    stored = info.stored[0] * info.stored[1] * (2 if "p1" in info.pixel_format else 1)
    frame = 2 * stored + 3 * info.width * info.height
    most = max(1, _MEMORY // (2 * frame))
    return min(wanted, most), max(2, min(2 * wanted, most))


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
