"""Finding a learning rate: one short run during which it grows until nothing is learnt any more.

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
_RUINED = 4.0  # times the lowest smoothed loss, from where on nothing more is to be learnt
_MEMORY = 0.9  # of the running mean that tells so


def find_learning_rate(
    stepper: TrainStepper, steps: int = STEPS, low: float = LOW, high: float = HIGH
) -> Generator[Event, None, float | None]:
    """The learning rate that suits the present data and model; see ``suggest_learning_rate``.

    Weights, optimiser, random state and counters are afterwards what they were. None where the
    loss fell at no rate. Of several processes all find what the first one does.
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
            smooth = _MEMORY * smooth + (1 - _MEMORY) * loss
            corrected = smooth / (1 - _MEMORY ** (number + 1))
            if not math.isfinite(corrected) or (number > 10 and corrected > _RUINED * lowest):
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
        yield Notice(message=f"The loss fell at no learning rate; it stays {full:.2g}.")
    else:
        yield Notice(
            message=f"The learning rate is {rate_found:.2g}, half of where the loss was lowest."
        )
    return rate_found


def suggest_learning_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Half of that of ``rates`` (N,) at which the smoothed losses (N,) are lowest.

    Beyond it they no longer fall: twice the rate of a step that goes straight to the bottom of a
    parabola neither climbs nor falls. Where they fall fastest, as is often taken, is where a
    young net finds the mean colour, at a tenth of the rate that is best from then on. Rates grow
    by a constant factor. None where losses fall nowhere, or are fewer than ten.
    """
    if len(losses) < 10:
        return None
    lowest = int(gaussian_smooth(np.asarray(losses), width=len(losses) / 20).argmin())
    return float(rates[lowest]) / 2 if lowest > 0 else None


def gaussian_smooth(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """A Gaussian mean over ``values`` (N,) of standard deviation ``width`` places.

    Looks both ways, so that the curve is not shifted as a running mean shifts it.
    """
    apart = np.arange(len(values))[:, None] - np.arange(len(values))[None]
    weights = np.exp(-0.5 * (apart / width) ** 2)
    return np.asarray(weights @ values / weights.sum(1), np.float64)
