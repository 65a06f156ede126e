"""What else autoencoders can do."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, model_validator

from faceswap.background import ProgressReporter, generator_in_background
from faceswap.events import Event, Progress, Summary
from faceswap.lab.registry import TASKS, TaskName
from faceswap.options import Device, Options, Presentation, flag_of

if TYPE_CHECKING:
    from faceswap.lab.framework.run import TaskFunction, TaskSettings


_USES = "What to do:\n\n" + "\n".join(f"* **{name}**: {use.text}." for name, use in TASKS.items())


class LabOptions(Options):
    """Use autoencoders for more than faces: denoise, search, generate, and more."""

    renamed: ClassVar[Mapping[str, str]] = {"use": "task", "code": "latent_dim"}

    task: Annotated[
        TaskName,
        Presentation(positional=True, common=True, choices_in_help=True),
        Field(description=_USES),
    ]
    data: Annotated[
        list[Path] | None,
        Presentation(positional=True, common=True),
        Field(
            description="A folder of pictures (one folder in it for each class), of MNIST's IDX "
            "files, or a project; by default the digits that come with scikit-learn. translate "
            "takes A, B and, if known, the truth, its files named as A's; retrieve, pictures and a "
            "query; anomaly, normal pictures and others or a video; series, a CSV file; sound, a "
            "WAV file."
        ),
    ] = None
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="Folder of the models, the figure and its numbers; by default lab/USE."),
    ] = None
    steps: Annotated[
        int | None,
        Presentation(common=True),
        Field(ge=1, description="Train each model for so many steps; else as many as it needs."),
    ] = None
    minutes: Annotated[
        float | None,
        Presentation(common=True),
        Field(gt=0, description="Train each model for so long, instead of a number of steps."),
    ] = None
    text: Annotated[
        str | None,
        Presentation(common=True),
        Field(
            min_length=1,
            description="For caption: what to draw, a class and how, such as 'thick 7 left'.",
        ),
    ] = None
    latent_dim: Annotated[
        int | None,
        Field(ge=1, description="How many numbers the code has; by default what suits the use."),
    ] = None
    size: Annotated[
        int | None,
        Field(
            ge=8,
            le=512,
            description="Side of the pictures; by default 28 for digits, 64 for others (translate: "
            "32). Others are scaled.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        Field(
            gt=0,
            description="; ".join(f"{n}: {u.strength}" for n, u in TASKS.items() if u.strength)
            + ".",
        ),
    ] = None
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Seed of everything random.")] = 0

    @model_validator(mode="after")
    def _check(self) -> "LabOptions":
        use = TASKS[self.task]
        if self.data and len(self.data) > len(use.inputs):
            raise ValueError(f"{self.task} takes at most {len(use.inputs)} inputs, not so many")
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give --steps or --minutes, not both")
        for name in use.ignored_options:
            if getattr(self, name) is not None:
                raise ValueError(f"{flag_of(type(self), name)} means nothing to {self.task}")
        return self


class LabSummary(Summary):
    """What was found. figures: numbers by name. figure, numbers: a PNG and a JSON file, which
    also holds what was found of each picture."""

    task: str
    figures: dict[str, Any]
    sentence: str
    figure: Path
    numbers: Path

    def text(self) -> str:
        """The sentence, and where the rest is."""
        return f"{self.sentence} See {self.figure} and {self.numbers}."


def lab(options: LabOptions) -> Generator[Event, None, LabSummary]:
    """Use autoencoders for more than swapping faces.

    Every use trains what it needs, measures it on pictures set aside, and ends with a figure, its
    numbers and a sentence. Stopped and started again, it goes on from its last save.
    """
    from faceswap.device_support import LAB, fallback_notice
    from faceswap.training.precision import pick_device

    yield Progress(stage=options.task, done=0, unit="pictures")
    yield from fallback_notice(pick_device(options.device), LAB)
    result = yield from generator_in_background(
        options.task, lambda report: _use(options, report), "pictures"
    )
    return LabSummary(
        task=options.task,
        figures=result.figures,
        sentence=result.sentence,
        figure=result.figure,
        numbers=result.json,
    )


def _use(options: LabOptions, report: ProgressReporter) -> "TaskFunction":
    """The use that was asked for; what it reads, it tells ``report``."""
    from faceswap.lab.framework.run import TaskSettings
    from faceswap.training.precision import pick_device

    settings = TaskSettings(
        folder=options.output or Path("lab") / options.task,
        data=tuple(options.data or ()),
        text=options.text,
        code=options.latent_dim,
        size=options.size,
        steps=options.steps,
        minutes=options.minutes,
        strength=options.strength,
        seed=options.seed,
        device=pick_device(options.device),
        report=report,
    )
    return (yield from functions()[options.task](settings))


def functions() -> "dict[TaskName, Callable[[TaskSettings], TaskFunction]]":
    """What does each use."""
    from faceswap.lab.tasks import (
        anomaly,
        audio,
        bottleneck,
        classification,
        comparison,
        generation,
        latent_space,
        regularisation,
        restoration,
        search,
        time_series,
        translation,
    )

    return {
        "family": comparison.compare_architectures,
        "reconstruct": bottleneck.reconstruct,
        "codes": bottleneck.compare_codes,
        "rate": bottleneck.rate,
        "scatter": bottleneck.scatter,
        "sequence": bottleneck.sequence,
        "transformer": bottleneck.transformer,
        "stacked": classification.stacked,
        "restraint": regularisation.compare_regularisers,
        "denoise": restoration.denoise,
        "occlusion": restoration.occlusion,
        "inpaint": restoration.inpaint,
        "superres": restoration.superres,
        "colourise": restoration.colourise,
        "shift": restoration.shift,
        "vae": generation.vae,
        "generate": generation.generate,
        "caption": generation.caption,
        "interpolate": latent_space.interpolate,
        "attributes": latent_space.attributes,
        "retrieve": search.retrieve,
        "anomaly": anomaly.anomaly,
        "series": time_series.time_series,
        "classify": classification.classify,
        "translate": translation.translate,
        "sound": audio.denoise_audio,
    }
