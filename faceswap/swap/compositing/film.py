"""The conversion of one film: its footage, its models, its output, and what is missing of it."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import torch

from faceswap import __version__
from faceswap.background import ProgressReporter, in_background
from faceswap.devices import pick_device
from faceswap.errors import InputError
from faceswap.events import Event, Notice, Saved
from faceswap.faces.index import FaceIndex
from faceswap.project.new_source import source_to_convert
from faceswap.project.project import Project
from faceswap.project.source import fingerprint
from faceswap.project.source_list import find_source
from faceswap.project.swap_plan import plan_swap
from faceswap.swap.compositing.conversion import Converted, begin_conversion, convert_segments
from faceswap.swap.compositing.convert_options import ConvertOptions
from faceswap.swap.compositing.face_placement import place_faces
from faceswap.swap.compositing.network_cache import DiskCachedModel, NetworkCache
from faceswap.swap.compositing.segment_key import SegmentKeys, aspects_of
from faceswap.swap.compositing.segment_pass import Place, SegmentWork
from faceswap.swap.compositing.several import Cast, SeveralSwappers
from faceswap.swap.compositing.user_mask import UserMask
from faceswap.swap.model.loading import newest_model
from faceswap.video.info import VideoInfo
from faceswap.video.passes import CompositingPasses
from faceswap.video.picture_output import SEQUENCES
from faceswap.video.picture_source import is_photographs
from faceswap.video.planned_output import PlannedOutput, plan_conversion
from faceswap.video.reader import VideoReader
from faceswap.video.segment_journal import FoundQuality, SegmentJournal
from faceswap.video.span import Span, parse_span


def convert_film(
    options: ConvertOptions, project: Project, path: Path | None, output: Path
) -> Generator[Event, None, Converted]:
    """Write ``output`` of the footage ``path``, or what is missing of it, as ``options`` say.

    path: None for A's.

    Raises InputError, OutputError, ProjectError, CheckpointError and OptionsError.
    """
    journal = SegmentJournal(output)
    done = None if options.overwrite else journal.finished()
    if done is not None:
        yield from in_background("convert", lambda _: journal.finish_removal())
        return Converted(done.frames, done.swapped, "")
    footage = _footage(options, project, path)
    if options.mask_video is not None:  # told before the long work
        UserMask(options.mask_video, footage.info).check()
    span = parse_span(*_points(options, project, footage.path), footage.info)
    # Numbered pictures that are there are ours once this output was begun.
    begun = output.suffix.lower() in SEQUENCES and journal.facts() is not None
    overwrite = options.overwrite or begun
    planned = yield from in_background(
        "convert", lambda _: plan_conversion(options, output, footage, span, overwrite=overwrite)
    )
    for told in planned.notices:
        yield Notice(message=told)
    source = yield from source_to_convert(project, path, options.device)
    loaded = yield from in_background(
        "load", lambda report: _load(options, project, source, report), "faces"
    )
    for problem in loaded.problems:
        yield Notice(message=problem)
    with footage, journal.locked():
        return (yield from _convert(options, footage, planned, loaded, journal))


def _convert(
    options: ConvertOptions,
    footage: VideoReader,
    planned: PlannedOutput,
    loaded: "_Loaded",
    journal: SegmentJournal,
) -> Generator[Event, None, Converted]:
    """Find the quality, and make what is missing of the output."""
    path = planned.path
    mark = yield from in_background("convert", lambda _: fingerprint(footage.path))
    aspects = _aspects(options, planned, loaded, mark)
    quality = None
    if planned.has_quality:
        quality = yield from _quality(options, footage, planned, aspects, journal)
        planned = planned.with_quality(quality)
        yield planned.estimate(quality)

    def check() -> None:
        if fingerprint(footage.path) != mark:
            raise InputError(f"{footage.path} was changed while it was converted; run it again.")

    mask = None if options.mask_video is None else UserMask(options.mask_video, footage.info)
    with SeveralSwappers(loaded.casts, loaded.device, options, mask) as swapper:
        first = 0 if planned.span.start is None else footage.first_index(planned.span.start)
        keys = SegmentKeys(aspects | {"CRF": f"{quality}"}, loaded.casts, options.color_smoothing)
        work = SegmentWork(
            footage=footage,
            planned=planned,
            swapper=swapper,
            journal=journal,
            place=partial(_place, keys, first, options.segment),
            first=first,
            batch=options.batch,
            check=check,
            passes=_passes(options, footage, resumed=journal.facts() is not None),
        )
        if told := begin_conversion(work, aspects, quality):
            yield Notice(message=told)
        made = yield from convert_segments(work, _frames_in(footage.info, planned.span))
    if options.passes is not None:
        yield Saved(what="compositing passes", path=options.passes / "faces.json")
    for trouble in (footage.damage, footage.resized, made.damage):
        if trouble:
            yield Notice(message=trouble)
    yield Saved(what="swapped video", path=path)
    return made


@dataclass(frozen=True)
class _Loaded:
    """What swaps: the models with their faces, marks of the models' files by run, problems."""

    casts: list[Cast]
    device: torch.device
    models: dict[str, str]
    problems: list[str]


def _load(
    options: ConvertOptions, project: Project, source: str, report: ProgressReporter
) -> _Loaded:
    """Load the models, each with its faces by frame, and warnings about them."""
    device = pick_device(options.device)
    limit = round(options.cache * 1e9)
    cache = NetworkCache(project.folder / "cache", limit) if limit else None
    casts, models = [], {}
    with project.open_index_read_only() as index, index.snapshot():
        plan = plan_swap(project, index, source, options.run, options.person, options.map)
        problems = list(plan.notices)
        for part in plan.parts:
            model, file, told = newest_model(project.runs_folder / part.run, device)
            problems += told
            mark = models[part.run] = fingerprint(file)
            smoothing, keep = options.alignment_smoothing, plan.keeps(part)
            places, _ = place_faces(index, source, model.resolution, smoothing, report, keep)
            casts.append(Cast(DiskCachedModel(model, mark, cache) if cache else model, places))
        problems += project.extraction_warnings(index, source, require_complete=True)
        if not any(cast.places for cast in casts):
            problems.append(_nobody(index, source))
    return _Loaded(casts, device, models, problems)


def _nobody(index: FaceIndex, source: str) -> str:
    """What to tell when no face is swapped."""
    why = "no face is found" if not index.count(source)[1] else "no face is one to be swapped"
    return (
        f"In source {source} {why}, so its frames stay as they are; 'faceswap mend' adds faces by "
        "hand, 'faceswap people' tells who is who."
    )


def _aspects(
    options: ConvertOptions, planned: PlannedOutput, loaded: _Loaded, footage: str
) -> dict[str, str]:
    """All that every segment depends on, by its name for a person."""
    span = planned.span
    return {
        "the footage": footage,
        **{f"the model of the run {run!r}": mark for run, mark in loaded.models.items()},
        **aspects_of(options, options),
        "--quality": options.quality,
        "the in or out point": f"{span.start} {span.stop}",
        "--segment": str(options.segment),
        "--mask-video": "" if options.mask_video is None else fingerprint(options.mask_video),
        "--passes": str(options.passes and options.passes.absolute()),
        "the encoder": planned.encoding(),
        "the version of the program": f"{__version__} {av.__version__}",
    }


def _quality(
    options: ConvertOptions,
    footage: VideoReader,
    planned: PlannedOutput,
    aspects: Mapping[str, str],
    journal: SegmentJournal,
) -> Generator[Event, None, FoundQuality]:
    """The quality that was found when this output was begun, or found now by trials."""
    facts = journal.facts()
    if facts is not None and facts.quality is not None:
        names = ("the footage", "--quality", "the encoder", "the version of the program")
        if all(facts.aspects.get(name) == aspects[name] for name in names):
            return facts.quality
    return (
        yield from in_background(
            "convert", lambda report: planned.find_quality(options, footage, report), "trials"
        )
    )


def _place(keys: SegmentKeys, first: int, length: int, number: int) -> Place:
    begin = first + number * length
    return Place(number, begin, begin + length, keys.key(begin, begin + length))


def _points(options: ConvertOptions, project: Project, path: Path) -> tuple[str | None, str | None]:
    """In and out point: those given, or else those of the source."""
    source = find_source(project, path)
    known = (None, None) if source is None else (source.in_point, source.out_point)
    begin, end = (None if point is None else f"{point}s" for point in known)
    return options.begin or begin, options.end or end


def _footage(options: ConvertOptions, project: Project, path: Path | None) -> VideoReader:
    path = path or project.video(project.main_source("a"))
    if is_photographs(path) and path.is_dir():
        raise InputError(
            f"{path} holds photographs, and 'faceswap convert' changes films; give a video, or "
            "numbered pictures of one film."
        )
    rate = Fraction(options.picture_rate).limit_denominator(1001)
    return VideoReader(path, tolerate_damage=True, picture_rate=rate)


def _passes(
    options: ConvertOptions, footage: VideoReader, *, resumed: bool
) -> CompositingPasses | None:
    if options.passes is None:
        return None
    overwrite = options.overwrite or resumed
    return CompositingPasses(options.passes, footage.info, overwrite=overwrite)


def _frames_in(info: VideoInfo, span: Span) -> int | None:
    """Estimated number of frames to convert; None where unknown."""
    if not info.frames:
        return None
    first = info.start * info.time_base
    begin = 0 if span.start is None else round((span.start - first) * info.rate)
    end = info.frames if span.stop is None else round((span.stop - first) * info.rate)
    return max(1, min(end, info.frames) - begin)
