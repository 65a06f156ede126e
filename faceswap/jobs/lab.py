"""Run the lab's tasks: other applications of autoencoders."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from faceswap.background import ProgressReporter, generator_in_background
from faceswap.events import Event, Progress, Summary
from faceswap.lab.task_registry import TASKS, LabTaskInfo, TaskName, former_names, task_path
from faceswap.options import Device, Options, Presentation, flag_of, help_list

if TYPE_CHECKING:
    import torch

    from faceswap.lab.framework.run import TaskFunction


if TYPE_CHECKING:
    _Task = TaskName
else:
    _Task = Literal[tuple(TASKS)]

_HELP = help_list("The task", {name: task.text for name, task in TASKS.items()})
_INPUTS = "; ".join(
    f"for {name}: {', '.join(given.text() for given in task.inputs)}"
    for name, task in TASKS.items()
    if task.inputs != LabTaskInfo.inputs
)
_STRENGTHS = "; ".join(f"{name}: {task.strength}" for name, task in TASKS.items() if task.strength)
_TEXTS = "; ".join(
    f"for {name}: {task.text_help}" for name, task in TASKS.items() if task.text_help
)


class LabOptions(Options):
    """Train autoencoders for other tasks: denoising, search, generation and more."""

    renamed: ClassVar[Mapping[str, str]] = {"use": "task", "code": "latent_dim"}
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {"task": former_names()}

    task: Annotated[
        _Task,
        Presentation(positional=True, common=True, choices_in_help=True),
        Field(description=_HELP),
    ]
    data: Annotated[
        list[Path] | None,
        Presentation(positional=True, common=True),
        Field(
            description="A folder of pictures (with a subfolder for each class) or of MNIST's IDX "
            f"files, or a project; by default scikit-learn's digits. Other inputs: {_INPUTS}."
        ),
    ] = None
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(description="Folder for models, figure and metrics; by default lab/TASK."),
    ] = None
    steps: Annotated[
        int | None,
        Presentation(common=True),
        Field(ge=1, description="Training steps of each model; by default the task's own."),
    ] = None
    minutes: Annotated[
        float | None,
        Presentation(common=True),
        Field(gt=0, description="Training minutes of each model, instead of steps."),
    ] = None
    text: Annotated[
        str | None,
        Presentation(common=True),
        Field(
            min_length=1,
            description=f"{_TEXTS[:1].upper()}{_TEXTS[1:]}.",
        ),
    ] = None
    latent_dim: Annotated[
        int | None,
        Field(ge=1, description="Size of the latent code; by default the task's own."),
    ] = None
    size: Annotated[
        int | None,
        Field(
            ge=8,
            le=512,
            description="Side in pixels that pictures are scaled to; by default 28 for digits, "
            "and 64 or what the task's model is made for.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        Field(
            gt=0,
            description=f"{_STRENGTHS}.",
        ),
    ] = None
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Random seed.")] = 0

    @model_validator(mode="after")
    def _check(self) -> "LabOptions":
        task = TASKS[self.task]
        if self.data and len(self.data) > len(task.inputs):
            raise ValueError(f"{self.task} takes {len(task.inputs)} inputs at most; give fewer")
        if self.steps is not None and self.minutes is not None:
            raise ValueError("give --steps or --minutes, not both")
        for name in task.ignored_options:
            if getattr(self, name) is not None:
                raise ValueError(f"{self.task} has no {flag_of(type(self), name)}; leave it out")
        return self


class LabSummary(Summary):
    """Result of a task. figures: metrics by name. figure: path of a PNG. numbers: path of a JSON
    file with the metrics and the results of each picture."""

    task: str
    figures: dict[str, Any]
    sentence: str
    figure: Path
    numbers: Path

    def text(self) -> str:
        """The result in a sentence, and the paths of figure and metrics."""
        return f"{self.sentence} See {self.figure} and {self.numbers}."


def lab(options: LabOptions) -> Generator[Event, None, LabSummary]:
    """Train autoencoders for other tasks: denoising, search, generation and more.

    Each task trains its models, evaluates them on held-out pictures and writes a figure and its
    metrics. Stopped and started again, it resumes from its last checkpoint. 'faceswap restore'
    applies the models of restoration tasks to files.

        faceswap lab denoise PICTURES
    """
    from faceswap.device_support import LAB
    from faceswap.devices import resolve_device

    yield Progress(stage=options.task, done=0, unit="pictures")
    device = yield from resolve_device(options.device, LAB)
    result = yield from generator_in_background(
        options.task, lambda report: _run_task(options, device, report), "pictures"
    )
    return LabSummary(
        task=options.task,
        figures=result.figures,
        sentence=result.sentence,
        figure=result.figure,
        numbers=result.json,
    )


def _run_task(
    options: LabOptions, device: "torch.device", report: ProgressReporter
) -> "TaskFunction":
    """Run the chosen task; ``report`` shows the progress of reading its data."""
    from faceswap.lab.framework.run import TaskSettings

    settings = TaskSettings(
        folder=options.output or task_path(Path("lab"), options.task),
        data=tuple(options.data or ()),
        text=options.text,
        code=options.latent_dim,
        size=options.size,
        steps=options.steps,
        minutes=options.minutes,
        strength=options.strength,
        seed=options.seed,
        device=device,
        report=report,
    )
    function: Callable[[TaskSettings], TaskFunction]
    function = resolve_name(TASKS[options.task].function)
    return (yield from function(settings))
