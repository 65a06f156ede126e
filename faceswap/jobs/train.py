"""Teach a model both faces."""

import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator

from faceswap.events import Event, Notice, Progress, Summary
from faceswap.options import Device, Options, ProjectFolder, Show

if TYPE_CHECKING:
    from faceswap.swap.model import SwapModel
    from faceswap.swap.task import Objective
    from faceswap.training.checkpoint import Checkpoint
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
    batch: Annotated[int, Show(common=True), Field(ge=1, description="Faces a side, a step.")] = 16
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
    warp: Annotated[
        float, Field(ge=0, le=0.4, description="Strength of the distortion to be undone.")
    ] = 0.1
    features: Annotated[
        float, Field(ge=0, le=50, description="How much more eyes and mouth count.")
    ] = 4.0
    flip: Annotated[
        bool, Field(description="Mirror half of the faces: more poses, but parting and moles too.")
    ] = False
    balanced: Annotated[
        bool, Field(description="Show rare poses and mouth openings more often.")
    ] = True
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
    from faceswap.swap.faceset import LoadConfig, load_faces
    from faceswap.swap.model import KIND
    from faceswap.swap.task import SwapTask
    from faceswap.training.loop import Loop
    from faceswap.training.precision import pick_device

    project = Project.open(options.project)
    folder = project.model / options.name
    model, checkpoint, problems = _model(options, folder)
    config = LoadConfig(model.resolution, balanced=options.balanced)
    yield Progress(stage="train", done=0, unit="steps")
    a, b = load_faces(project.faces("a"), "a", config), load_faces(project.faces("b"), "b", config)
    for problem in (*problems, *a.problems, *b.problems):
        yield Notice(message=problem)
    device = pick_device(options.device)
    task = SwapTask(a, b, model.input_size, _objective(options), device)
    loop = Loop(task, model, _loop_config(options), folder, KIND, model.config.model_dump(), device)
    if checkpoint is not None:
        loop.resume(checkpoint)
    yield from loop.run()
    return _summary(loop)


def _model(options: TrainOptions, folder: Path) -> "tuple[SwapModel, Checkpoint | None, list[str]]":
    """The run's model, the checkpoint it goes on from, and what was wrong with newer ones."""
    import torch

    from faceswap.errors import CheckpointError
    from faceswap.swap.model import SwapConfig, SwapModel, config_of
    from faceswap.training.checkpoint import CheckpointFolder

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
                "for; ask for the same, or begin a new run with --name."
            )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        return SwapModel(config), checkpoint, problems


def _objective(options: TrainOptions) -> "Objective":
    from faceswap.swap.task import Objective

    return Objective(warp=options.warp, features=options.features, flip=0.5 * options.flip)


def _loop_config(options: TrainOptions) -> "LoopConfig":
    from faceswap.training.state import LoopConfig

    default = {"quick": 1e-3, "classic": 3e-4, "df": 1e-4, "liae": 1e-4}
    return LoopConfig(
        steps=options.steps,
        minutes=options.minutes,
        batch=options.batch,
        optimiser=options.optimiser,
        rate=options.rate or default[options.preset],
        seed=options.seed,
        precision=None if options.precision == "auto" else options.precision,
        preview_seconds=options.preview_seconds,
        save_seconds=60 * options.save_minutes,
        save_steps=options.save_steps,
        keep=options.keep,
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
