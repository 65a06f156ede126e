"""The conversion of one film: what is missing of its output is made, and all is joined."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from faceswap.background import in_background
from faceswap.events import Event, Notice, Saved
from faceswap.project.new_source import source_to_convert
from faceswap.project.project import Project
from faceswap.project.source import fingerprint
from faceswap.swap.compositing.conversion import (
    Converted,
    MakeSegments,
    begin_conversion,
    convert_segments,
    make_segments,
)
from faceswap.swap.compositing.convert_options import ConvertOptions
from faceswap.swap.compositing.film_setup import (
    Film,
    load_models,
    open_footage_of,
    span_to_convert,
)
from faceswap.swap.compositing.user_mask import UserMask
from faceswap.video.disk_space import check_space
from faceswap.video.picture_output import SEQUENCES
from faceswap.video.planned_output import plan_conversion
from faceswap.video.segment_journal import FoundQuality, SegmentJournal

MakeElsewhere = Callable[[Film, FoundQuality | None], MakeSegments]
"""What makes the segments of a film in other processes."""


def convert_film(
    options: ConvertOptions,
    project: Project,
    path: Path | None,
    output: Path,
    elsewhere: MakeElsewhere | None = None,
) -> Generator[Event, None, Converted]:
    """Write ``output`` of the footage ``path``, or what is missing of it, as ``options`` say.

    path: None for A's. elsewhere: what makes the segments, by default this process.

    Raises InputError, OutputError, ProjectError, CheckpointError and OptionsError.
    """
    journal = SegmentJournal(output)
    done = None if options.overwrite else journal.finished()
    if done is not None:
        yield from in_background("convert", lambda _: journal.finish_removal())
        return Converted(done.frames, done.swapped, "")
    footage = open_footage_of(options, project, path)
    if options.mask_video is not None:  # told before the long work
        UserMask(options.mask_video, footage.info).check()
    span = span_to_convert(options, project, footage)
    # Numbered pictures that are there are ours once this output was begun.
    begun = output.suffix.lower() in SEQUENCES and journal.facts() is not None
    overwrite = options.overwrite or begun
    planned = yield from in_background(
        "convert", lambda _: plan_conversion(options, output, footage, span, overwrite=overwrite)
    )
    for told in planned.notices:
        yield Notice(message=told)
    source = yield from source_to_convert(project, path, options.device)
    # Elsewhere are the cards; here the models are only asked what they are.
    device = options.device if elsewhere is None else "cpu"
    loaded = yield from in_background(
        "load", lambda report: load_models(options, project, source, device, report), "faces"
    )
    for problem in loaded.problems:
        yield Notice(message=problem)
    with footage, journal.locked():
        mark = yield from in_background("convert", lambda _: fingerprint(footage.path))
        film = Film(options, footage, planned, loaded, mark)
        return (yield from _convert(film, journal, elsewhere))


def _convert(
    film: Film, journal: SegmentJournal, elsewhere: MakeElsewhere | None
) -> Generator[Event, None, Converted]:
    """Find the quality, and make what is missing of the output."""
    options, footage = film.options, film.footage
    aspects = film.aspects()
    quality = None
    if film.planned.has_quality:
        quality = yield from _quality(film, aspects, journal)
        film = film.with_quality(quality)
        yield film.planned.estimate(quality)
        check_space(journal.folder, *film.sizes(quality), journal.size())
    make = make_segments if elsewhere is None else elsewhere(film, quality)
    with film.work(journal, quality, resumed=journal.facts() is not None) as work:
        if told := begin_conversion(work, aspects, quality):
            yield Notice(message=told)
        made = yield from convert_segments(work, film.frames(), make)
    if options.passes is not None:
        yield Saved(what="compositing passes", path=options.passes / "faces.json")
    for trouble in (footage.damage, footage.resized, made.damage):
        if trouble:
            yield Notice(message=trouble)
    yield Saved(what="swapped video", path=film.planned.path)
    return made


def _quality(
    film: Film, aspects: Mapping[str, str], journal: SegmentJournal
) -> Generator[Event, None, FoundQuality]:
    """The quality that was found when this output was begun, or found now by trials."""
    facts = journal.facts()
    if facts is not None and facts.quality is not None:
        names = ("the footage", "--quality", "the encoder", "the version of the program")
        if all(facts.aspects.get(name) == aspects[name] for name in names):
            return facts.quality
    return (
        yield from in_background(
            "convert",
            lambda report: film.planned.find_quality(film.options, film.footage, report),
            "trials",
        )
    )
