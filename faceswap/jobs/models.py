"""List the model presets with their size, memory and computing cost."""

from collections.abc import Generator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Progress, Summary
from faceswap.options import Options


class ModelsOptions(Options):
    """List the model presets with their size, memory and computing cost."""

    batch: Annotated[
        int,
        Field(
            ge=1, description="Batch size (faces of each side per step) for the training memory."
        ),
    ] = 16
    resolution: Annotated[
        int | None,
        Field(ge=64, le=512, description="Resolution in pixels, for presets that support it."),
    ] = None
    variant: Annotated[
        str | None, Field(description="As in 'train --variant', for presets that support it.")
    ] = None


class ModelFacts(BaseModel):
    """One model. parameters: millions. *_memory: MiB. cost: GFLOP to swap one face."""

    model_config = ConfigDict(frozen=True)

    name: str
    resolution: int
    parameters: float
    train_memory: float
    swap_memory: float
    cost: float
    text: str


class ModelsSummary(Summary):
    """Facts about all presets."""

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
    """List the model presets with their size, memory and computing cost.

    Memory counts weights, optimizer state and activations; PyTorch's own buffers come on top.

        faceswap models --batch 8
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
