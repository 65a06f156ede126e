"""Reading ahead: an iterator that a thread of its own keeps filled."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    """The ``items``, made by a thread that is at most ``depth`` of them ahead.

    What the thread raises is raised here. Closing the generator stops the thread and waits for
    it, so that what it reads from can be closed safely afterwards.
    """
    waiting: queue.Queue[tuple[str, Item | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(kind: str, value: Item | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                waiting.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def fill() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
        except BaseException as error:  # noqa: BLE001  (it belongs to the reader, not to the thread)
            put("error", error)
        else:
            put("end", None)

    thread = threading.Thread(target=fill, name="read ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                assert isinstance(value, BaseException)
                raise value
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()
