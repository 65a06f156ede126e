"""Parts of a benchmark in processes of their own.

A graphics card that was given a bad kernel answers nothing more to the process that gave it, and a
compiler can't be told to stop: so parts run apart, and what one found before it failed, hung or
was killed is kept.
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
    """Rows of the table ``title``; in place of those there are where it is ``whole``."""

    title: str
    rows: list[Row]
    whole: bool = False


@dataclass(frozen=True)
class Failed:
    """Why a part did not come to its end, in a sentence."""

    reason: str


Message = Found | Failed
Part = Callable[..., Iterator[Found]]
"""A function of a module, called with what can be sent to another process."""


class Apart:
    """``part`` in a process of its own, from now on."""

    def __init__(self, part: Part, *arguments: Any) -> None:
        fresh = multiprocessing.get_context("spawn")
        self._here, there = fresh.Pipe(duplex=False)
        self._process = fresh.Process(target=_send, args=(there, part, arguments), daemon=True)
        self._process.start()
        there.close()

    def message(self, until: float, given: float) -> Message | None:
        """The next that it tells; None after its last.

        Failed where none came by ``until``, of the clock that does not jump; the ``given`` seconds
        until then are what is told of it.
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
        """All that it tells within ``seconds`` from now; then it is ended. Failed is the last."""
        until = time.monotonic() + seconds
        try:
            while (message := self.message(until, seconds)) is not None:
                yield message
                if isinstance(message, Failed):
                    return
        finally:
            self.end()

    def end(self) -> None:
        """End its process, which may be busy."""
        self._process.kill()
        self._process.join()
        self._here.close()


def _send(pipe: "Connection[Message, Message]", part: Part, arguments: tuple[Any, ...]) -> None:
    try:
        for found in part(*arguments):
            pipe.send(found)
    except Exception as error:  # noqa: BLE001  (whatever fails is told, and the other parts go on)
        traceback.print_exc()
        pipe.send(Failed(sentence(error)))


def sentence(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
