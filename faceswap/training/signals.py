"""Being asked to stop, but not in the middle of what must be whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from faceswap.background import uninterruptible

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""What asks a job to stop: Ctrl-C, and what systems and windows send; SIGBREAK is Windows'."""


@contextmanager
def defer_signals() -> Iterator[None]:
    """Defer ``STOP_SIGNALS`` to the end of the block; a second signal is not deferred.

    Then it does what it would have done at once: raise KeyboardInterrupt, as a rule. Python tells
    the main thread alone; where another one does the work, the main one waits for it to end.
    """
    if threading.current_thread() is not threading.main_thread():
        with uninterruptible():
            yield
        return
    # None is a handler that was not set from Python, which could not be put back.
    before = {n: handler for n in STOP_SIGNALS if (handler := signal.getsignal(n)) is not None}
    waiting: list[int] = []

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def hold(number: int, frame: FrameType | None) -> None:
        waiting.append(number)
        put_back()

    for number in before:
        signal.signal(number, hold)
    try:
        yield
    finally:
        put_back()
        if waiting:
            signal.raise_signal(waiting[0])
