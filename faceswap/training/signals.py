"""Deferring stop signals during critical sections."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from faceswap.background import uninterruptible

STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""Signals that stop a job: Ctrl-C, termination, and Windows' SIGBREAK."""


@contextmanager
def defer_signals() -> Iterator[None]:
    """Defer ``STOP_SIGNALS`` to the end of the block; a second signal is not deferred.

    A deferred signal is raised again at the end, and usually raises KeyboardInterrupt. Only the
    main thread gets signals; in another thread, this makes the main one wait for the block.
    """
    if threading.current_thread() is not threading.main_thread():
        with uninterruptible():
            yield
        return
    # None is a handler that was not set from Python and could not be restored.
    handlers = {n: handler for n in STOP_SIGNALS if (handler := signal.getsignal(n)) is not None}
    deferred: list[int] = []

    def restore_handlers() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def hold(number: int, frame: FrameType | None) -> None:
        deferred.append(number)
        restore_handlers()

    for number in handlers:
        signal.signal(number, hold)
    try:
        yield
    finally:
        restore_handlers()
        if deferred:
            signal.raise_signal(deferred[0])
