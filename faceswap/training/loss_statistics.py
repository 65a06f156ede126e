"""Running statistics of the loss, and detection of loss spikes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

_WEIGHT = 0.1  # of the newest loss in the running means


_MAX_EXCESS = 2.0  # times the mean; a schedule that restarts at the full rate doubles a loss


_MIN_COUNT = 3  # losses before the mean is reliable


_NOISE = 20.0  # times the mean rise, which is about 0.4 standard deviations of pure noise


@dataclass
class LossStatistics:
    """Running means of the loss.

    mean: of the losses. rise: of each loss's excess over the mean, 0 below it, so that the fast
    fall at the start of a run is not taken for noise. count: number of losses.
    """

    mean: float = 0.0
    rise: float = 0.0
    count: int = 0

    def is_spike(self, loss: float) -> bool:
        """Whether ``loss`` is a spike.

        It is above three times the mean, and further than noise or a slow rise would take it.
        """
        excess = loss - self.mean
        return self.count >= _MIN_COUNT and excess > max(
            _MAX_EXCESS * abs(self.mean), _NOISE * self.rise
        )

    def add(self, loss: float) -> None:
        """Add a loss to the running means; ignores one that is not finite."""
        if not math.isfinite(loss):
            return
        weight = max(_WEIGHT, 1 / (self.count + 1))
        if self.count:
            self.rise += weight * (max(0.0, loss - self.mean) - self.rise)
        self.mean += weight * (loss - self.mean)
        self.count += 1

    def as_dict(self) -> dict[str, float]:
        """The state, as JSON values."""
        return {"mean": self.mean, "rise": self.rise, "count": self.count}

    @classmethod
    def from_dict(cls, numbers: Mapping[str, float]) -> "LossStatistics":
        """Restore the state that ``as_dict`` returned; empty statistics from an empty one."""
        return cls(
            float(numbers.get("mean", 0.0)),
            float(numbers.get("rise", 0.0)),
            int(numbers.get("count", 0)),
        )
