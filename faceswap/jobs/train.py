"""Teach a model both faces."""

import re
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from faceswap.events import Event, Notice, Progress, Summary
from faceswap.options import Device, Options, ProjectFolder, Show

if TYPE_CHECKING:
    import torch

    from faceswap.swap.adversary import Adversary
    from faceswap.swap.model import SwapModel
    from faceswap.swap.objective import Objective
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import Group
    from faceswap.training.loop import Loop
    from faceswap.training.state import LoopConfig

PresetName = Annotated[
    Literal["quick", "classic", "df", "liae"],
    Show(common=True),
    Field(
        description="The kind of model. quick learns in minutes on a processor; 'faceswap "
        "models' tells more of each."
    ),
]

_LOSSES = ("l1", "gradient", "ssim", "mse", "dssim", "ms_ssim", "laplacian", "frequency", "mask")

LEARNING = {"quick": (1e-3, 8), "classic": (3e-4, 16), "df": (1e-4, 8), "liae": (1e-4, 8)}
"""Learning rate and faces a side. Small batches learn more from the same number of faces."""


class TrainOptions(Options):
    """Teach a model the faces of A and B."""

    project: ProjectFolder
    preset: PresetName = "quick"
    name: Annotated[
        str, Field(description="Name of the run; one of a new name begins anew beside the others.")
    ] = "main"
    minutes: Annotated[
        float | None,
        Show(common=True),
        Field(gt=0, description="Train for so long, then stop; the rate falls towards the end."),
    ] = None
    steps: Annotated[
        int | None,
        Show(common=True),
        Field(ge=1, description="Train until the run has done so many steps, then stop."),
    ] = None
    batch: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto"] | None,
        Field(
            description="Faces a side, a step; the preset's by default. auto finds how many fit, "
            "and on a processor how many are worth it."
        ),
    ] = None
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
    optimiser: Annotated[
        Literal["adamw", "adabelief", "lion"], Field(description="How gradients become steps.")
    ] = "adamw"
    rate: Annotated[
        float | None, Field(gt=0, le=1, description="Learning rate; the preset's by default.")
    ] = None
    find_rate: Annotated[
        bool,
        Field(description="Try all learning rates for a moment and take the one that learns most."),
    ] = False
    warp: Annotated[
        float, Field(ge=0, le=0.4, description="Strength of the distortion to be undone.")
    ] = 0.1
    features: Annotated[
        float,
        Field(ge=0, le=50, description="How much more eyes count, and half of it, the mouth."),
    ] = 6.0
    occlusion: Annotated[
        float,
        Field(ge=0, le=1, description="Share of faces with something in front, to look behind."),
    ] = 0.0
    degrade: Annotated[
        float, Field(ge=0, le=1, description="How much blur, noise and compression to withstand.")
    ] = 0.0
    losses: Annotated[
        str,
        Field(
            description="Weights of losses that shall differ, such as 'dssim=1,l1=0.5'; there are "
            "l1, gradient, ssim, mse, dssim, ms_ssim, laplacian, frequency and mask."
        ),
    ] = ""
    adversarial: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Weight of a second net that tells made faces from real ones, for texture "
            "late in a long run; 0.02 to 0.1, 0 for none.",
        ),
    ] = 0.0
    adversarial_begin: Annotated[
        float, Field(ge=0, le=1, description="Share of the run after which that net takes part.")
    ] = 0.75
    flip: Annotated[
        bool, Field(description="Mirror half of the faces: more poses, but parting and moles too.")
    ] = False
    balanced: Annotated[
        bool, Field(description="Show rare poses and openings of mouth and eyes more often.")
    ] = True
    pairs: Annotated[
        bool,
        Field(
            description="Show faces of A and B in pairs that do the same, so that B learns to do "
            "what A does and B's own footage does not show."
        ),
    ] = True
    start_from: Annotated[
        Path | None,
        Field(
            description="A model file (.safetensors) that a new run starts from, such as one that "
            "'pretrain' made; quick has one of its own."
        ),
    ] = None
    fresh: Annotated[
        bool, Field(description="Start a new run from nothing, not from the preset's own model.")
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
    keep: Annotated[int, Field(ge=1, description="Keep so many of the last saves.")] = 3
    precision: Annotated[
        Literal["auto", "bf16", "fp32"], Field(description="auto takes the faster one here.")
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Field(description="Compile the model; auto does where a graphics card is faster with it."),
    ] = "auto"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Seed of everything random.")] = 0

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not re.fullmatch(r"[\w][\w. -]*", name):
            raise ValueError(
                "the name of a run is made of letters, digits, '.', '_', '-' and spaces"
            )
        return name

    @field_validator("losses")
    @classmethod
    def _check_losses(cls, losses: str) -> str:
        loss_weights(losses)
        return losses


def loss_weights(text: str) -> dict[str, float]:
    """The weights in a text such as ``dssim=1,l1=0.5``; raises ValueError when it is not one."""
    weights: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = part.partition("=")
        if name.strip() not in _LOSSES:
            raise ValueError(f"there is no loss {name.strip()!r}; there are {', '.join(_LOSSES)}")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"{part!r} is no weight; write it as {name.strip()}=0.5") from None
        if not 0 <= weights[name.strip()] < float("inf"):
            raise ValueError(f"the weight in {part!r} must not be negative")
    return weights


class TrainSummary(Summary):
    """What a training run came to."""

    model: Path
    step: int
    seconds: float
    faces_per_second: float
    psnr: float | None
    ssim: float | None
    skipped: int
    state: str

    def text(self) -> str:
        """What was learnt, and how it goes on."""
        quality = ""
        if self.psnr is not None and self.ssim is not None:
            quality = f", held-out PSNR {self.psnr:.1f} dB and SSIM {self.ssim:.3f}"
        return (
            f"Step {self.step:,} ({self.faces_per_second:.0f} faces/s{quality}); {self.state}. "
            f"Saved as {self.model}."
        )


def train(options: TrainOptions) -> Generator[Event, None, TrainSummary]:
    """Teach a model the faces of A and B.

    Stopped in any way and started again, it goes on from its last save. Nothing of an earlier
    run is overwritten: another preset needs another name.
    """
    from faceswap.project import Project
    from faceswap.swap.adversary import AdversarialTask
    from faceswap.swap.faceset import LoadConfig, load_faces
    from faceswap.swap.model import KIND
    from faceswap.swap.task import SwapTask
    from faceswap.training.begun import begun_with
    from faceswap.training.distributed import joined
    from faceswap.training.loop import Loop
    from faceswap.training.precision import pick_device

    project = Project.open(options.project)
    folder = project.model / options.name
    _check_end(options)
    model, checkpoint, problems = _model(options, folder)
    start = None if options.start_from is None else options.start_from.name
    asked = {"seed": options.seed, "start_from": start, "fresh": options.fresh}
    begun, found = begun_with(options.name, asked, options.model_fields_set, checkpoint)
    config = LoadConfig(model.resolution, balanced=options.balanced)
    yield Progress(stage="train", done=0, unit="steps")
    a, b = load_faces(project.faces("a"), "a", config), load_faces(project.faces("b"), "b", config)
    for problem in (*problems, *a.problems, *b.problems):
        yield Notice(message=problem)
    with joined(pick_device(options.device)) as (group, device):
        _check_alone(options, group)
        learnt, objective = {"a": a, "b": b}, _objective(options)
        adversary = _adversary(options, begun["seed"], device, group)
        if adversary is None:
            task = SwapTask(learnt, model.input_size, objective, device)
        else:
            task = AdversarialTask(learnt, model.input_size, objective, device, adversary)
        loop = Loop(
            task,
            model,
            _loop_config(options, begun["seed"], found),
            folder,
            KIND,
            model.config.model_dump(),
            device,
            group,
            begun=begun,
            companion=adversary,
        )
        if checkpoint is not None:
            loop.resume(checkpoint)
        wanted = {"batch": options.batch == "auto", "rate": options.find_rate}
        with closing(
            loop.tune(**{name: on and name not in found for name, on in wanted.items()})
        ) as events:
            for event in events:
                if group.leads:
                    yield event
        with closing(loop.run()) as events:
            for event in events:
                if group.leads:
                    yield event
    return _summary(loop)


def _model(options: TrainOptions, folder: Path) -> "tuple[SwapModel, Checkpoint | None, list[str]]":
    """The run's model, the checkpoint it goes on from, and what was wrong with newer ones."""
    import torch

    from faceswap.assets import asset_path
    from faceswap.errors import CheckpointError
    from faceswap.swap.model import PRESETS, SwapConfig, SwapModel, config_of, freeze, reuse
    from faceswap.training.checkpoint import CheckpointFolder, read_checkpoint

    config = config_of(options.preset, options.resolution, options.variant)
    checkpoints = CheckpointFolder(folder)
    checkpoints.clean()
    checkpoint, problems = checkpoints.newest()
    if checkpoint is not None:
        checkpoints.set_aside(checkpoint.path)
        if checkpoint.config != config.model_dump():
            was = SwapConfig.model_validate(checkpoint.config)
            raise CheckpointError(
                f"The run {options.name!r} is a {was.text()} model, and {config.text()} was asked "
                "for; ask for the same, or begin a new run by 'faceswap train --name'."
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = SwapModel(config)
    if checkpoint is None and options.start_from is not None:
        taken = reuse(model, read_checkpoint(options.start_from))
        problems.append(f"Starting from {options.start_from}: {', '.join(taken)} taken over.")
    elif checkpoint is None and not options.fresh and config == PRESETS["quick"]:
        reuse(model, read_checkpoint(asset_path("quick.safetensors")))
    freeze(model, options.freeze)
    return model, checkpoint, problems


def _check_end(options: TrainOptions) -> None:
    from faceswap.errors import OptionsError

    if options.adversarial > 0 and options.minutes is None and options.steps is None:
        raise OptionsError(
            "--adversarial begins late in a run, and this one has no end; add --minutes or --steps."
        )


def _check_alone(options: TrainOptions, group: "Group") -> None:
    from faceswap.errors import OptionsError

    if options.batch == "auto" and group.size > 1:
        raise OptionsError("--batch auto needs a single process; give several ones a number.")


def _adversary(
    options: TrainOptions, seed: int, device: "torch.device", group: "Group"
) -> "Adversary | None":
    from faceswap.swap.adversary import Adversary, AdversaryConfig

    if options.adversarial == 0:
        return None
    config = AdversaryConfig(options.adversarial, options.adversarial_begin, seed=seed)
    return Adversary(config, device, group)


def _objective(options: TrainOptions) -> "Objective":
    from faceswap.swap.objective import Objective

    changes = {
        "warp": options.warp,
        "features": options.features,
        "flip": 0.5 * options.flip,
        "pairs": options.pairs,
        "occlusion": options.occlusion,
        "blur": options.degrade,
        "noise": 0.05 * options.degrade,
        "compression": 0.1 * options.degrade,
    }
    return Objective.model_validate(changes | loss_weights(options.losses))


def _loop_config(options: TrainOptions, seed: int, found: Mapping[str, float]) -> "LoopConfig":
    from faceswap.training.state import LoopConfig

    rate, faces = LEARNING[options.preset]
    batch = None if options.batch == "auto" else options.batch
    return LoopConfig(
        steps=options.steps,
        minutes=options.minutes,
        batch=batch or int(found.get("batch", faces)),
        optimiser=options.optimiser,
        rate=options.rate or found.get("rate", rate),
        seed=seed,
        precision=None if options.precision == "auto" else options.precision,
        compile=options.compile,
        preview_seconds=options.preview_seconds,
        save_seconds=60 * options.save_minutes,
        save_steps=options.save_steps,
        keep=options.keep,
        noun="faces",
        per_unit=2,
    )


def _summary(loop: "Loop") -> TrainSummary:
    from faceswap.training.records import read_metrics, state_sentence

    rows = read_metrics(loop.folder / "metrics.jsonl")
    last = {name: value for row in rows for name, value in row.items()}
    return TrainSummary(
        model=loop.checkpoints.path(loop.state.step),
        step=loop.state.step,
        seconds=loop.state.seconds,
        faces_per_second=last.get("faces/s", 0.0),
        psnr=last.get("held-out PSNR"),
        ssim=last.get("held-out SSIM"),
        skipped=int(loop.state.skipped),
        state=state_sentence(rows),
    )
