"""Make the segments of a film on a farm, where one process would make them one after another."""

import uuid
from collections.abc import Generator
from pathlib import Path

from faceswap.background import in_background
from faceswap.errors import OutputError
from faceswap.events import Event, Meter, Notice
from faceswap.farm.cluster import Cluster
from faceswap.farm.crew import Crew
from faceswap.farm.orders import FilmOrder
from faceswap.farm.stretches import StretchPlan
from faceswap.io.atomic import write_atomically
from faceswap.swap.compositing.conversion import MakeSegments, follows, known_segments
from faceswap.swap.compositing.film_setup import Film
from faceswap.swap.compositing.segment_pass import SegmentWork
from faceswap.video.segment_journal import FoundQuality
from faceswap.video.segments import Segment


def film_farm(cluster: Cluster, film: Film, quality: FoundQuality | None) -> MakeSegments:
    """What makes the segments of ``film`` on ``cluster``; they are as one process makes them."""

    def make(
        work: SegmentWork, meter: Meter, segments: list[Segment]
    ) -> Generator[Event, None, None]:
        proof = work.journal.folder / f"{uuid.uuid4().hex}.part"
        write_atomically(proof, b"")
        order = _order(cluster, film, quality, work, proof)
        crew = Crew(cluster, order, lambda number: work.place(number).key)
        try:
            plan = yield from in_background("convert", lambda _: _plan(work))
            if not work.footage.seekable:
                name = work.footage.path.name
                yield Notice(message=f"{name} cannot be entered midway: one worker converts it.")
            while True:
                if told := _join(work, plan, segments):
                    yield Notice(message=told)
                if segments and segments[-1].last:
                    return
                yield from crew.step(plan)
                done = crew.frames + sum(one.pictures.frames for one in plan.made.values())
                if progress := meter.set(done):
                    yield progress
        finally:
            crew.dismiss()
            work.journal.remove_leftovers()

    return make


def _order(
    cluster: Cluster, film: Film, quality: FoundQuality | None, work: SegmentWork, proof: Path
) -> FilmOrder:
    """What every worker needs to know, with absolute paths."""
    options, footage = film.options, film.footage.path.absolute()
    changes = {
        "project": options.project.absolute(),
        "output": film.planned.path.absolute(),
        "out_dir": None,
        "input": [footage],
        "mask_video": options.mask_video and options.mask_video.absolute(),
        "passes": options.passes and options.passes.absolute(),
        # All workers together keep as much of the model's results as one process.
        "cache": options.cache / max(1, len(cluster.slots())),
        "ray": None,
        "workers_per_node": None,
    }
    return FilmOrder(
        options=options.model_copy(update=changes),
        film=footage,
        output=film.planned.path.absolute(),
        proof=proof,
        quality=quality,
        aspects=film.aspects(),
    )


def _plan(work: SegmentWork) -> StretchPlan:
    known = known_segments(work)
    if not work.footage.seekable:
        number = next(n for n in range(len(known) + 1) if n not in known)
        plan = StretchPlan(0, known)
        plan.only_rest(number, known.get(number - 1))
        return plan
    stop = len(work.footage.timestamps())
    if work.planned.span.stop is not None:
        stop = min(stop, work.footage.first_index(work.planned.span.stop))
    count = 1
    while work.place(count).first < stop:
        count += 1
    return StretchPlan(count, known)


def _join(work: SegmentWork, plan: StretchPlan, segments: list[Segment]) -> str | None:
    """Move to ``segments`` those that follow one another; a sentence if some must be made again."""
    while not (segments and segments[-1].last):
        number, before = len(segments), segments[-1] if segments else None
        one = plan.made.get(number)
        if one is not None and follows(work, one, before):
            segments.append(one)
            continue
        if one is None and not plan.is_empty(number):
            return None
        if plan.is_rest(number):
            if before is None:
                raise OutputError(f"{work.planned.path.name} would have no frames.")
            segments[-1] = before.model_copy(update={"last": True})
            work.journal.add(segments[-1])
            return None
        plan.only_rest(number, before)
        return (
            f"{work.footage.path.name} has packets that cannot be decoded: one worker makes the "
            f"segments from {number} on."
        )
    return None
