"""What a running job yields.

No event grows with the length of a clip: what has a value for each frame lies in a file that the
event names.

Events are small, frozen and typed, so that the command line, the window and a log file read
the same thing: on the command line with ``--events jsonl`` each is one line of JSON, and
``parse`` turns such a line back into the event.
"""

import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

if TYPE_CHECKING:
    pass


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Progress(_Frozen):
    """How far one stage of a job is.

    ``rate`` is in ``unit`` per second, ``eta`` in seconds; both are absent until they can be
    told. ``total`` is absent where the end is not known.
    """

    kind: Literal["progress"] = "progress"
    stage: str
    done: float
    total: float | None = None
    unit: str = "frames"
    rate: float | None = None
    eta: float | None = None


class Metrics(_Frozen):
    """Named numbers at one training step. ``state`` says how the run does, when it was measured."""

    kind: Literal["metrics"] = "metrics"
    step: int
    values: dict[str, float]
    state: str = ""


class Preview(_Frozen):
    """A picture worth showing now, as a PNG on disk."""

    kind: Literal["preview"] = "preview"
    path: Path
    caption: str = ""


class Saved(_Frozen):
    """Something that is safely on disk: what it is, and where."""

    kind: Literal["saved"] = "saved"
    what: str
    path: Path


class Notice(_Frozen):
    """A warning: the job goes on, but the user should know.

    ``trouble`` says that somebody should look now, as training that goes on for days may do no
    good any more.
    """

    kind: Literal["notice"] = "notice"
    message: str
    frame: int | None = None
    trouble: bool = False


class Answer(_Frozen):
    """What a job that takes questions (``preview --serve``) says to question ``id``.

    ``error`` is a sentence for the user; it is empty when the question could be answered. Values
    that grow with the clip are in a JSON file at ``path``, which the question named.
    """

    kind: Literal["answer"] = "answer"
    id: int
    values: dict[str, JsonValue] = Field(default_factory=dict)
    path: Path | None = None
    error: str = ""


class Finished(_Frozen):
    """The job is done: the fields of its summary model, and the same in a few sentences."""

    kind: Literal["finished"] = "finished"
    summary: dict[str, JsonValue]
    text: str = ""


class Failed(_Frozen):
    """The job could not go on. ``details`` is a traceback, for a bug report."""

    kind: Literal["failed"] = "failed"
    message: str
    details: str = ""


class Stopped(_Frozen):
    """The job was asked to stop and has put everything it had in safety."""

    kind: Literal["stopped"] = "stopped"


Event = Progress | Metrics | Preview | Saved | Notice | Answer
"""What a job itself yields."""

Line = Event | Finished | Failed | Stopped
"""What a process running a job writes: its events, then exactly one of the last three."""

_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def parse(line: str | bytes) -> Line:
    """Turn one line of ``--events jsonl`` back into an event.

    Raises ``pydantic.ValidationError`` when the line is not one.
    """
    return _LINE.validate_json(line)


class Summary(_Frozen):
    """What a job returns; each job has its own subclass."""

    def text(self) -> str:
        """One or a few sentences for a person."""
        raise TypeError(f"{type(self).__name__} does not describe itself")


class Meter:
    """Counts work and says, at most ten times a second, how far it is.

    The rate is taken over the last few seconds, so that it follows a change of speed, and
    work done by an earlier run (``start``) does not flatter it.
    """

    def __init__(
        self, stage: str, total: float | None = None, unit: str = "frames", start: float = 0
    ) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.done = start
        now = time.monotonic()
        self._history: list[tuple[float, float]] = [(now, start)]
        self._last_shown = 0.0

    def add(self, amount: float = 1) -> Progress | None:
        """Count ``amount`` more; a Progress when it is time to show one, else None."""
        return self.set(self.done + amount)

    def set(self, done: float) -> Progress | None:
        """Say that ``done`` is done; a Progress when it is time to show one, else None."""
        self.done = done
        now = time.monotonic()
        if now - self._last_shown < 0.1:
            return None
        self._last_shown = now
        self._history.append((now, done))
        while len(self._history) > 2 and now - self._history[0][0] > 10:
            self._history.pop(0)
        return self.progress()

    def finished(self) -> Progress:
        """That all is done: so much it was, whatever was said beforehand."""
        self.total = self.done
        return self.progress()

    def progress(self) -> Progress:
        """The state now, whether or not it is time to show it."""
        (t0, d0), now = self._history[0], time.monotonic()
        rate = (self.done - d0) / (now - t0) if now - t0 > 0.2 and self.done > d0 else None
        eta = None
        if rate and self.total is not None:
            eta = max(0.0, (self.total - self.done) / rate)
        return Progress(
            stage=self.stage, done=self.done, total=self.total, unit=self.unit, rate=rate, eta=eta
        )


T = TypeVar("T")


def as_stage(name: str, job: Generator[Event, None, T]) -> Generator[Event, None, T]:
    """The events of ``job`` as one stage of a larger one: its progress goes by ``name``."""
    try:
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                made: T = end.value
                return made
            yield event.model_copy(update={"stage": name}) if isinstance(event, Progress) else event
    finally:
        job.close()
