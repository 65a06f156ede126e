"""Change options of a training run while it trains."""

from collections.abc import Generator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, JsonValue

from faceswap.errors import CheckpointError, OptionsError
from faceswap.events import Event, Saved, Summary
from faceswap.options import Options, ProjectFolder, Steps, flag_of
from faceswap.swap.training.option_fields import (
    MOVED,
    BackgroundWeight,
    Changes,
    LatentSwap,
    Losses,
    Minutes,
    Rate,
    RunName,
    WarpEnd,
    WarpGrid,
)
from faceswap.swap.training.options import TUNABLE, TrainOptions, describe_options


class TuneOptions(Options):
    """Change learning rate, batch, losses or budget of a training run without stopping it."""

    renamed: ClassVar[Mapping[str, str]] = {
        "name": "run",
        "rate": "learning_rate",
        "losses": "loss_weights",
        "changes": "augmentation",
    }
    moved_entries: ClassVar[Mapping[str, Mapping[str, str]]] = MOVED

    project: ProjectFolder
    run: Annotated[RunName, Field(description="Name of the training run to change.")] = "main"
    learning_rate: Annotated[
        Rate, Field(description="New peak learning rate; unchanged if not given.")
    ] = None
    batch: Annotated[
        int | None, Field(ge=1, description="New batch size; unchanged if not given.")
    ] = None
    loss_weights: Annotated[
        Losses,
        Field(description="New loss weights, such as 'dssim=1,l1=0.5'; unchanged if not given."),
    ] = ""
    augmentation: Annotated[
        Changes,
        Field(
            description="New augmentation strengths, such as 'rotation=10'; unchanged if not given."
        ),
    ] = ""
    warp_grid: Annotated[
        WarpGrid | None, Field(description="New warp grid; unchanged if not given.")
    ] = None
    warp_end: Annotated[
        WarpEnd | None, Field(description="New end of the random warp; unchanged if not given.")
    ] = None
    background_weight: Annotated[
        BackgroundWeight | None,
        Field(description="New weight of the background; unchanged if not given."),
    ] = None
    latent_swap: Annotated[
        LatentSwap | None, Field(description="New share of latent swaps; unchanged if not given.")
    ] = None
    minutes: Annotated[
        Minutes,
        Field(description="New training budget in minutes, from where the present budget began."),
    ] = None
    steps: Annotated[
        Steps, Field(description="New last step, counted from the start of the run.")
    ] = None


class TuneSummary(Summary):
    """The change that was requested."""

    run: str
    asked: dict[str, JsonValue]

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"Requested for the run {self.run!r}: {describe_options(self.asked)}. It says when the "
            "change is applied; a run that is stopped applies it when it is resumed."
        )


def tune(options: TuneOptions) -> Generator[Event, None, TuneSummary]:
    """Change learning rate, batch, losses or budget of a training run without stopping it.

    Writes a request to the run's folder. The run applies it when it next reports
    progress and keeps it in its checkpoints; a run that is stopped applies it when it is resumed.
    Other options stay.

        faceswap tune --project P --learning-rate 5e-5
    """
    from faceswap.project.project import Project
    from faceswap.training.live_tuning import request_change

    folder = Project.open(options.project).runs_folder / options.run
    asked: dict[str, Any] = options.model_dump(include=set(TUNABLE) & options.model_fields_set)
    asked = {name: value for name, value in asked.items() if value is not None}
    if not asked:
        flags = ", ".join(flag_of(TrainOptions, name) for name in TUNABLE)
        raise OptionsError(f"There is nothing to change; give one of {flags}.")
    if not folder.is_dir():
        raise CheckpointError(
            f"There is no run {options.run!r} in {options.project}; start it with 'faceswap train'."
        )
    request_change(folder, asked)
    yield Saved(what="request", path=folder)
    return TuneSummary(run=options.run, asked=asked)
