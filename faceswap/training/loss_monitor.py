"""Telling a run that goes wrong from one that merely wavers."""

from collections.abc import Mapping

from faceswap.events import Notice
from faceswap.training.state import TrainingState
from faceswap.training.step import TrainStepper

PATIENCE = 10  # bad steps between two looks that make a run a bad one
_TWICE = 2  # looks in a row at losses far above what they were, which do so too
_RECOVERED = 5000  # steps without anything bad, after which a rate that was halved is doubled


class LossMonitor:
    """Looks at the losses of a run's steps; the run then goes back, or its rate is doubled."""

    def __init__(self, state: TrainingState, stepper: TrainStepper) -> None:
        self._state, self._stepper = state, stepper
        self._far_above = 0  # looks in a row at which the losses were

    def has_diverged(self, losses: Mapping[str, float]) -> bool:
        """Whether the steps since the last look were bad; if not, learn from their ``losses``."""
        state, took = self._state, self._stepper
        if float(took.left_out) >= min(PATIENCE, took.summed):
            return True
        if state.level.is_spike(losses["loss"]):
            self._far_above += 1
            return self._far_above >= _TWICE
        self._far_above = 0
        state.level.add(losses["loss"])
        state.good = state.step
        return False

    def raise_rate_again(self) -> Notice | None:
        """Take half of a halving back when the run has done well for long."""
        state = self._state
        if state.rate_scale >= 1 or state.step - state.set_back < _RECOVERED:
            return None
        state.rate_scale, state.set_back = 2 * state.rate_scale, state.step
        return Notice(
            message=f"Nothing went wrong for {_RECOVERED:,} steps: on with "
            f"{state.rate_scale:g} of the learning rate."
        )

    def reset(self) -> None:
        """The run went back."""
        self._far_above = 0
