"""Options of training, and how they merge with those that a run stores in its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from faceswap.errors import CheckpointError, OptionsError
from faceswap.options import Device, Notify, Options, Presentation, ProjectFolder, Steps, flag_of
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS, canonical_variant
from faceswap.swap.training.option_fields import (
    MOVED,
    VARIED,
    BackgroundWeight,
    Batch,
    Changes,
    LatentSwap,
    Losses,
    Minutes,
    OptimizerName,
    PresetName,
    Rate,
    RunName,
    WarpEnd,
    WarpGrid,
)

if TYPE_CHECKING:
    from faceswap.swap.model.presets import SwapConfig
    from faceswap.training.run_metadata import RunMetadata

_PRETRAINED = [
    f"{name} at {preset.architecture.resolution} px"
    for name, preset in PRESETS.items()
    if preset.initial_weights
]


class TrainOptions(Options):
    """Train a swap model on the faces of A and B."""

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
        "optimiser": "optimizer",
    }
    moved_entries: ClassVar[Mapping[str, Mapping[str, str]]] = MOVED

    project: ProjectFolder
    preset: PresetName = DEFAULT_PRESET
    run: RunName = "main"
    minutes: Minutes = None
    steps: Steps = None
    endless: Annotated[
        bool, Field(description="Train until stopped, and drop the run's training budget.")
    ] = False
    batch: Batch = None
    resolution: Annotated[
        int | None,
        Field(ge=64, le=512, description="Model resolution in pixels; the preset's by default."),
    ] = None
    variant: Annotated[
        str | None,
        Field(
            description=f"DeepFaceLab's letters for {VARIED}: u (normalized latent code), d "
            "(doubled output resolution), t (one level deeper), c (x·cos x activation); by default "
            "the preset's own."
        ),
    ] = None
    optimizer: OptimizerName = "adamw"
    learning_rate: Rate = None
    find_learning_rate: Annotated[
        bool,
        Field(
            description="Learning-rate range test before training: raises the rate step by step "
            "and takes half of the one with the lowest loss."
        ),
    ] = False
    warp: Annotated[
        float,
        Field(
            ge=0,
            le=0.2,
            description="Random warp: distortion of the encoder's input, which the model learns to "
            "undo, as the standard deviation of the warp grid's points in widths of a grid cell. 0 "
            "for none.",
        ),
    ] = 0.1
    warp_grid: WarpGrid = "4"
    warp_end: WarpEnd = 0.9
    eye_mouth_priority: Annotated[
        float,
        Field(
            ge=0,
            le=50,
            description="Eye/mouth priority: extra weight of the eyes in the loss, beside 1 for "
            "skin; the mouth gets half of it.",
        ),
    ] = 6.0
    background_weight: BackgroundWeight = 0.1
    occlusion: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of faces that get a random occluder, so that the model learns to "
            "reconstruct the face behind hands or hair.",
        ),
    ] = 0.0
    degradation: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Degradation: strength of blur, noise and compression on half of the "
            "encoder's inputs, so that the model copes with poor footage.",
        ),
    ] = 0.0
    loss_weights: Losses = ""
    augmentation: Changes = ""
    adversarial_weight: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Weight of a patch discriminator's adversarial (GAN) loss, for sharper "
            "texture late in a long run; 0.02 to 0.1, 0 for none.",
        ),
    ] = 0.0
    adversarial_start: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of the training budget after which the adversarial loss starts.",
        ),
    ] = 0.75
    random_flip: Annotated[
        bool,
        Presentation(negatable=True),
        Field(description="Random flip: mirror half of the faces, partings and moles too."),
    ] = False
    balanced_sampling: Annotated[
        bool, Field(description="Sample rare poses and mouth and eye openings more often.")
    ] = True
    min_presence: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Leave out faces with a landmark confidence (presence) below this.",
        ),
    ] = 0.5
    min_sharpness: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Leave out blurred faces: below this share of the median sharpness.",
        ),
    ] = 0.15
    pair_matching: Annotated[
        bool,
        Field(
            description="Pair matching: train on pairs of A and B with the same pose and "
            "expression, so that B learns expressions of A that B's footage lacks."
        ),
    ] = True
    latent_swap: LatentSwap = 0.5
    init: Annotated[
        Path | None,
        Presentation(flag="--init"),
        Field(
            description="Initial weights of a new run: a model file (.safetensors), such as "
            "one that 'pretrain' wrote, or the folder of another run."
        ),
    ] = None
    random_init: Annotated[
        bool,
        Presentation(negatable=True),
        Field(
            description="Start a new run from random initial weights; otherwise "
            f"{' or '.join(_PRETRAINED)} starts from weights pretrained on many people."
        ),
    ] = False
    freeze: Annotated[
        Literal["nothing", "encoder", "shared"],
        Field(description="Do not train this part; shared is the encoder and the bottleneck."),
    ] = "nothing"
    preview_seconds: Annotated[
        float, Field(gt=0, description="Seconds between previews and held-out measurements.")
    ] = 60
    save_minutes: Annotated[
        float, Field(gt=0, description="Minutes between checkpoints; one more at the end.")
    ] = 5
    save_steps: Annotated[
        int | None, Field(ge=1, description="Also save a checkpoint every N steps.")
    ] = None
    keep_checkpoints: Annotated[
        int, Field(ge=1, description="Checkpoints to keep: the newest N, and the best one.")
    ] = 3
    snapshot_hours: Annotated[
        float | None,
        Field(
            gt=0,
            description="Hours of training between snapshots: checkpoints kept until you remove "
            "them with 'faceswap runs', which also rolls back to them.",
        ),
    ] = None
    snapshot_steps: Annotated[
        int | None, Field(ge=1, description="Also keep a snapshot every N steps.")
    ] = None
    notify: Notify = None
    precision: Annotated[
        Literal["auto", "bf16", "fp32"],
        Field(description="bf16 is mixed precision; auto takes what is faster on this device."),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Field(description="Use torch.compile; auto does if it is faster on a GPU."),
    ] = "auto"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Random seed.")] = 0

    @model_validator(mode="after")
    def _check(self) -> "TrainOptions":
        if self.endless and (self.minutes is not None or self.steps is not None):
            end = "--steps" if self.minutes is None else "--minutes"
            raise ValueError(f"--endless and {end} exclude each other; give one of them")
        if self.random_init and self.init is not None:
            raise ValueError("--random-init and --init exclude each other; give one of them")
        return self

    def run_options(self) -> dict[str, Any]:
        """The options that are stored in a run's checkpoints, as JSON values."""
        stored = self.model_dump(mode="json", exclude=set(_NOT_STORED))
        # By its name alone: the same command may be given in another folder.
        return stored | {"init": None if self.init is None else self.init.name}

    def explicitly_set(self) -> set[str]:
        """Names of the options that were given, not left to their defaults."""
        return {name for name in self.model_fields_set if getattr(self, name) is not None}


_NOT_STORED = (
    *("project", "run", "minutes", "steps", "endless", "find_learning_rate", "device"),
    "notify",  # security: a downloaded checkpoint must not bring a command to execute
)
"""Options that are not stored with a run but given each time it is resumed."""
_FIXED = ("preset", "resolution", "variant", "optimizer", "seed", "init", "random_init")
"""Options that can't change when a run is resumed."""


def resume_options(
    options: TrainOptions, numbers: "RunMetadata", config: "SwapConfig"
) -> TrainOptions:
    """``options`` completed with those stored in the run's checkpoint.

    numbers, config: the checkpoint's metadata and model. Raises CheckpointError when a given option
    can't change in a resumed run.
    """
    shape = {name: getattr(config, name) for name in ("preset", "resolution", "variant")}
    known = TrainOptions.current_names(numbers.notes.begun)
    stored = {name: value for name, value in known.items() if name in TrainOptions.model_fields}
    stored |= shape | {"optimizer": numbers.optimiser.lower()}
    given, current = options.explicitly_set(), options.run_options()
    if current["variant"] is not None:
        current["variant"] = canonical_variant(current["variant"])
    for name in _FIXED:
        if name in given and name in stored and stored[name] != current[name]:
            flag = flag_of(TrainOptions, name)
            raise CheckpointError(
                f"The run {options.run!r} was started with {_as_given(flag, stored[name])}, which "
                f"can't be changed to {_as_given(flag, current[name])}; leave {flag} out, or start "
                "a new run with --run."
            )
    now = options.model_dump(include=given | set(_NOT_STORED))
    try:
        return TrainOptions.model_validate(stored | now)
    except ValidationError as error:
        raise CheckpointError(
            f"The run {options.run!r} was started with options that this version does not know; "
            "resume it with the version that started it, or start a new run with --run."
        ) from error


TUNABLE = (
    *("learning_rate", "batch", "loss_weights", "augmentation", "warp_grid", "warp_end"),
    *("background_weight", "latent_swap", "minutes", "steps"),
)
"""Options that can be changed while a run trains."""


def apply_tuning(options: TrainOptions, values: Mapping[str, Any]) -> TrainOptions:
    """``options`` with new ``values`` for some of ``TUNABLE``.

    A new training budget replaces the old one. Raises OptionsError for other or invalid options.
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
    """``values`` as command-line flags."""
    flags = {flag_of(TrainOptions, name): value for name, value in values.items()}
    return ", ".join(
        f"{flag} {value if value != '' else 'default'}" for flag, value in flags.items()
    )


def _as_given(flag: str, value: Any) -> str:
    if value is True:
        return flag
    return f"no {flag}" if value in (None, "") or value is False else f"{flag} {value}"
