"""Progress of a run through its training budget, the same in all of its processes."""

from collections.abc import Callable
from dataclasses import replace

from faceswap.events import Progress
from faceswap.training.job_mark import JobStart
from faceswap.training.step import TrainStepper
from faceswap.training.training_budget import BudgetRequest, TrainingBudget, renew_budget


class BudgetClock:
    """Counts the seconds of training of a run, and its progress through the budget.

    now: seconds of a clock that never goes back.
    """

    def __init__(self, stepper: TrainStepper, now: Callable[[], float]) -> None:
        self._stepper, self._now = stepper, now
        self._state, self._group = stepper.state, stepper.group
        self._budget: TrainingBudget | None = None
        self._agreed: float | None = None

    def set_budget(self, begun_at: JobStart | None = None) -> str:
        """Set the budget that the stepper's config requests, or the rest of an earlier one.

        Its ends are written to the config. Returns a message for the user, or "". begun_at: start
        of the job that the training is a part of, see job_mark.py.
        """
        state, config = self._state, self._stepper.config
        requested = BudgetRequest(config.minutes, config.steps, config.endless)
        budget, message = renew_budget(state.notes, requested, state.step, state.seconds, begun_at)
        self._budget, self._agreed = budget, None
        minutes, steps = (budget.minutes, budget.steps) if budget else (None, None)
        self._stepper.config = replace(config, minutes=minutes, steps=steps)
        return message

    def start(self) -> None:
        """Training begins now."""
        self._started = self._now()
        self._seconds_before, self._first = self._state.seconds, self._state.step

    def count(self) -> None:
        """Bring the run's seconds of training up to date."""
        self._state.seconds = self._seconds_before + self._now() - self._started

    def progress(self) -> float | None:
        """Progress through the training budget, 0 to 1; None where there is none."""
        budget, state = self._budget, self._state
        if budget is None:
            return None
        if self._group.size == 1 or budget.minutes is None:
            return budget.progress(state.step, state.seconds)
        # Clocks differ between processes; a broadcast at each step would slow all of them down.
        if self._agreed is None or state.step % self._stepper.config.report_steps == 0:
            self._agreed = self._group.broadcast(budget.progress(state.step, state.seconds))
        return self._agreed

    def with_eta(self, event: Progress) -> Progress:
        """``event``, progress in steps, with the ETA of a budget in minutes."""
        if self._budget is None:
            return event
        spent = self._now() - self._started
        return self._budget.with_eta(event, spent, self._seconds_before, self._first)
