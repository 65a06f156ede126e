"""A worker of a farm: does one order at a time in a thread, and tells what happens in lines."""

import hashlib
import platform
import threading
from collections.abc import Generator
from queue import Empty, SimpleQueue

from pydantic import BaseModel

from faceswap import __version__
from faceswap.driver import run
from faceswap.errors import FaceswapError, InputError
from faceswap.events import Event, Failed, Finished, Line, Stopped
from faceswap.farm.film_desk import FilmDesk
from faceswap.farm.orders import (
    FilmOrder,
    Greeting,
    JobEnded,
    JobOrder,
    Order,
    StretchOrder,
    parse_order,
)
from faceswap.queue.job_process import run_in_process
from faceswap.queue.queue_file import QueuedJob

WAIT = 0.25
"""Seconds that an answer waits for something to tell."""


class _StopRequested(Exception):  # noqa: N818  (no error)
    pass


class Worker:
    """What runs on a machine of a farm. Each method answers within ``WAIT`` seconds or so.

    Texts in and out are JSON: orders, and lines of events of which the last of an order is
    Finished, Failed or Stopped.
    """

    version = __version__

    def __init__(self) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._stop = threading.Event()
        self._film: FilmDesk | None = None

    def hello(self) -> str:
        """The worker's ``Greeting``."""
        return Greeting(version=self.version, host=platform.node()).model_dump_json()

    def begin(self, order: str) -> list[str]:
        """Begin an order; the one before has ended."""
        self._stop.clear()
        threading.Thread(target=self._work, args=(order,), daemon=True).start()
        return []

    def told(self) -> list[str]:
        """Lines that were not told yet."""
        lines: list[str] = []
        try:
            lines.append(self._lines.get(timeout=WAIT))
            while True:
                lines.append(self._lines.get_nowait())
        except Empty:
            return lines

    def stop(self) -> list[str]:
        """Ask the order to end; its last line is Stopped."""
        self._stop.set()
        return []

    def _work(self, text: str) -> None:
        try:
            summary = run(self._job(parse_order(text)), self._tell)
            self._put(Finished(summary=summary.model_dump(mode="json")))
        except _StopRequested:
            self._put(Stopped())
        except FaceswapError as error:
            self._put(Failed(message=str(error)))
        except Exception as error:  # noqa: BLE001  (told where the order came from)
            bug = f"Unexpected error, probably a bug: {type(error).__name__}: {error}"
            self._put(Failed(message=bug))

    def _tell(self, event: Event) -> None:
        self._put(event)
        if self._stop.is_set():
            raise _StopRequested

    def _put(self, line: Line) -> None:
        self._lines.put(line.model_dump_json())

    def _job(self, order: Order) -> Generator[Event, None, BaseModel]:
        match order:
            case FilmOrder():
                self._film = FilmDesk(order)
                return self._film.open()
            case StretchOrder():
                assert self._film is not None
                return self._film.make(order)
            case JobOrder():
                return _run_job(order)


def _run_job(order: JobOrder) -> Generator[Event, None, JobEnded]:
    digest = hashlib.sha256(order.queue.read_bytes()) if order.queue.is_file() else None
    if digest is None or digest.hexdigest() != order.digest:
        raise InputError(
            f"it does not see {order.queue} as it is; put the queue and its files on storage that "
            "all machines share, under the same path."
        )
    job = QueuedJob(order.name, order.arguments, "")
    outcome = yield from run_in_process(job, order.folder)
    return JobEnded(ok=outcome.ok, message=outcome.message)
