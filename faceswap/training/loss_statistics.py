"""The usual size of a run's losses, and when one is far above it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

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
