"""The options of training: what is asked for now, and what a run remembers of it."""

import re
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator

from faceswap.errors import CheckpointError, OptionsError
from faceswap.options import Device, Notify, Options, Presentation, ProjectFolder, Steps, flag_of
from faceswap.swap.training.config import AUGMENTATION_NAMES, LOSS_NAMES, parse_strengths

if TYPE_CHECKING:
    from faceswap.swap.model.presets import SwapConfig
    from faceswap.training.run_metadata import RunMetadata


def check_run_name(name: str) -> str:
    """``name``, if a run can be called so; raises ValueError."""
    if not re.fullmatch(r"[\w][\w. -]*", name):
        raise ValueError("the name of a run is made of letters, digits, '.', '_', '-' and spaces")
    return name


def check_strengths(text: str, names: Collection[str]) -> str:
    """``text``, if it gives values to fields of ``names``; raises ValueError."""
    parse_strengths(text, names)
    return text


PresetName = Annotated[
    Literal["quick", "classic", "df", "liae"],
    Presentation(common=True),
    Field(
        description="The kind of model. quick learns in minutes on a processor; 'faceswap "
        "models' tells more of each."
    ),
]

OptimiserName = Annotated[
    Literal["adamw", "adabelief", "lion"], Field(description="How gradients become steps.")
]

Minutes = Annotated[
    float | None,
    Presentation(common=True),
    Field(
        gt=0,
        description="Train for so long, then stop; the rate falls and the distortion fades "
        "towards the end. Without an end both stay. Stopped and started again, with or without "
        "this, what is left is trained; another number moves the end.",
    ),
]

Batch = Annotated[
    Annotated[int, Field(ge=1)] | Literal["auto"] | None,
    Field(
        description="Faces a side, a step; the preset's by default. auto finds how many fit, "
        "and on a processor how many are worth it."
    ),
]

Rate = Annotated[
    float | None, Field(gt=0, le=1, description="Learning rate; the preset's by default.")
]

Losses = Annotated[
    str,
    AfterValidator(partial(check_strengths, names=LOSS_NAMES)),
    Field(
        description="Weights of losses that shall differ, such as 'dssim=1,l1=0.5'; there are "
        "l1, gradient, ssim, mse, dssim, ms_ssim, laplacian, frequency and mask."
    ),
]

Changes = Annotated[
    str,
    AfterValidator(partial(check_strengths, names=AUGMENTATION_NAMES)),
    Field(
        description="Strengths that shall differ, such as 'rotation=10,cells=4+8': rotation "
        "(5, in degrees), scale (0.05), shift (0.03), brightness (0.05), contrast (0.1), tint "
        "(0.03), color_transfer (1, of B's faces towards A's), cells (4; 4+8 distorts at two "
        "scales), warp_end (0.9, the share of a run with an end after which the distortion is "
        "gone), outside (0.1, how much what is no face counts), latent_swap (0.5, of the pairs), "
        "blur, noise and compression (as --degradation has it)."
    ),
]

RunName = Annotated[
    str,
    AfterValidator(check_run_name),
    Field(description="Name of the run; one of a new name begins anew beside the others."),
]

PRESET_DEFAULTS = {"quick": (1e-3, 8), "classic": (3e-4, 16), "df": (1e-4, 8), "liae": (1e-4, 8)}
"""Learning rate and faces a side. Small batches learn more from the same number of faces."""


class TrainOptions(Options):
    """Teach a model the faces of A and B."""

    renamed: ClassVar[Mapping[str, str]] = {
        "name": "run",
        "features": "eye_mouth_priority",
        "changes": "augmentation",
        "degrade": "degradation",
        "adversarial": "adversarial_weight",
        "adversarial_begin": "adversarial_start",
        "flip": "random_flip",
        "balanced": "balanced_sampling",
        "pairs": "pair_matching",
        "rate": "learning_rate",
        "find_rate": "find_learning_rate",
        "keep": "keep_checkpoints",
        "losses": "loss_weights",
        "from": "init",
        "start_from": "init",
        "fresh": "random_init",
    }

    project: ProjectFolder
    preset: PresetName = "quick"
    run: RunName = "main"
    minutes: Minutes = None
    steps: Steps = None
    endless: Annotated[
        bool, Field(description="Train without an end, whatever was asked for before.")
    ] = False
    batch: Batch = None
    resolution: Annotated[
        int | None,
        Field(ge=64, le=512, description="Side of the model's pictures; the preset's by default."),
    ] = None
    variant: Annotated[
        str | None,
        Field(
            description="For df and liae, any of u (normalised code), d (double output), "
            "t (one more level), c (another activation)."
        ),
    ] = None
    optimiser: OptimiserName = "adamw"
    learning_rate: Rate = None
    find_learning_rate: Annotated[
        bool,
        Field(
            description="Try all learning rates for a moment and take half of the one with the "
            "lowest loss."
        ),
    ] = False
    warp: Annotated[
        float, Field(ge=0, le=0.2, description="Strength of the distortion to be undone.")
    ] = 0.1
    eye_mouth_priority: Annotated[
        float,
        Field(ge=0, le=50, description="How much more eyes count, and half of it, the mouth."),
    ] = 6.0
    occlusion: Annotated[
        float,
        Field(ge=0, le=1, description="Share of faces with something in front, to look behind."),
    ] = 0.0
    degradation: Annotated[
        float, Field(ge=0, le=1, description="How much blur, noise and compression to withstand.")
    ] = 0.0
    loss_weights: Losses = ""
    augmentation: Changes = ""
    adversarial_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Weight of a second net that tells made faces from real ones, for texture "
            "late in a long run; 0.02 to 0.1, 0 for none.",
        ),
    ] = 0.0
    adversarial_start: Annotated[
        float, Field(ge=0, le=1, description="Share of the run after which that net takes part.")
    ] = 0.75
    random_flip: Annotated[
        bool,
        Presentation(negatable=True),
        Field(description="Mirror half of the faces: more poses, but parting and moles too."),
    ] = False
    balanced_sampling: Annotated[
        bool, Field(description="Show rare poses and openings of mouth and eyes more often.")
    ] = True
    min_presence: Annotated[
        float,
        Field(
            ge=0, le=1, description="Leave out faces that were found with less certainty than this."
        ),
    ] = 0.5
    min_sharpness: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Leave out faces with less than this share of the usual sharpness.",
        ),
    ] = 0.15
    pair_matching: Annotated[
        bool,
        Field(
            description="Show faces of A and B in pairs that do the same, so that B learns to do "
            "what A does and B's own footage does not show."
        ),
    ] = True
    init: Annotated[
        Path | None,
        Presentation(flag="--init"),
        Field(
            description="What a new run starts from: a model file (.safetensors), such as one "
            "that 'pretrain' made, or the folder of a run."
        ),
    ] = None
    random_init: Annotated[
        bool,
        Presentation(negatable=True),
        Field(
            description="Start a new run from nothing; without this, quick at 160 px starts from a "
            "model of many people."
        ),
    ] = False
    freeze: Annotated[
        Literal["nothing", "encoder", "shared"],
        Field(description="Leave this part as it is; shared is all but the decoders."),
    ] = "nothing"
    preview_seconds: Annotated[
        float, Field(gt=0, description="Show previews and measure every so many seconds.")
    ] = 60
    save_minutes: Annotated[
        float, Field(gt=0, description="Save every so many minutes, and at the end.")
    ] = 5
    save_steps: Annotated[
        int | None, Field(ge=1, description="Save every so many steps besides.")
    ] = None
    keep_checkpoints: Annotated[int, Field(ge=1, description="Keep so many of the last saves.")] = 3
    snapshot_hours: Annotated[
        float | None,
        Field(
            gt=0,
            description="Keep a save for good every so many hours of training, to go back to by "
            "'faceswap runs'.",
        ),
    ] = None
    snapshot_steps: Annotated[
        int | None, Field(ge=1, description="Keep a save for good every so many steps.")
    ] = None
    notify: Notify = None
    precision: Annotated[
        Literal["auto", "bf16", "fp32"], Field(description="auto takes the faster one here.")
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Field(description="Compile the model; auto does where a graphics card is faster with it."),
    ] = "auto"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Seed of everything random.")] = 0

    @model_validator(mode="after")
    def _check(self) -> "TrainOptions":
        if self.endless and (self.minutes is not None or self.steps is not None):
            end = "--steps" if self.minutes is None else "--minutes"
            raise ValueError(f"--endless trains without an end and {end} names one; give one")
        if self.random_init and self.init is not None:
            raise ValueError("--random-init starts from nothing and --init from a model; give one")
        return self

    def run_options(self) -> dict[str, Any]:
        """What a run keeps of these options, as JSON values."""
        kept = self.model_dump(mode="json", exclude=set(_OF_THE_MOMENT))
        # By its name alone: the same command may be given in another folder.
        return kept | {"init": None if self.init is None else self.init.name}

    def explicitly_set(self) -> set[str]:
        """The names of the options that were asked for, not left to their defaults."""
        return {name for name in self.model_fields_set if getattr(self, name) is not None}


_OF_THE_MOMENT = (
    *("project", "run", "minutes", "steps", "endless", "find_learning_rate", "device"),
    "notify",  # nobody's file may bring a command with it that is then run here
)
"""Not the run's own: asked for anew each time it goes on."""
_FIXED = ("preset", "resolution", "variant", "optimiser", "seed", "init", "random_init")
"""What can't be changed in the middle of a run."""


def resume_options(
    options: TrainOptions, numbers: "RunMetadata", config: "SwapConfig"
) -> TrainOptions:
    """``options`` with all that was not given as the run has it, of that model and numbers.

    Raises CheckpointError when what was given can't be changed in the middle of a run.
    """
    from faceswap.swap.model.presets import canonical_variant

    shape = {name: getattr(config, name) for name in ("preset", "resolution", "variant")}
    known = TrainOptions.current_names(numbers.notes.begun)
    begun = {name: value for name, value in known.items() if name in TrainOptions.model_fields}
    begun |= shape | {"optimiser": numbers.optimiser.lower()}
    given, asked = options.explicitly_set(), options.run_options()
    if asked["variant"] is not None:
        asked["variant"] = canonical_variant(asked["variant"])
    for name in _FIXED:
        if name in given and name in begun and begun[name] != asked[name]:
            flag = flag_of(TrainOptions, name)
            raise CheckpointError(
                f"The run {options.run!r} was begun with {_said(flag, begun[name])}, and "
                f"{_said(flag, asked[name])} was asked for, which can't be changed in the middle "
                f"of a run; leave {flag} out, or begin a new run with --run."
            )
    now = options.model_dump(include=given | set(_OF_THE_MOMENT))
    try:
        return TrainOptions.model_validate(begun | now)
    except ValidationError as error:
        raise CheckpointError(
            f"The run {options.run!r} was begun with options that this version does not know; go "
            "on with the version that began it, or begin a new run with --run."
        ) from error


TUNABLE = ("learning_rate", "batch", "loss_weights", "augmentation", "minutes", "steps")
"""What can be changed while a run trains."""


def apply_tuning(options: TrainOptions, values: Mapping[str, Any]) -> TrainOptions:
    """``options`` with ``values`` of what can be changed while a run trains.

    A new end takes the place of the old one. Raises OptionsError when they can't be.
    """
    values = TrainOptions.current_names(values)
    if unknown := values.keys() - set(TUNABLE):
        raise OptionsError(f"{', '.join(sorted(unknown))} can't be changed while a run trains.")
    now = options.model_dump()
    if values.keys() & {"minutes", "steps"}:
        now |= {"minutes": None, "steps": None, "endless": False}
    try:
        return TrainOptions.model_validate(now | dict(values))
    except ValidationError as error:
        item = error.errors()[0]
        where = f"{flag_of(TrainOptions, str(item['loc'][0]))}: " if item["loc"] else ""
        raise OptionsError(f"{where}{item['msg'].removeprefix('Value error, ')}.") from error


def describe_options(values: Mapping[str, Any]) -> str:
    """Options by name, as they are given on the command line."""
    flags = {flag_of(TrainOptions, name): value for name, value in values.items()}
    return ", ".join(
        f"{flag} {value if value != '' else 'as usual'}" for flag, value in flags.items()
    )


def _said(flag: str, value: Any) -> str:
    if value is True:
        return flag
    return f"no {flag}" if value in (None, "") or value is False else f"{flag} {value}"
