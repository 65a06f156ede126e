"""Work that takes long, beside a job that goes on answering.

A job is a generator: while it blocks, nobody hears of it and it hears nobody. What blocks for
long (reading thousands of faces, compiling a model, loading libraries) therefore runs in a thread
of its own, and the job tells meanwhile that it is alive and how far it is::

    faces = yield from waited("load A", lambda report: load_faces(folder, report), "faces")

Closing the job ends such work at its next report. Work that reports nothing is left alone to its
end, or to that of the process, unless it is in ``uninterruptible``, which is always waited for.
"""

import importlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar, cast

from faceswap.events import Event, Meter, Progress

T = TypeVar("T")

HEARTBEAT_SECONDS = 0.25
"""Seconds between two signs of life. A job must not be silent for one, and machines are busy."""

GRACE_SECONDS = 0.5
"""Seconds that work has to end when nobody waits for it any more."""

_whole: dict[int, int] = {}  # how often each thread has said so
_left: "set[threading.Thread]" = set()


class Abandoned(BaseException):
    """Raised inside of work that nobody waits for any more. No Exception: nothing may catch it."""


class ReportProgress(Protocol):
    """What work says of itself while it goes on; it may raise, which then ends the work."""

    def __call__(self, done: float, total: float | None = None, /) -> None:
        """So much is done, of so much."""


def no_report(done: float, total: float | None = None) -> None:
    """A report that nobody hears."""


class ProgressReporter:
    """How far work is, as told by the work; raises Abandoned once nobody waits for it."""

    def __init__(self, stage: str, unit: str) -> None:
        self._meter = Meter(stage, None, unit)
        self._done = 0.0
        self._shown = self._over = False
        self._before: list[Progress] = []

    def __call__(self, done: float, total: float | None = None, /) -> None:
        if self._over:
            raise Abandoned
        self._done, self._meter.total = done, total

    def begin(self, stage: str, unit: str) -> None:
        """Go over to another stage; this one is over."""
        self(self._done, self._meter.total)
        self._before += self.finished()
        self._meter, self._done, self._shown = Meter(stage, None, unit), 0.0, False

    def progress(self) -> list[Progress]:
        """The state now, after that of stages which are over."""
        before, self._before = self._before, []
        self._shown, meter = True, self._meter
        return [*before, meter.set(self._done) or meter.progress()]

    def finished(self) -> list[Progress]:
        """That all is done; nothing of a stage of which nothing was told."""
        if not self._shown:
            return []
        self._meter.done = self._done if self._meter.total is None else self._meter.total
        return [self._meter.finished()]

    def abandon(self) -> None:
        """Let the next report raise."""
        self._over = True


Heartbeat = Callable[[], Event]
"""What to tell while nothing else is heard of the work."""


def in_background(
    stage: str,
    work: Callable[[ProgressReporter], T],
    unit: str = "steps",
    sign: Heartbeat | None = None,
) -> Generator[Event, None, T]:
    """What ``work`` returns or raises; meanwhile, signs of life. It runs in another thread.

    sign: what these are, where not the progress that the work reports. As long as the work is
    over within a moment, nothing is yielded.
    """

    def alone(report: ProgressReporter) -> Generator[Event, None, T]:
        yield from ()
        return work(report)

    return (yield from generator_in_background(stage, alone, unit, sign))


def generator_in_background(
    stage: str,
    job: Callable[[ProgressReporter], Generator[Event, None, T]],
    unit: str = "steps",
    sign: Heartbeat | None = None,
) -> Generator[Event, None, T]:
    """The events of ``job``, which runs in another thread, with signs of life wherever it blocks.

    Between two events it stands still, as it would without: nothing is done before it is asked
    for.
    """
    report = ProgressReporter(stage, unit)
    worker = _Worker(stage, job, report)
    try:
        while True:
            worker.go_on()
            while (answer := worker.answer(HEARTBEAT_SECONDS)) is None:
                yield from [sign()] if sign is not None else report.progress()
            if isinstance(answer, _End):
                yield from report.finished()
                return answer.value
            if isinstance(answer, _Failure):
                raise answer.error
            yield answer
    finally:
        report.abandon()
        worker.end()


class BackgroundWorker:
    """Waits for work that comes in many parts, as the frames of a film do: in one thread for all.

    sign: what is told while a part takes long.
    """

    def __init__(self, sign: Heartbeat) -> None:
        self._sign = sign
        self._parts: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._worker: _Worker[Any] = _Worker("parts", self._each, ProgressReporter("parts", ""))

    def __enter__(self) -> "BackgroundWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def __call__(self, work: Callable[[], T]) -> Generator[Event, None, T]:
        """What ``work`` returns or raises; signs of life while it takes long."""
        self._parts.put(work)
        self._worker.go_on()
        while (answer := self._worker.answer(HEARTBEAT_SECONDS)) is None:
            yield self._sign()
        if isinstance(answer, _Failure):
            raise answer.error
        assert isinstance(answer, _End)
        return cast(T, answer.value)

    def _each(self, _: ProgressReporter) -> Generator[Any, None, None]:
        while True:
            work = self._parts.get()
            try:
                yield _End(work())
            except Exception as error:  # noqa: BLE001  (it belongs to who waits)
                yield _Failure(error)


def import_in_background(stage: str, *modules: str) -> Generator[Event, None, None]:
    """Import ``modules``, which takes seconds where they were not needed for long."""

    def load(report: ProgressReporter) -> None:
        for number, module in enumerate(modules):
            report(number, len(modules))
            importlib.import_module(module)

    yield from in_background(stage, load, "libraries")


@contextmanager
def uninterruptible() -> Iterator[None]:
    """What this thread does here is waited for to its end, even when the job is closed."""
    me = threading.get_ident()
    _whole[me] = _whole.get(me, 0) + 1
    try:
        yield
    finally:
        _whole[me] -= 1
        if not _whole[me]:
            del _whole[me]


def any_left_running() -> bool:
    """Whether work that nobody waits for is still going on in this process."""
    return any(thread.is_alive() for thread in _left)


class _End(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Worker(Generic[T]):
    """A thread that goes from one event of a job to the next when it is told to."""

    def __init__(
        self,
        stage: str,
        job: Callable[[ProgressReporter], Generator[Event, None, T]],
        report: ProgressReporter,
    ) -> None:
        self._begin, self._report = job, report
        self._told: SimpleQueue[bool] = SimpleQueue()
        self._said: SimpleQueue[Event | _End[T] | _Failure] = SimpleQueue()
        self._closing = False
        self._failed: BaseException | None = None
        # A daemon: what can't be broken off must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name=stage, daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        """Let the job go on to its next event."""
        self._told.put(True)

    def answer(self, seconds: float) -> "Event | _End[T] | _Failure | None":
        """What came of it; None when that is not known within ``seconds``."""
        try:
            return self._said.get(timeout=seconds)
        except Empty:
            return None

    def end(self) -> None:
        """Close the job, unless it is over; wait for what must be whole.

        Raises what the job raises when it is closed.
        """
        self._told.put(False)
        until = time.monotonic() + GRACE_SECONDS
        _left.difference_update([thread for thread in _left if not thread.is_alive()])
        _left.add(self._thread)  # should this be broken off, too
        while self._thread.is_alive():
            if not self._must_end() and time.monotonic() > until:
                return
            self._thread.join(0.02)
        _left.discard(self._thread)
        if self._failed is not None:
            raise self._failed

    def _must_end(self) -> bool:
        return self._closing or (self._thread.ident or 0) in _whole

    def _run(self) -> None:
        job = self._begin(self._report)
        try:
            while self._told.get():
                try:
                    self._said.put(next(job))
                except StopIteration as end:
                    self._said.put(_End(end.value))
                    return
                except BaseException as error:  # noqa: BLE001  (it belongs to who waits)
                    self._said.put(_Failure(error))
                    return
            self._closing = True
            job.close()
        except BaseException as error:  # noqa: BLE001  (as above)
            self._failed = error
