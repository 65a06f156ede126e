"""Searches for batch size and learning rate, before training."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

from faceswap.events import Event
from faceswap.training.batch_size_finder import find_batch_size
from faceswap.training.learning_rate_finder import find_learning_rate
from faceswap.training.learning_rate_schedule import scale_learning_rate
from faceswap.training.state import LoopConfig
from faceswap.training.step import TrainStepper
from faceswap.training.threads import DeviceThread


@dataclass(frozen=True)
class Searches:
    """What is searched for before training.

    batch, rate: whether batch size and learning rate are. found: what earlier searches of the run
    found and is still wanted, under these names: it is trained with and not searched for again.
    """

    batch: bool = False
    rate: bool = False
    found: Mapping[str, float] = field(default_factory=dict)

    def apply(self, config: LoopConfig) -> LoopConfig:
        """``config`` with what was found earlier."""
        return replace(
            config,
            batch_size=int(self.found.get("batch", config.batch_size)),
            learning_rate=self.found.get("rate", config.learning_rate),
        )


def run_searches(
    searches: Searches, stepper: TrainStepper, thread: DeviceThread
) -> Generator[Event, None, None]:
    """Find what is searched for, and set ``stepper`` to train with it.

    It is stored in the checkpoints, under ``found`` in the notes. Weights and random state do not
    change.
    """
    found = dict(searches.found)
    if searches.batch and "batch" not in found:
        count = yield from thread.run_generator("find batch", lambda: find_batch_size(stepper))
        stepper.config = replace(stepper.config, batch_size=count)
        found["batch"] = count
    if searches.rate and "rate" not in found:
        rate = yield from thread.run_generator("find rate", lambda: find_learning_rate(stepper))
        if rate is not None:
            scale_learning_rate(stepper.state.optimiser, rate / stepper.config.learning_rate)
            stepper.config = replace(stepper.config, learning_rate=rate)
        found["rate"] = stepper.config.learning_rate
    stepper.state.notes["found"] = found
