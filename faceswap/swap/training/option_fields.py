"""Fields that several commands about training have: their types, bounds and help."""

import re
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from faceswap.options import Presentation, help_list
from faceswap.swap.model.presets import PRESETS
from faceswap.swap.training.objective import (
    AUGMENTATION_NAMES,
    LOSS_NAMES,
    ObjectiveConfig,
    parse_strengths,
)


def check_run_name(name: str) -> str:
    """Return ``name`` if it is valid for a run; raises ValueError otherwise."""
    if not re.fullmatch(r"[\w][\w. -]*", name):
        raise ValueError("a run's name may only have letters, digits, '.', '_', '-' and spaces")
    return name


def check_warp_grid(text: str) -> str:
    """Return ``text`` if it gives numbers of cells, as 4 or 4+8; raises ValueError otherwise."""
    try:
        ObjectiveConfig.model_validate({"cells": text})
    except ValidationError:
        raise ValueError(
            "give a number of cells from 1 to 32, such as 4, or several as 4+8"
        ) from None
    return text


def check_strengths(text: str, names: Collection[str]) -> str:
    """Return ``text`` if it gives values to some of ``names``; raises ValueError otherwise."""
    parse_strengths(text, names)
    return text


if TYPE_CHECKING:
    PresetChoice = str
else:
    PresetChoice = Literal[tuple(PRESETS)]

PresetName = Annotated[
    PresetChoice,
    Presentation(common=True, choices_in_help=True),
    Field(
        description=help_list(
            "Model preset: architecture, resolution and defaults; compare them with "
            "'faceswap models'",
            {name: preset.text() for name, preset in PRESETS.items()},
        )
    ),
]

VARIED = " and ".join(name for name, preset in PRESETS.items() if preset.has_variants)
"""The presets that have variants."""

OptimizerName = Annotated[
    Literal["adamw", "adabelief", "lion"], Field(description="Optimizer: AdamW, AdaBelief or Lion.")
]

Minutes = Annotated[
    float | None,
    Presentation(common=True),
    Field(
        gt=0,
        description="Training budget in minutes. The learning rate decays and the random warp "
        "fades towards its end. A new run without a budget trains until it is stopped, with both "
        "constant; a resumed run trains what is left, and a new number changes its budget.",
    ),
]

Batch = Annotated[
    Annotated[int, Field(ge=1)] | Literal["auto"] | None,
    Field(
        description="Batch size: faces of each side per step; the preset's by default. auto finds "
        "the largest that fits in GPU memory, or on a CPU the smallest that reaches full speed."
    ),
]

Rate = Annotated[
    float | None, Field(gt=0, le=1, description="Peak learning rate; the preset's by default.")
]

Losses = Annotated[
    str,
    AfterValidator(partial(check_strengths, names=LOSS_NAMES)),
    Field(
        description="Loss weights to change, such as 'dssim=1,l1=0.5'. Terms and defaults: l1 "
        "(1), gradient (1), ssim (0.5), mask (0.2); mse, dssim, ms_ssim, laplacian (pyramid) and "
        "frequency (focal frequency loss) are 0."
    ),
]

Changes = Annotated[
    str,
    AfterValidator(partial(check_strengths, names=AUGMENTATION_NAMES)),
    Field(
        description="Augmentation strengths to change, such as 'rotation=10,tint=0'. Names and "
        "defaults: rotation (5 degrees), scale (0.05), shift (0.03), brightness (0.05), contrast "
        "(0.1), tint (0.03), color_transfer (1; B's skin tone towards A's), blur, noise and "
        "compression (set by --degradation)."
    ),
]

WarpGrid = Annotated[
    str,
    AfterValidator(check_warp_grid),
    Field(
        description="Warp grid: cells per side of the random warp's grid, such as 4, or 4+8 for "
        "two scales at once."
    ),
]

WarpEnd = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Share of the training budget after which the random warp is off; it fades "
        "towards it.",
    ),
]

BackgroundWeight = Annotated[
    float,
    Field(ge=0, le=1, description="Weight of the background in the loss, beside 1 for skin."),
]

LatentSwap = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Latent swap: share of the matched pairs of A and B that swap latent codes.",
    ),
]

MOVED = {
    "augmentation": {
        "cells": "warp_grid",
        "warp_end": "warp_end",
        "outside": "background_weight",
        "latent_swap": "latent_swap",
        "exchange": "latent_swap",
    }
}
"""Former entries of --augmentation that are options now."""

RunName = Annotated[
    str,
    AfterValidator(check_run_name),
    Field(description="Name of the run. A new name starts a new run beside the others."),
]
