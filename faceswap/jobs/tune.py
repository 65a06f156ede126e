"""Change a training run while it trains."""

from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from pydantic import JsonValue

from faceswap.errors import CheckpointError, OptionsError
from faceswap.events import Event, Saved, Summary
from faceswap.options import Options, ProjectFolder, Steps, flag_of
from faceswap.swap.training.options import (
    TUNABLE,
    Batch,
    Changes,
    Losses,
    Minutes,
    Rate,
    RunName,
    TrainOptions,
    describe_options,
)


class TuneOptions(Options):
    """Change rate, batch, losses or the end of a training run, without stopping it."""

    renamed: ClassVar[Mapping[str, str]] = {
        "name": "run",
        "rate": "learning_rate",
        "losses": "loss_weights",
        "changes": "augmentation",
    }

    project: ProjectFolder
    run: RunName = "main"
    learning_rate: Rate = None
    batch: Batch = None
    loss_weights: Losses = ""
    augmentation: Changes = ""
    minutes: Minutes = None
    steps: Steps = None


class TuneSummary(Summary):
    """What was asked for."""

    run: str
    asked: dict[str, JsonValue]

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"The run {self.run!r} is asked for {describe_options(self.asked)}: it says so when it "
            "has changed, or does so when it goes on."
        )


def tune(options: TuneOptions) -> Generator[Event, None, TuneSummary]:
    """Change rate, batch, losses or the end of a training run, without stopping it.

    The run takes it at its next report and remembers it; one that does not train now takes it when
    it goes on. What is not given stays.
    """
    from faceswap.project.project import Project
    from faceswap.training.live_tuning import request_change

    folder = Project.open(options.project).runs_folder / options.run
    asked: dict[str, Any] = options.model_dump(include=set(TUNABLE) & options.model_fields_set)
    asked = {name: value for name, value in asked.items() if value is not None}
    if not asked:
        flags = ", ".join(flag_of(TrainOptions, name) for name in TUNABLE)
        raise OptionsError(f"Nothing is asked for; give one of {flags}.")
    if asked.get("batch") == "auto":
        raise OptionsError("A run that trains can't look for its batch; give --batch a number.")
    if not folder.is_dir():
        raise CheckpointError(
            f"There is no run {options.run!r} in {options.project}; begin it by 'faceswap train'."
        )
    request_change(folder, asked)
    yield Saved(what="request", path=folder)
    return TuneSummary(run=options.run, asked=asked)
