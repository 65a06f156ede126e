"""Convert footage so that what is finished is not done again."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from faceswap.background import in_background
from faceswap.errors import OutputError
from faceswap.events import Event, Meter, Notice
from faceswap.swap.compositing.segment_pass import SegmentPass, SegmentWork
from faceswap.video.segment_journal import FoundQuality, RenderFacts
from faceswap.video.segments import Segment
from faceswap.video.video_segments import DamagedSegmentError


@dataclass(frozen=True)
class Converted:
    """What was written: frames, how many have a swapped face, and damage of the sound, or ""."""

    frames: int
    swapped: int
    damage: str


MakeSegments = Callable[[SegmentWork, Meter, list[Segment]], Generator[Event, None, None]]
"""Fills a list with all segments of an output, in order; those that the journal has are not made
again. Stopped, the list holds those from the first on that are done."""


def convert_segments(
    work: SegmentWork, total: int | None, make: MakeSegments
) -> Generator[Event, None, Converted]:
    """Let ``make`` make the segments that are missing, and join all of them to the output.

    total: estimated number of frames. Stopped, it leaves a video of what is done in the journal's
    folder. Raises OutputError, InputError.
    """
    segments: list[Segment] = []
    done, _ = _totals(list(known_segments(work).values()))
    if done:
        yield Notice(message=f"Resuming: {done:,} frames are finished already.")
    meter = Meter("convert", total=total, start=done)
    try:
        yield from make(work, meter, segments)
        yield meter.finished()
        damage = yield from _join(work, segments)
    except (GeneratorExit, KeyboardInterrupt):
        _write_partial(work, segments)
        raise
    except DamagedSegmentError as error:
        work.journal.forget(error.segment)
        raise
    if work.passes is not None:
        work.passes.finish([entry for segment in segments for entry in segment.passes])
    work.journal.remove()
    return Converted(*_totals(segments), damage or "")


def begin_conversion(
    work: SegmentWork, aspects: Mapping[str, str], quality: FoundQuality | None
) -> str | None:
    """Store what the output is made of.

    Returns a sentence if segments were made of something else; they are made again. Raises
    OutputError.
    """
    facts, known = work.journal.facts(), known_segments(work)
    outdated = [number for number in work.journal.segment_files() if number not in known]
    work.journal.write_facts(RenderFacts(aspects=dict(aspects), quality=quality))
    if not outdated:
        return None
    before = facts.aspects if facts is not None else {}
    changed = [name for name, value in aspects.items() if before.get(name) != value]
    what = " and ".join(changed) or "the faces to swap"
    return (
        f"{len(outdated)} of {work.planned.path.name}'s segments were finished before {what} "
        f"changed, and are made again; the earlier ones are kept in {work.journal.folder} until "
        "the output is finished."
    )


def known_segments(work: SegmentWork) -> dict[int, Segment]:
    """The finished segments that are as they are to be now, by number."""
    found = {}
    for number in work.journal.segment_files():
        segment = work.journal.segment(number, work.place(number).key)
        if segment is not None:
            found[number] = segment
    return found


def follows(work: SegmentWork, segment: Segment, before: Segment | None) -> bool:
    """Whether a segment that was entered in the middle of the footage begins where it should.

    before: the one before it, which does. Packets that can't be decoded are not counted.
    """
    if not segment.entered:
        return True
    begin, stamps = work.place(segment.number).first, work.footage.timestamps()
    if before is None or begin > len(stamps):
        return False
    return bool(stamps[begin - 1] == before.pictures.last_pts)


def make_segments(
    work: SegmentWork, meter: Meter, segments: list[Segment]
) -> Generator[Event, None, None]:
    """Make the missing segments in this process; stopped, the last may be of an unfinished one."""
    known = known_segments(work)
    while not (segments and segments[-1].last):
        number, before = len(segments), segments[-1] if segments else None
        if number in known and follows(work, known[number], before):
            segments.append(known[number])
            continue
        end = min((later for later in known if later > number), default=None)
        making = SegmentPass(work, meter)
        try:
            yield from making.run(number, end, before)
        except (GeneratorExit, KeyboardInterrupt):
            segments += making.so_far()
            raise
        finally:
            making.discard()
        if not making.finished:
            done, _ = _totals(segments)
            raise OutputError(f"{work.planned.path.name} would have no more frames after {done}.")
        segments += making.finished


def _join(work: SegmentWork, segments: list[Segment]) -> Generator[Event, None, str | None]:
    return (
        yield from in_background(
            "join",
            lambda report: work.planned.join(
                work.journal,
                segments,
                report,
                lambda complete: work.journal.note_finished(complete, *_totals(segments)),
            ),
            "frames",
        )
    )


def _write_partial(work: SegmentWork, segments: list[Segment]) -> None:
    """Join what is done to a video of its own, with the sound until there."""
    if not segments:
        return
    end = Fraction(segments[-1].pictures.end_pts) * work.footage.info.time_base
    planned = work.planned.as_partial(work.journal.partial, end)
    if planned is not None:
        planned.join(work.journal, segments)


def _totals(segments: list[Segment]) -> tuple[int, int]:
    return (
        sum(segment.pictures.frames for segment in segments),
        sum(segment.swapped for segment in segments),
    )
