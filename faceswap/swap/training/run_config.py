"""Build a run's objective, discriminator and loop configuration from its options."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from faceswap.swap.model.presets import PRESETS
from faceswap.swap.training.objective import (
    AUGMENTATION_NAMES,
    LOSS_NAMES,
    RENAMED,
    ObjectiveConfig,
    parse_strengths,
)
from faceswap.swap.training.options import TrainOptions

if TYPE_CHECKING:
    from faceswap.swap.training.adversarial import AdversarialTrainer
    from faceswap.swap.training.face_set import FaceSet
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import Placement
    from faceswap.training.state import LoopConfig


def adversarial_trainer(options: TrainOptions, place: "Placement") -> "AdversarialTrainer | None":
    """The discriminator's trainer; None where its weight is 0."""
    from faceswap.swap.training.adversarial import AdversarialConfig, AdversarialTrainer

    if options.adversarial_weight == 0:
        return None
    config = AdversarialConfig(
        options.adversarial_weight, options.adversarial_start, seed=options.seed
    )
    return AdversarialTrainer(config, place.device, place.group)


def objective_config(options: TrainOptions) -> ObjectiveConfig:
    """Loss weights and augmentation strengths; values in --loss-weights and --augmentation win."""
    plain = {
        "warp": options.warp,
        "cells": options.warp_grid,
        "warp_end": options.warp_end,
        "outside": options.background_weight,
        "latent_swap": options.latent_swap,
        "eye_mouth_priority": options.eye_mouth_priority,
        "flip": 0.5 * options.random_flip,
        "pair_matching": options.pair_matching,
        "occlusion": options.occlusion,
        "blur": options.degradation,
        "noise": 0.05 * options.degradation,
        "compression": 0.1 * options.degradation,
    }
    augmentation = parse_strengths(options.augmentation, AUGMENTATION_NAMES)
    return ObjectiveConfig.model_validate(
        plain | augmentation | parse_strengths(options.loss_weights, LOSS_NAMES)
    )


def comparable_loss_config(
    options: TrainOptions, objective: ObjectiveConfig, learnt: "Mapping[str, FaceSet]"
) -> dict[str, Any]:
    """What losses depend on besides the model; they are comparable only where this is equal."""
    return {
        "objective": objective.model_dump(mode="json"),
        "adversarial": options.adversarial_weight,
        "faces": {side: len(faces.training) for side, faces in learnt.items()},
    }


def loop_config(options: TrainOptions) -> "LoopConfig":
    """Configuration of the training loop; batch size and rate are those given or the preset's."""
    from faceswap.training.state import LoopConfig

    preset = PRESETS[options.preset]
    batch = options.batch if isinstance(options.batch, int) else preset.batch
    return LoopConfig(
        steps=options.steps,
        minutes=options.minutes,
        endless=options.endless,
        batch_size=batch,
        optimiser=options.optimizer,
        learning_rate=options.learning_rate or preset.learning_rate,
        seed=options.seed,
        precision=None if options.precision == "auto" else options.precision,
        compile=options.compile,
        preview_seconds=options.preview_seconds,
        save_seconds=60 * options.save_minutes,
        save_steps=options.save_steps,
        keep_checkpoints=options.keep_checkpoints,
        snapshot_hours=options.snapshot_hours,
        snapshot_steps=options.snapshot_steps,
        measure="held-out SSIM",
        unit_name="faces",
        samples_per_item=2,
    )


def rename_loss_weights(checkpoint: "Checkpoint") -> None:
    """Rename the loss weights stored in an older checkpoint to their current names, in place."""
    losses = checkpoint.metadata.get("notes", {}).get("losses", {})
    if objective := losses.get("objective"):
        losses["objective"] = {RENAMED.get(name, name): v for name, v in objective.items()}
