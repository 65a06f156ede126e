"""The models there are, what they take and what they cost."""

from collections.abc import Generator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Progress, Summary
from faceswap.options import Options


class ModelsOptions(Options):
    """List the models, with their size, memory and cost."""

    batch: Annotated[
        int, Field(ge=1, description="Faces a side in a step, for the memory of training.")
    ] = 16
    resolution: Annotated[
        int | None,
        Field(ge=64, le=512, description="Side of the pictures, for presets that can have it."),
    ] = None
    variant: Annotated[
        str | None, Field(description="As in 'train --variant', for presets that can have it.")
    ] = None


class ModelFacts(BaseModel):
    """One model. parameters in millions, memory in MiB, cost in GFLOP for one swapped face."""

    model_config = ConfigDict(frozen=True)

    name: str
    resolution: int
    parameters: float
    train_memory: float
    swap_memory: float
    cost: float
    text: str


class ModelsSummary(Summary):
    """All models."""

    models: list[ModelFacts]

    def text(self) -> str:
        """A table."""
        head = f"{'preset':<9}{'pixels':>7}{'parameters':>12}{'to train':>12}{'to swap':>11}"
        lines = [f"{head}{'a face':>13}"]
        for m in self.models:
            lines.append(
                f"{m.name:<9}{m.resolution:>7}{m.parameters:>10.1f} M{m.train_memory:>8.0f} MiB"
                f"{m.swap_memory:>7.0f} MiB{m.cost:>7.2f} GFLOP  {m.text}"
            )
        return "\n".join(lines)


def models(options: ModelsOptions) -> Generator[Event, None, ModelsSummary]:
    """List the models, with their size, memory and cost.

    Memory is what weights, optimiser and the layers' outputs take; the libraries' own needs
    come on top.
    """
    yield Progress(stage="models", done=0, unit="models")
    yield from import_in_background("models", "faceswap.swap.training.model_stats")
    from faceswap.swap.training.model_stats import preset_stats

    rows = yield from in_background(
        "models",
        lambda _: preset_stats(options.batch, options.resolution, options.variant),
        "models",
    )
    return ModelsSummary(models=[ModelFacts.model_validate(row) for row in rows])
