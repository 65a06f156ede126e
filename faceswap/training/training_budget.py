"""Training budget: how long to train a run, kept across stop and resume.

A budget is what one session requests, such as 60 minutes or until step 5,000. Learning rate, random
warp and discriminator are scheduled by its progress. It is stored in the checkpoints: when training
is stopped and resumed, it goes on with the rest of the budget.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceswap.errors import CheckpointError
from faceswap.events import Progress
from faceswap.training.job_mark import JobStart

KEY = "stretch"
"""Key in a run's notes; the value is None for a run that trains without an end."""


class TrainingBudget(BaseModel):
    """One training budget.

    first, since: the run's step and seconds of training when it began. It ends ``minutes`` later or
    at step ``steps`` of the run, whichever comes first.
    """

    model_config = ConfigDict(frozen=True)

    first: Annotated[int, Field(ge=0)]
    since: Annotated[float, Field(ge=0)]
    minutes: float | None = None
    steps: int | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Progress at ``step`` and ``seconds`` of the run, from 0; at 1 the budget is used up."""
        parts = [0.0]
        if self.minutes is not None:
            parts.append((seconds - self.since) / (60 * self.minutes))
        if self.steps is not None:
            over = step >= self.steps
            parts.append(1.0 if over else (step - self.first) / max(1, self.steps - self.first))
        return max(parts)

    def end(self) -> str:
        """The end, in words."""
        ends = []
        if self.minutes is not None:
            ends.append(f"after {self.minutes:g} minute{'s' * (self.minutes != 1)}")
        if self.steps is not None:
            ends.append(f"at step {self.steps:,}")
        return " or ".join(ends)

    def left(self, step: int, seconds: float) -> str:
        """The remaining budget, in words."""
        parts = []
        if self.minutes is not None:
            minutes = max(0.0, self.minutes - (seconds - self.since) / 60)
            parts.append(f"{minutes:.0f} of {self.minutes:g} minutes")
        if self.steps is not None:
            parts.append(f"{max(0, self.steps - step):,} steps")
        return " or ".join(parts)

    def with_eta(self, event: Progress, spent: float, before: float, first: int) -> Progress:
        """``event``, progress in steps, with ETA and estimated total if the budget is in minutes.

        spent: seconds of training in this process; before, first: seconds and steps before it.
        """
        if self.minutes is None or not spent:
            return event
        left = max(0.0, 60 * self.minutes - (before + spent - self.since))
        total = first + (event.done - first) * (1 + left / spent)
        if self.steps is not None and total > self.steps:
            return event  # the limit in steps comes first
        return event.model_copy(update={"eta": left, "total": float(round(total))})


@dataclass(frozen=True)
class BudgetRequest:
    """Requested budget; without minutes and steps, the stored one. endless: no end at all."""

    minutes: float | None = None
    steps: int | None = None
    endless: bool = False

    @property
    def ends(self) -> bool:
        """Whether minutes or steps are given."""
        return self.minutes is not None or self.steps is not None


def stored_budget(notes: Mapping[str, Any]) -> TrainingBudget | None:
    """The budget in a run's notes, or None; raises CheckpointError when it is invalid."""
    try:
        found = notes.get(KEY)
        return None if found is None else TrainingBudget.model_validate(found)
    except ValidationError as error:
        raise CheckpointError(
            "The run was made by another version of faceswap, and its training budget cannot be "
            "read; use that version, or start a new run with --run."
        ) from error


def next_budget(
    notes: Mapping[str, Any],
    wish: BudgetRequest,
    step: int,
    seconds: float,
    begun_at: JobStart | None = None,
) -> tuple[TrainingBudget | None, str]:
    """The budget to train with, None for no end, and a message for the user, or "".

    An unfinished budget goes on, with the new end if one is requested; after a finished one, a new
    one begins. begun_at: start of the unfinished job that the training is a part of; a budget from
    within the job stays open until the job ends, see job_mark.py.
    """
    last = stored_budget(notes)
    if wish.endless:
        dropped = last is not None and last.progress(step, seconds) < 1
        message = f"Training has no end now; {last.left(step, seconds)} were left." if last else ""
        return None, message if dropped else ""
    if last is None or not _open(last, step, seconds, begun_at):
        if not wish.ends:
            return None, ""
        # Runs from before budgets were stored counted steps from their start.
        old = KEY not in notes and wish.minutes is None
        return TrainingBudget(first=0 if old else step, since=seconds, **_ends(wish)), ""
    changed = last.model_copy(update=_ends(wish)) if wish.ends else last
    if changed == last:
        left = 0 < last.progress(step, seconds) < 1
        return last, f"Training resumes: {last.left(step, seconds)} are left." if left else ""
    message = f"Training now ends {changed.end()}, not {last.end()}, counted from its start."
    if changed.progress(step, seconds) >= 1:
        message += " That is reached already, so there is nothing left to train."
    return changed, message


def _open(last: TrainingBudget, step: int, seconds: float, begun_at: JobStart | None) -> bool:
    if last.progress(step, seconds) < 1:
        return True
    # A budget that began in the job, or was unfinished when the job began.
    return begun_at is not None and (
        last.first >= begun_at.step or last.progress(begun_at.step, begun_at.seconds) < 1
    )


def _ends(wish: BudgetRequest) -> dict[str, Any]:
    return {"minutes": wish.minutes, "steps": wish.steps}


def renew_budget(
    notes: dict[str, Any],
    requested: BudgetRequest,
    step: int,
    seconds: float,
    begun_at: JobStart | None = None,
) -> tuple[TrainingBudget | None, str]:
    """``next_budget``, which is stored in ``notes``."""
    budget, message = next_budget(notes, requested, step, seconds, begun_at)
    notes[KEY] = None if budget is None else budget.model_dump(mode="json")
    return budget, message
