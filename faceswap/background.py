"""Run blocking work in a background thread while the job keeps yielding progress.

A job is a generator: while it blocks, it yields no events and can't be stopped. Long blocking work
(reading thousands of faces, compiling a model, importing libraries) therefore runs in a thread,
and the job yields heartbeats with its progress meanwhile::

    faces = yield from in_background("load A", lambda report: load(folder, report), "faces")

Closing the job cancels the work at its next progress report. Work that does not report is left
running until it or the process ends; a section in ``uninterruptible`` is always waited for.
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
"""Seconds between heartbeats; well below the 1 s for which a job may be silent at most."""

GRACE_SECONDS = 0.5
"""Seconds that cancelled work has to end before it is left running."""

_uninterruptible: dict[int, int] = {}  # thread id → nesting depth
_left_running: "set[threading.Thread]" = set()


class WorkCancelled(BaseException):
    """Raised inside cancelled work. A BaseException, so that ``except Exception`` lets it pass."""


class ReportProgress(Protocol):
    """Callback by which work reports its progress; it may raise, to cancel the work."""

    def __call__(self, done: float, total: float | None = None, /) -> None:
        """Report the amount done, and the total where it is known."""


def no_report(done: float, total: float | None = None) -> None:
    """A progress callback that does nothing."""


class ProgressReporter:
    """Holds the progress that the work reports; raises Abandoned in the work once cancelled."""

    def __init__(self, stage: str, unit: str) -> None:
        self._meter = Meter(stage, None, unit)
        self._done = 0.0
        self._shown = self._cancelled = False
        self._before: list[Progress] = []

    def __call__(self, done: float, total: float | None = None, /) -> None:
        if self._cancelled:
            raise WorkCancelled
        self._done, self._meter.total = done, total

    def begin(self, stage: str, unit: str) -> None:
        """Finish the current stage and begin another."""
        self(self._done, self._meter.total)
        self._before += self.finished()
        self._meter, self._done, self._shown = Meter(stage, None, unit), 0.0, False

    def progress(self) -> list[Progress]:
        """Finished stages not yet shown, then the current progress."""
        before, self._before = self._before, []
        self._shown, meter = True, self._meter
        return [*before, meter.set(self._done) or meter.progress()]

    def finished(self) -> list[Progress]:
        """The final progress of the stage; empty if none of it was shown."""
        if not self._shown:
            return []
        self._meter.done = self._done if self._meter.total is None else self._meter.total
        return [self._meter.finished()]

    def cancel(self) -> None:
        """Cancel the work: its next report raises Abandoned."""
        self._cancelled = True


Heartbeat = Callable[[], Event]
"""Makes the event to yield while the work yields none."""


def in_background(
    stage: str,
    work: Callable[[ProgressReporter], T],
    unit: str = "steps",
    heartbeat: Heartbeat | None = None,
) -> Generator[Event, None, T]:
    """Run ``work`` in a thread and yield heartbeats; returns or raises what it does.

    heartbeat: makes them, by default the progress that the work reports. Work that ends
    within ``HEARTBEAT_SECONDS`` yields nothing.
    """

    def as_generator(report: ProgressReporter) -> Generator[Event, None, T]:
        yield from ()
        return work(report)

    return (yield from generator_in_background(stage, as_generator, unit, heartbeat))


def generator_in_background(
    stage: str,
    job: Callable[[ProgressReporter], Generator[Event, None, T]],
    unit: str = "steps",
    heartbeat: Heartbeat | None = None,
) -> Generator[Event, None, T]:
    """Run the generator ``job`` in a thread; yield its events, and heartbeats where it blocks.

    It stays lazy: it pauses after each event until the next one is requested.
    """
    report = ProgressReporter(stage, unit)
    worker = _Worker(stage, job, report)
    try:
        while True:
            worker.request()
            while (reply := worker.reply(HEARTBEAT_SECONDS)) is None:
                yield from [heartbeat()] if heartbeat is not None else report.progress()
            if isinstance(reply, _End):
                yield from report.finished()
                return reply.value
            if isinstance(reply, _Failure):
                raise reply.error
            yield reply
    finally:
        report.cancel()
        worker.end()


class BackgroundWorker:
    """Runs many pieces of work, such as the frames of a video, one after another in one thread.

    sign: makes the heartbeat that is yielded while a piece takes long.
    """

    def __init__(self, sign: Heartbeat) -> None:
        self._sign = sign
        self._queue: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._worker: _Worker[Any] = _Worker("parts", self._run_all, ProgressReporter("parts", ""))

    def __enter__(self) -> "BackgroundWorker":
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.end()

    def __call__(self, work: Callable[[], T]) -> Generator[Event, None, T]:
        """Run ``work``, yielding heartbeats; returns or raises what it does."""
        self._queue.put(work)
        self._worker.request()
        while (reply := self._worker.reply(HEARTBEAT_SECONDS)) is None:
            yield self._sign()
        if isinstance(reply, _Failure):
            raise reply.error
        assert isinstance(reply, _End)
        return cast(T, reply.value)

    def _run_all(self, _: ProgressReporter) -> Generator[Any, None, None]:
        while True:
            work = self._queue.get()
            try:
                yield _End(work())
            except Exception as error:  # noqa: BLE001  (raised again in the caller)
                yield _Failure(error)


def import_in_background(stage: str, *modules: str) -> Generator[Event, None, None]:
    """Import ``modules`` in a thread: on a cold disk cache that takes seconds."""

    def load(report: ProgressReporter) -> None:
        for number, module in enumerate(modules):
            report(number, len(modules))
            importlib.import_module(module)

    yield from in_background(stage, load, "libraries")


@contextmanager
def uninterruptible() -> Iterator[None]:
    """Context in which this thread's work is always waited for, even if the job is closed."""
    thread_id = threading.get_ident()
    _uninterruptible[thread_id] = _uninterruptible.get(thread_id, 0) + 1
    try:
        yield
    finally:
        _uninterruptible[thread_id] -= 1
        if not _uninterruptible[thread_id]:
            del _uninterruptible[thread_id]


def any_left_running() -> bool:
    """Whether cancelled work is still running in this process."""
    return any(thread.is_alive() for thread in _left_running)


class _End(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Worker(Generic[T]):
    """A thread that advances a generator on request, an event at a time, as ``run`` cannot."""

    def __init__(
        self,
        stage: str,
        job: Callable[[ProgressReporter], Generator[Event, None, T]],
        report: ProgressReporter,
    ) -> None:
        self._make, self._report = job, report
        self._requests: SimpleQueue[bool] = SimpleQueue()
        self._replies: SimpleQueue[Event | _End[T] | _Failure] = SimpleQueue()
        self._closing = False
        self._failed: BaseException | None = None
        # A daemon: work that can't be cancelled must not keep the process from exiting.
        self._thread = threading.Thread(target=self._run, name=stage, daemon=True)
        self._thread.start()

    def request(self) -> None:
        """Request the next event."""
        self._requests.put(True)

    def reply(self, seconds: float) -> "Event | _End[T] | _Failure | None":
        """The requested event, result or error; None if there is none within ``seconds``."""
        try:
            return self._replies.get(timeout=seconds)
        except Empty:
            return None

    def end(self) -> None:
        """Close the generator and wait up to ``GRACE_SECONDS``, longer where uninterruptible.

        Raises what the generator raises when it is closed.
        """
        self._requests.put(False)
        deadline = time.monotonic() + GRACE_SECONDS
        _left_running.difference_update(
            [thread for thread in _left_running if not thread.is_alive()]
        )
        _left_running.add(self._thread)  # in case this wait is interrupted, too
        while self._thread.is_alive():
            if not self._must_end() and time.monotonic() > deadline:
                return
            self._thread.join(0.02)
        _left_running.discard(self._thread)
        if self._failed is not None:
            raise self._failed

    def _must_end(self) -> bool:
        return self._closing or (self._thread.ident or 0) in _uninterruptible

    def _run(self) -> None:
        job = self._make(self._report)
        try:
            while self._requests.get():
                try:
                    self._replies.put(next(job))
                except StopIteration as end:
                    self._replies.put(_End(end.value))
                    return
                except BaseException as error:  # noqa: BLE001  (raised again in the caller)
                    self._replies.put(_Failure(error))
                    return
            self._closing = True
            job.close()
        except BaseException as error:  # noqa: BLE001  (as above)
            self._failed = error
