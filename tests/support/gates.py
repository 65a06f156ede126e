"""Gates that work stops at until somebody heard of it: for tests of jobs that must not be silent.

No clock tells whether a job was silent: work that would be waited for without a sign of life
never gets through its gate, and the test fails.
"""

import threading
from collections.abc import Generator
from typing import TypeVar

from faceswap import run
from faceswap.events import Event

T = TypeVar("T")

_LONGEST = 20.0  # seconds until a gate gives up: far more than a busy machine takes for a sign


class Gate:
    """Lets work through one after the other, each when an event has come since it arrived.

    passed: how many are through. closed: the work was deserted.
    """

    def __init__(self, most: int = 3) -> None:
        self.passed = 0
        self._most = most
        self._heard = threading.Event()
        self._open = threading.Event()

    def arrive(self) -> None:
        """Wait here for the next event; after the first few, go through at once."""
        if self.passed < self._most and not self._open.is_set():
            self._heard.clear()
            assert self._heard.wait(_LONGEST), "nothing was heard of this work"
        self.passed += 1

    def hear(self) -> None:
        """An event has come."""
        self._heard.set()

    def open(self) -> None:
        """Let all through."""
        self._open.set()
        self._heard.set()


def heard(job: Generator[Event, None, T], gate: Gate) -> tuple[list[Event], T]:
    """All events of ``job``, each of which ``gate`` hears of, and what it returns."""
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        gate.hear()

    result = run(job, hear)
    return events, result
