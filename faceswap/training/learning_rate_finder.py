"""Learning rate finder (learning rate range test).

The rate grows over a short trial run until the loss diverges.

Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.
"""

import math
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from faceswap.events import Event, Meter, Notice
from faceswap.training.step import TrainStepper

LOW, HIGH = 1e-6, 1.0
STEPS = 100
_DIVERGED = 4.0  # times the lowest smoothed loss, at which the trial ends
_DECAY = 0.9  # of the running mean of the loss


def find_learning_rate(
    stepper: TrainStepper, steps: int = STEPS, low: float = LOW, high: float = HIGH
) -> Generator[Event, None, float | None]:
    """Find the learning rate for this data and model; see ``suggest_learning_rate``.

    The training state does not change. None where the loss never fell. In several processes, all
    use the losses of the main process.
    """
    state, full = stepper.state, stepper.config.learning_rate
    before = state.snapshot()
    meter = Meter("find rate", steps, "steps")
    rates = [low * (high / low) ** (i / max(1, steps - 1)) for i in range(steps)]
    losses: list[float] = []
    smooth, lowest = 0.0, math.inf
    try:
        for number, rate in enumerate(rates):
            found = stepper.train_step(rate / full, None)["loss"]
            loss = stepper.group.broadcast(float(found))
            smooth = _DECAY * smooth + (1 - _DECAY) * loss
            corrected = smooth / (1 - _DECAY ** (number + 1))
            if not math.isfinite(corrected) or (number > 10 and corrected > _DIVERGED * lowest):
                break
            losses.append(loss)
            lowest = min(lowest, corrected)
            if event := meter.set(number + 1):
                yield event
    finally:
        state.restore(before)
        stepper.reset_sums()
    while stepper.notices:
        yield stepper.notices.pop(0)
    rate_found = suggest_learning_rate(rates[: len(losses)], losses)
    if rate_found is None:
        yield Notice(message=f"The loss fell at no learning rate, which stays {full:.2g}.")
    else:
        yield Notice(
            message=f"The learning rate is {rate_found:.2g}, half of the one with the lowest loss."
        )
    return rate_found


def suggest_learning_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Half of the rate at which the smoothed loss is lowest; ``rates`` and ``losses`` (N,).

    On a parabola, twice the rate that reaches the minimum in one step leaves the loss unchanged.
    The common choice, the steepest descent, is where an untrained net learns the mean colour, at
    a tenth of the rate that is best afterwards. Rates must grow by a constant factor. None where
    the loss never falls, or with fewer than ten losses.
    """
    if len(losses) < 10:
        return None
    lowest = int(gaussian_smooth(np.asarray(losses), width=len(losses) / 20).argmin())
    return float(rates[lowest]) / 2 if lowest > 0 else None


def gaussian_smooth(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Gaussian smoothing of ``values`` (N,) with a standard deviation of ``width`` samples.

    It is symmetric and does not shift the curve, unlike a running mean.
    """
    offsets = np.arange(len(values))[:, None] - np.arange(len(values))[None]
    weights = np.exp(-0.5 * (offsets / width) ** 2)
    return np.asarray(weights @ values / weights.sum(1), np.float64)
