"""Events that a running job yields: immutable Pydantic models.

Command line, window and log file all use them: with ``--events jsonl`` each is one line of JSON,
and ``parse`` turns such a line back into the event.

The size of an event does not depend on the length of a clip: per-frame values are in a file that
the event names.
"""

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from faceswap.driver import forward


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Progress(_Frozen):
    """Progress of one stage of a job.

    ``rate`` is in ``unit`` per second, ``eta`` in seconds; both are None until they can be
    estimated. ``total`` is None where it is not known.
    """

    kind: Literal["progress"] = "progress"
    stage: str
    done: float
    total: float | None = None
    unit: str = "frames"
    rate: float | None = None
    eta: float | None = None


class Metrics(_Frozen):
    """Metrics at one training step. ``state``: summary of the run after an evaluation, or ""."""

    kind: Literal["metrics"] = "metrics"
    step: int
    values: dict[str, float]
    state: str = ""


class Preview(_Frozen):
    """A preview picture, as a PNG on disk."""

    kind: Literal["preview"] = "preview"
    path: Path
    caption: str = ""


class Saved(_Frozen):
    """A file was saved (and synced to disk): what it is, and its path."""

    kind: Literal["saved"] = "saved"
    what: str
    path: Path


class Estimate(_Frozen):
    """What a video will be, found before the work.

    size: of its pictures in bytes. crf: their quality on x264's scale. fidelity: PSNR in dB of what
    is not changed.
    """

    kind: Literal["estimate"] = "estimate"
    path: Path
    size: int
    crf: float
    fidelity: float


class Notice(_Frozen):
    """A warning; the job continues.

    ``trouble``: needs attention soon, as a long training run may be wasting time (see
    ``--notify``).
    """

    kind: Literal["notice"] = "notice"
    message: str
    frame: int | None = None
    trouble: bool = False


class Answer(_Frozen):
    """Response of the preview server (``serve``) to request ``id``, None if it had no number.

    What it says is in ``faceswap.preview.protocol.AnswerLine``.
    """

    kind: Literal["answer"] = "answer"
    id: int | None


class Finished(_Frozen):
    """The job is done: its summary model as JSON, and as text."""

    kind: Literal["finished"] = "finished"
    summary: dict[str, JsonValue]
    text: str = ""


class Failed(_Frozen):
    """The job failed. ``details`` is the traceback, for a bug report."""

    kind: Literal["failed"] = "failed"
    message: str
    details: str = ""


class Stopped(_Frozen):
    """The job was stopped on request and has saved its state."""

    kind: Literal["stopped"] = "stopped"


Event = Progress | Metrics | Preview | Saved | Estimate | Notice | Answer
"""Events that a job yields."""

Line = Event | Finished | Failed | Stopped
"""Output of a process that runs a job: events, then exactly one of the last three."""

_LINE: TypeAdapter[Line] = TypeAdapter(Annotated[Line, Field(discriminator="kind")])


def parse(line: str | bytes) -> Line:
    """Parse one line of ``--events jsonl``.

    Raises ``pydantic.ValidationError`` when it is not an event.
    """
    return _LINE.validate_json(line)


class Summary(_Frozen):
    """Result of a job; each job has its own subclass."""

    def text(self) -> str:
        """The summary for the user, in a few sentences."""
        raise TypeError(f"{type(self).__name__} does not implement text()")

    def failed(self) -> bool:
        """Whether a part of the job failed, although the rest was done: the exit code says so."""
        return False


class Meter:
    """Progress counter that emits Progress events, at most ten a second.

    The rate is that of the last 10 seconds, so it follows changes of speed; work of an earlier
    run (``start``) is not counted.
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
        """Add ``amount``; returns a Progress if one is due, else None."""
        return self.set(self.done + amount)

    def set(self, done: float) -> Progress | None:
        """Set the amount done; returns a Progress if one is due, else None."""
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
        """Final progress: the total becomes what was done, whatever was estimated."""
        self.total = self.done
        return self.progress()

    def progress(self) -> Progress:
        """The current progress, whether or not one is due."""
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
    """Run ``job`` as one stage of a larger job: its Progress events get the stage ``name``."""

    def renamed(event: Event) -> Iterator[Event]:
        yield event.model_copy(update={"stage": name}) if isinstance(event, Progress) else event

    return (yield from forward(job, renamed))
