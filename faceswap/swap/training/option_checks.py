"""What can't be trained together, told before the work. All raise OptionsError."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from faceswap.errors import OptionsError
from faceswap.swap.training.config import LOSS_NAMES, parse_strengths
from faceswap.swap.training.options import TrainOptions

if TYPE_CHECKING:
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import ProcessGroup
    from faceswap.training.job_mark import Begun


def check_masks(options: TrainOptions, model: "SwapModel") -> None:
    """Refuse a loss for masks where the model learns none."""
    if "mask" in parse_strengths(options.loss_weights, LOSS_NAMES) and not model.learns_masks:
        raise OptionsError(
            f"The preset {model.preset} learns no mask; leave mask out of --loss-weights."
        )


def check_end(
    options: TrainOptions, checkpoint: "Checkpoint | None", begun_at: "Begun | None"
) -> None:
    from faceswap.training.training_budget import RequestedEnd, next_budget

    numbers = {} if checkpoint is None else checkpoint.metadata
    stretch, _ = next_budget(
        numbers.get("notes", {}),
        RequestedEnd(options.minutes, options.steps, options.endless),
        numbers.get("step", 0),
        numbers.get("seconds", 0.0),
        begun_at,
    )
    if options.adversarial_weight > 0 and stretch is None:
        raise OptionsError(
            "--adversarial-weight begins late in a run, and this one has no end; add --minutes or "
            "--steps."
        )


def check_rate(options: TrainOptions) -> None:
    """Refuse a rate that is both named and to be found."""
    if options.learning_rate is not None and options.find_learning_rate:
        raise OptionsError(
            "--learning-rate names the rate that --find-learning-rate is to find; give one of them."
        )


def check_alone(options: TrainOptions, found: Mapping[str, float], group: "ProcessGroup") -> None:
    """Refuse to find a batch in several processes at once."""
    if options.batch == "auto" and "batch" not in found and group.size > 1:
        raise OptionsError("--batch auto needs a single process; give several ones a number.")
