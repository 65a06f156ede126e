"""Checks of training options that contradict each other; all raise OptionsError."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from faceswap.errors import OptionsError
from faceswap.swap.training.objective import LOSS_NAMES, parse_strengths
from faceswap.swap.training.options import TrainOptions

if TYPE_CHECKING:
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import ProcessGroup
    from faceswap.training.job_mark import JobStart


def check_masks(options: TrainOptions, model: "SwapModel") -> None:
    """Raise when there is a mask loss but the model has no mask output."""
    if "mask" in parse_strengths(options.loss_weights, LOSS_NAMES) and not model.learns_masks:
        raise OptionsError(
            f"The preset {model.preset} has no mask output; remove mask from --loss-weights."
        )


def check_end(
    options: TrainOptions, checkpoint: "Checkpoint | None", begun_at: "JobStart | None"
) -> None:
    """Raise when there is an adversarial loss but no training budget to time its start by."""
    from faceswap.training.training_budget import BudgetRequest, next_budget

    numbers = {} if checkpoint is None else checkpoint.metadata
    budget, _ = next_budget(
        numbers.get("notes", {}),
        BudgetRequest(options.minutes, options.steps, options.endless),
        numbers.get("step", 0),
        numbers.get("seconds", 0.0),
        begun_at,
    )
    if options.adversarial_weight > 0 and budget is None:
        raise OptionsError(
            "--adversarial-weight needs a training budget, as it starts late in it; add --minutes "
            "or --steps."
        )


def check_rate(options: TrainOptions) -> None:
    """Raise when a learning rate is both given and searched for."""
    if options.learning_rate is not None and options.find_learning_rate:
        raise OptionsError(
            "--learning-rate and --find-learning-rate exclude each other; give one of them."
        )


def check_alone(options: TrainOptions, found: Mapping[str, float], group: "ProcessGroup") -> None:
    """Raise when the batch size would be searched for in several processes at once."""
    if options.batch == "auto" and "batch" not in found and group.size > 1:
        raise OptionsError("--batch auto works in one process only; give --batch a number.")
