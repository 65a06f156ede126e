"""How long a run is to be trained, and how far it is: the same after a stop as without one.

What is asked for at a time (60 minutes, or until step 5,000) is a *stretch* of the run. Rate,
distortion and the second net follow the progress of the stretch, which lies in the checkpoints:
broken off and started again, it goes on with what is left of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceswap.errors import CheckpointError
from faceswap.training.job_mark import Begun

KEY = "stretch"
"""Its name among a run's notes; None there is a run that was trained without an end."""


class TrainingBudget(BaseModel):
    """What was asked for at a time.

    first, since: the run's step and its seconds of training when it began. It ends minutes after
    that or at the step ``steps`` of the run, whichever comes first.
    """

    model_config = ConfigDict(frozen=True)

    first: Annotated[int, Field(ge=0)]
    since: Annotated[float, Field(ge=0)]
    minutes: float | None = None
    steps: int | None = None

    def progress(self, step: int, seconds: float) -> float:
        """How far it is at that step and so many seconds into the run: from 0; over from 1 on."""
        parts = [0.0]
        if self.minutes is not None:
            parts.append((seconds - self.since) / (60 * self.minutes))
        if self.steps is not None:
            over = step >= self.steps
            parts.append(1.0 if over else (step - self.first) / max(1, self.steps - self.first))
        return max(parts)

    def end(self) -> str:
        """Its end in words."""
        ends = []
        if self.minutes is not None:
            ends.append(f"after {self.minutes:g} minute{'s' * (self.minutes != 1)}")
        if self.steps is not None:
            ends.append(f"at step {self.steps:,}")
        return " or ".join(ends)

    def left(self, step: int, seconds: float) -> str:
        """What is left of it, in words."""
        parts = []
        if self.minutes is not None:
            minutes = max(0.0, self.minutes - (seconds - self.since) / 60)
            parts.append(f"{minutes:.0f} of {self.minutes:g} minutes")
        if self.steps is not None:
            parts.append(f"{max(0, self.steps - step):,} steps")
        return " or ".join(parts)


@dataclass(frozen=True)
class RequestedEnd:
    """How long to train now; with no end named, as was asked before. endless: without any end."""

    minutes: float | None = None
    steps: int | None = None
    endless: bool = False

    @property
    def ends(self) -> bool:
        """Whether an end is named."""
        return self.minutes is not None or self.steps is not None


def stored_budget(notes: Mapping[str, Any]) -> TrainingBudget | None:
    """The last stretch of the run with these notes; raises CheckpointError when it is none."""
    try:
        found = notes.get(KEY)
        return None if found is None else TrainingBudget.model_validate(found)
    except ValidationError as error:
        raise CheckpointError(
            "The run was made by another version of faceswap: what it was asked to do cannot be "
            "read. Go on with that version, or begin a new run with --run."
        ) from error


def next_budget(
    notes: Mapping[str, Any],
    wish: RequestedEnd,
    step: int,
    seconds: float,
    begun_at: Begun | None = None,
) -> tuple[TrainingBudget | None, str]:
    """What a run with these notes, at that step, does on ``wish``; what to tell of it, or "".

    A stretch that is not over goes on, where another end is named with that one; one that is over
    is followed by a new one. None is training without an end. begun_at: where a job of
    several parts began that is under way; what it trained at is not over before the job.
    """
    last = stored_budget(notes)
    if wish.endless:
        dropped = last is not None and last.progress(step, seconds) < 1
        told = f"There is no end any more; {last.left(step, seconds)} were left." if last else ""
        return None, told if dropped else ""
    if last is None or not _open(last, step, seconds, begun_at):
        if not wish.ends:
            return None, ""
        # Runs of before stretches were counted in steps from their beginning.
        old = KEY not in notes and wish.minutes is None
        return TrainingBudget(first=0 if old else step, since=seconds, **_ends(wish)), ""
    moved = last.model_copy(update=_ends(wish)) if wish.ends else last
    if moved == last:
        left = 0 < last.progress(step, seconds) < 1
        return last, f"Training goes on: {last.left(step, seconds)} are left." if left else ""
    told = f"Training now ends {moved.end()}, not {last.end()}, counted from its begin."
    if moved.progress(step, seconds) >= 1:
        told += " That is over already: there is nothing left to do."
    return moved, told


def _open(last: TrainingBudget, step: int, seconds: float, begun_at: Begun | None) -> bool:
    if last.progress(step, seconds) < 1:
        return True
    # One that the job began, or one that was begun before and that the job went on with.
    return begun_at is not None and (
        last.first >= begun_at.step or last.progress(begun_at.step, begun_at.seconds) < 1
    )


def _ends(wish: RequestedEnd) -> dict[str, Any]:
    return {"minutes": wish.minutes, "steps": wish.steps}
