"""The model that a session of a run begins with, before the run's checkpoint is restored."""

import torch

from faceswap.assets import asset_path
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.loading import config_from, freeze_part, load_matching_weights
from faceswap.swap.model.presets import config_of, initial_weights
from faceswap.swap.training.option_checks import check_masks
from faceswap.swap.training.options import TrainOptions
from faceswap.training.checkpoint import Checkpoint, newest_checkpoint, read_checkpoint


def initial_model(
    options: TrainOptions, checkpoint: Checkpoint | None
) -> tuple[SwapModel, list[str]]:
    """A model of the run's architecture, with initial weights if it is new, and notices.

    checkpoint: of the run, if it was begun; its weights are not loaded. Raises CheckpointError
    when the weights of --init can't be read, OptionsError when the options don't suit the model.
    """
    if checkpoint is None:
        config = config_of(options.preset, options.resolution, options.variant)
    else:
        config = config_from(checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = SwapModel(config)
    check_masks(options, model)
    notices = [] if checkpoint is not None else _load_initial_weights(model, options)
    freeze_part(model, options.freeze)
    return model, notices


def _load_initial_weights(model: SwapModel, options: TrainOptions) -> list[str]:
    path = options.init
    if path is not None:
        taken = load_matching_weights(
            model, read_checkpoint(newest_checkpoint(path) if path.is_dir() else path)
        )
        return [f"Starting from {path}, with its {', '.join(taken)}."]
    asset = initial_weights(model.config)
    if asset is not None and not options.random_init:
        load_matching_weights(model, read_checkpoint(asset_path(asset)))
    return []
