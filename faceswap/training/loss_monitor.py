"""Divergence detection, from loss spikes and skipped steps."""

from collections.abc import Mapping

from faceswap.events import Notice
from faceswap.training.state import TrainingState
from faceswap.training.step import TrainStepper

PATIENCE = 10  # skipped steps between two reports, at which a run has diverged
_SPIKES = 2  # reports in a row with a loss spike, at which it has too
_RECOVERED = 5000  # healthy steps after which a halved learning rate is doubled


class LossMonitor:
    """Monitors the losses of a run, to roll it back or to raise its learning rate again."""

    def __init__(self, state: TrainingState, stepper: TrainStepper) -> None:
        self._state, self._stepper = state, stepper
        self._spikes = 0  # reports in a row with a loss spike

    def has_diverged(self, losses: Mapping[str, float]) -> bool:
        """Whether the run diverged since the last report; otherwise records ``losses``."""
        state, stepper = self._state, self._stepper
        if float(stepper.left_out) >= min(PATIENCE, stepper.summed):
            return True
        if state.loss_statistics.is_spike(losses["loss"]):
            self._spikes += 1
            return self._spikes >= _SPIKES
        self._spikes = 0
        state.loss_statistics.add(losses["loss"])
        state.good = state.step
        return False

    def raise_rate_again(self) -> Notice | None:
        """Double a reduced learning rate after enough healthy steps."""
        state = self._state
        if state.rate_scale >= 1 or state.step - state.set_back < _RECOVERED:
            return None
        state.rate_scale, state.set_back = 2 * state.rate_scale, state.step
        return Notice(
            message=f"No divergence for {_RECOVERED:,} steps: training goes on with "
            f"{state.rate_scale:g} of the learning rate."
        )

    def reset(self) -> None:
        """Reset after a roll back."""
        self._spikes = 0
