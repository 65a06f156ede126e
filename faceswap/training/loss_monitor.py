"""Telling a run that goes wrong from one that merely wavers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

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


_WEIGHT = 0.1  # of the newest in the running means


_ABOVE = 2.0  # times the mean; a rate that jumps from its end back to the whole doubles a loss


_FEWEST = 3  # losses that a mean must be of to say anything


_NOISE = 20.0  # times the mean rise; that is about 0.4 standard deviations of what only wavers


@dataclass
class LossStatistics:
    """Running means over the losses that were added.

    mean: of the losses. rise: of how far each was above the mean, 0 where it was below, so that
    falling fast, as a run does at first, is no noise. count: how many there were.
    """

    mean: float = 0.0
    rise: float = 0.0
    count: int = 0

    def is_spike(self, loss: float) -> bool:
        """Whether ``loss`` is out of all proportion to those before.

        More than three times their mean, and more than noise or a slow climb explain.
        """
        excess = loss - self.mean
        return self.count >= _FEWEST and excess > max(_ABOVE * abs(self.mean), _NOISE * self.rise)

    def add(self, loss: float) -> None:
        """Count one more loss; one that is not finite says nothing."""
        if not math.isfinite(loss):
            return
        weight = max(_WEIGHT, 1 / (self.count + 1))
        if self.count:
            self.rise += weight * (max(0.0, loss - self.mean) - self.rise)
        self.mean += weight * (loss - self.mean)
        self.count += 1

    def as_dict(self) -> dict[str, float]:
        """Its state, as JSON values."""
        return {"mean": self.mean, "rise": self.rise, "count": self.count}

    @classmethod
    def from_dict(cls, numbers: Mapping[str, float]) -> "LossStatistics":
        """The one that ``numbers()`` described; a new one of nothing."""
        return cls(
            float(numbers.get("mean", 0.0)),
            float(numbers.get("rise", 0.0)),
            int(numbers.get("count", 0)),
        )
