"""Run parts of a benchmark in separate processes.

A CUDA error makes the device unusable for its process, and a compiler cannot be interrupted; in
separate processes, results from before a part failed, hung or was killed are kept.
"""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

Row = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Found:
    """Rows to add to the table ``title``; whole: they replace its rows."""

    title: str
    rows: list[Row]
    whole: bool = False


@dataclass(frozen=True)
class Failed:
    """Why a part failed, in a sentence."""

    reason: str


Message = Found | Failed
Part = Callable[..., Iterator[Found]]
"""A module-level function with picklable arguments."""


class Apart:
    """Runs ``part`` in a separate process, started at once."""

    def __init__(self, part: Part, *arguments: Any) -> None:
        fresh = multiprocessing.get_context("spawn")
        self._here, there = fresh.Pipe(duplex=False)
        self._process = fresh.Process(target=_send, args=(there, part, arguments), daemon=True)
        self._process.start()
        there.close()

    def message(self, until: float, given: float) -> Message | None:
        """The next message of the process; None after its last.

        until: deadline by ``time.monotonic``; after it Failed, whose reason names ``given`` seconds
        as the time limit.
        """
        if not self._here.poll(max(0.0, until - time.monotonic())):
            return Failed(f"It was ended after the {given:.0f} s that were left for it.")
        try:
            message: Message = self._here.recv()
            return message
        except EOFError:
            self._process.join()
            code = self._process.exitcode or 0
            ending = f"signal {-code}" if code < 0 else f"exit code {code}"
            return Failed(f"Its process ended by {ending}.") if code else None

    def messages(self, seconds: float) -> Iterator[Message]:
        """All messages within ``seconds`` from now; then the process is killed. Failed is last."""
        until = time.monotonic() + seconds
        try:
            while (message := self.message(until, seconds)) is not None:
                yield message
                if isinstance(message, Failed):
                    return
        finally:
            self.end()

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.join()
        self._here.close()


def _send(pipe: "Connection[Message, Message]", part: Part, arguments: tuple[Any, ...]) -> None:
    try:
        for found in part(*arguments):
            pipe.send(found)
    except Exception as error:  # noqa: BLE001  (reported; the other parts go on)
        traceback.print_exc()
        pipe.send(Failed(sentence(error)))


def sentence(error: BaseException) -> str:
    """Format an error as one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
