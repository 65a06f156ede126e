"""Processor seconds of the stages of a job, each measured apart from the threads of the others."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest import mock

import cv2
import psutil
import torch

Row = dict[str, str | int | float | None]
MOST_FRAMES = 200
"""Frames that stages are measured on: they are held in memory."""


class StageClock:
    """Processor seconds, user and system, of all threads, by stage; stages may lie in others.

    What is measured must run one after another: see ``alone``.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._last = time.process_time()

    @contextmanager
    def stage(self, name: str) -> Generator[None, None, None]:
        """Context whose processor time counts for ``name``, but for that of stages within."""
        self._note()
        self._open.append(name)
        try:
            yield
        finally:
            self._note()
            self._open.pop()

    @contextmanager
    def watched(self, name: str, owner: object, attribute: str) -> Generator[None, None, None]:
        """Context in which calls of a function or method count for ``name``."""
        original: Callable[..., Any] = getattr(owner, attribute)

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return original(*args, **kwargs)

        with mock.patch.object(owner, attribute, measured):
            yield

    def _note(self) -> None:
        now = time.process_time()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now


class _Serial:
    """A pool that does everything at once, in the thread that asks."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def map(self, work: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        return iter([work(*one) for one in zip(*items, strict=True)])

    def submit(self, work: Callable[..., Any], *args: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_result(work(*args))
        return future

    def shutdown(self, **_: object) -> None:
        pass


@contextmanager
def alone(*modules: object) -> Generator[None, None, None]:
    """Context in which one thread does what pools of ``modules``, OpenCV and PyTorch share."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    patches = [mock.patch.object(module, "ThreadPoolExecutor", _Serial) for module in modules]
    try:
        for patch in patches:
            patch.start()
        yield
    finally:
        for patch in patches:
            patch.stop()
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])


class Busy:
    """Wall and processor seconds of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def wall(self) -> float:
        """Seconds that have passed."""
        return time.perf_counter() - self._wall

    def cpu(self) -> float:
        """Processor seconds, user and system, of all threads."""
        return time.process_time() - self._cpu


def stage_rows(seconds: dict[str, float], frames: int, threads: dict[str, str]) -> list[Row]:
    """Rows of stages, in their order, with milliseconds of a processor for a frame.

    threads: which thread of the job does a stage.
    """
    total = sum(seconds.values())
    return [
        {
            "stage": name,
            "thread": threads[name],
            "processor ms/frame": 1000 * spent / frames,
            "share, %": 100 * spent / total,
        }
        for name, spent in seconds.items()
    ]


def limit(rows: list[Row]) -> str:
    """Which stage limits the rate, in a sentence: all processors together, or one thread."""
    spent: dict[str, float] = {}
    for row in rows:
        thread, cost = str(row["thread"]), row["processor ms/frame"]
        assert isinstance(cost, float)
        spent[thread] = spent.get(thread, 0.0) + cost
    largest = max(rows, key=lambda row: float(row["processor ms/frame"] or 0))
    cores = psutil.cpu_count() or 1
    shared = sum(spent.values()) / cores
    thread, longest = max(spent.items(), key=lambda item: item[1])
    if longest > shared:
        return f"{largest['stage']}; the thread that {thread}, by itself {1000 / longest:.0f}/s"
    return f"{largest['stage']}; all {cores} processors together, {1000 / shared:.0f}/s at most"
