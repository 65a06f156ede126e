"""Swap the faces of a stretch of footage, segment by segment."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from faceswap.background import BackgroundWorker, uninterruptible
from faceswap.events import Event, Meter
from faceswap.swap.compositing.several import SeveralSwappers
from faceswap.video.info import VideoInfo
from faceswap.video.passes import CompositingPasses
from faceswap.video.patch import Patch
from faceswap.video.planned_output import PlannedOutput
from faceswap.video.prefetch import prefetch
from faceswap.video.reader import Footage, VideoReader
from faceswap.video.segment_journal import SegmentJournal
from faceswap.video.segments import Segment

_MEMORY = 300 * 2**20
"""Bytes of frames that are held at a time: decoded ahead, being swapped, being encoded."""
_BWDIF_REACH = 2  # pictures before, of which deinterlacing looks at one


@dataclass(frozen=True)
class Place:
    """A segment's number, its frames from ``first`` to before ``stop``, and its key."""

    number: int
    first: int
    stop: int
    key: str


@dataclass(frozen=True)
class SegmentWork:
    """What the segments of one output are made of and with.

    place: of a segment, by its number. first: the first frame of the output. batch: frames of a
    batch, fewer where they are large. check: raises InputError once the footage is another file.
    """

    footage: VideoReader
    planned: PlannedOutput
    swapper: SeveralSwappers
    journal: SegmentJournal
    place: Callable[[int], Place]
    first: int
    batch: int
    check: Callable[[], object]
    passes: CompositingPasses | None = None


class SegmentInWork:
    """One segment while its frames come in. segment: None until it is finished.

    entered: whether its first frame was found by its timestamp, with none before it.
    """

    def __init__(self, work: SegmentWork, place: Place, *, entered: bool) -> None:
        self.segment: Segment | None = None
        self._work, self._place, self._entered = work, place, entered
        data = work.journal.data(place.number, place.key)
        self._writer = work.planned.segment(data, place.first - work.first)
        self._passes: list[dict[str, JsonValue]] = []
        self._frames = self._swapped = 0

    def write(self, frames: Sequence[Footage], patches: Sequence[list[Patch]]) -> None:
        """Add frames, which may be changed, with their patches. Raises OutputError."""
        work = self._work
        with uninterruptible():
            for frame, found in zip(frames, patches, strict=True):
                if work.passes is not None and found:
                    self._passes.append(work.passes.write(frame.index, frame.pts, found))
                self._writer.write_footage(frame, found)
                self._frames += 1
                self._swapped += work.swapper.has_faces(frame.index)

    def finish(self, *, last: bool) -> Segment:
        """Finish the segment, and store that in the journal. Raises OutputError, InputError."""
        with uninterruptible():
            self._work.check()
            segment = self._finished(last=last)
            self._work.journal.add(segment)
            self.segment = segment
        return segment

    def so_far(self) -> Segment | None:
        """The frames until now as a segment that the journal does not have; None without any."""
        if self.segment is None and self._frames:
            self.segment = self._finished(last=True)
        return self.segment

    def discard(self) -> None:
        """Remove what is unfinished."""
        self._writer.discard()

    def _finished(self, *, last: bool) -> Segment:
        return Segment(
            number=self._place.number,
            key=self._place.key,
            pictures=self._writer.finish(),
            swapped=self._swapped,
            last=last,
            passes=tuple(self._passes),
            entered=self._entered,
        )


@dataclass(frozen=True)
class _Batch:
    """Consecutive frames of a segment. closes: it ends with them. last: so does the footage."""

    number: int
    frames: list[Footage]
    closes: bool
    last: bool


class SegmentPass:
    """Makes segments that follow one another: decodes, swaps and encodes, each in a thread.

    finished: those that were made.
    """

    def __init__(self, work: SegmentWork, meter: Meter) -> None:
        self.finished: list[Segment] = []
        self._in_work: SegmentInWork | None = None
        self._work, self._meter = work, meter
        self._size, self._ahead = _batch_sizes(work.footage.info, work.batch)

    def run(
        self, number: int, end: int | None, before: Segment | None
    ) -> Generator[Event, None, None]:
        """Make the segments from ``number`` to before ``end``, or to the end of the footage.

        before: the one before, which is finished. Without it, a segment in the middle is entered
        where its first frame should be, which is right if it ``follows`` the one before. Raises
        OutputError, InputError.
        """
        work = self._work
        entered = before is None and number > 0 and work.footage.seekable
        frames = self._frames(number, end, before)
        with (
            closing(prefetch(frames, self._ahead)) as ready,
            BackgroundWorker(self._meter.progress) as paced,
            ThreadPoolExecutor(1, "encode") as encoder,
        ):
            written: Future[None] | None = None
            for batch in self._batches(number, ready, bounded=end is not None):
                if self._in_work is None:
                    first = batch.frames[0].index
                    yield from paced(partial(work.swapper.measure_before, work.footage, first))
                    self._in_work = SegmentInWork(
                        work, work.place(batch.number), entered=entered and batch.number == number
                    )
                patches = yield from paced(partial(work.swapper.patches, batch.frames))
                if written is not None:
                    yield from paced(written.result)
                # A batch is encoded while the next one is swapped.
                written = encoder.submit(self._in_work.write, batch.frames, patches)
                if batch.closes:
                    yield from paced(written.result)
                    written = None
                    made = yield from paced(partial(self._in_work.finish, last=batch.last))
                    self.finished.append(made)
                    self._in_work = None
                if progress := self._meter.add(len(batch.frames)):
                    yield progress

    def so_far(self) -> list[Segment]:
        """What was made, with what there is of a segment that is not finished. Raises OutputError.

        Once the pass was stopped.
        """
        rest = None if self._in_work is None else self._in_work.so_far()
        return [*self.finished, *([] if rest is None else [rest])]

    def discard(self) -> None:
        """Remove what is unfinished."""
        if self._in_work is not None:
            self._in_work.discard()

    def _frames(self, number: int, end: int | None, before: Segment | None) -> Iterator[Footage]:
        """The footage of the segments; frames with faces are converted to RGB in this thread."""
        work = self._work
        begin = work.place(number).first
        stop = None if end is None else work.place(end).first
        span, base = work.planned.span, work.footage.info.time_base
        with closing(work.footage.footage(self._entry(begin, before))) as pictures:
            for one in pictures:
                if one.index < begin:
                    continue
                time = one.pts * base
                ended = span.stop is not None and time >= span.stop
                if ended or (stop is not None and one.index >= stop):
                    return
                if not span.contains(time):
                    continue
                if work.swapper.has_faces(one.index):
                    _ = one.image
                yield one

    def _entry(self, begin: int, before: Segment | None) -> int:
        """The frame to decode from, so that ``begin`` is what it is in a pass over all frames."""
        work = self._work
        if before is not None and work.footage.seekable:
            stamps = work.footage.timestamps()
            if begin > len(stamps) or stamps[begin - 1] != before.pictures.last_pts:
                return work.first  # packets that can't be decoded are not counted
        deinterlaced = work.footage.deinterlace and bool(work.footage.info.fields)
        return max(work.first, begin - _BWDIF_REACH * deinterlaced)

    def _batches(
        self, number: int, frames: Iterable[Footage], *, bounded: bool
    ) -> Iterator[_Batch]:
        """Frames in batches that do not go beyond a segment; a resumed one has the same."""
        batch: list[Footage] = []
        place = self._work.place(number)
        for frame in frames:
            closes = frame.index >= place.stop
            if batch and (closes or len(batch) == self._size):
                yield _Batch(place.number, batch, closes, last=False)
                batch = []
            if closes:
                place = self._work.place(place.number + 1)
            batch.append(frame)
        if batch:
            yield _Batch(place.number, batch, closes=True, last=not bounded)


def _batch_sizes(info: VideoInfo, wanted: int) -> tuple[int, int]:
    """Frames per batch, and how many are decoded ahead: fewer where they are large."""
    stored = info.stored[0] * info.stored[1] * (2 if "p1" in info.pixel_format else 1)
    frame = 2 * stored + 3 * info.width * info.height
    most = max(1, _MEMORY // (3 * frame))
    return min(wanted, most), max(2, min(2 * wanted, most))
