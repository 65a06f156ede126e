"""Requests about training runs."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from faceswap.preview.protocol.message import Answer, Message, Request, RunName
from faceswap.swap.training.option_fields import PresetChoice


class MetricCurve(Message):
    """A metric over the steps of a run."""

    name: str = Field(description="Name of the metric, such as loss.")
    steps: tuple[int, ...] = Field(description="The steps, ascending.")
    values: tuple[float | None, ...] = Field(
        description="The value at each of them; null where it is not a finite number."
    )


class MetricsAnswer(Answer):
    """How a run is getting on."""

    kind: Literal["metrics"] = "metrics"
    curves: tuple[MetricCurve, ...] = Field(description="Its metrics, by name.")
    state: str = Field(description="How it is getting on, in a few words.")
    seconds: float = Field(description="How long it was trained.")
    previews: tuple[Path, ...] = Field(description="Its preview pictures (PNG), oldest first.")


class MetricsRequest(Request[MetricsAnswer]):
    """A run's curves, its state in words, and its previews."""

    kind: Literal["metrics"] = "metrics"
    run: RunName
    points: int = Field(default=2000, ge=1, description="About so many points a curve at most.")


class StepCostAnswer(Answer):
    """What a training step of a preset takes on this machine."""

    kind: Literal["step-cost"] = "step-cost"
    seconds: float = Field(description="Time of a step in seconds.")
    memory: float = Field(description="Memory of a step in MiB.")
    parameters: float = Field(description="Size of the model in millions of parameters.")
    resolution: int = Field(description="Side of the model's pictures in pixels.")


class StepCostRequest(Request[StepCostAnswer]):
    """Time and memory of a training step on this machine; takes some seconds, needs no project."""

    kind: Literal["step-cost"] = "step-cost"
    preset: PresetChoice = Field(description="The model preset.")
    batch: int | None = Field(
        default=None,
        ge=1,
        description="Faces of each side in a step; null for the preset's own number.",
    )


class SnapshotAnswer(Answer):
    """The snapshot that was kept."""

    kind: Literal["snapshot"] = "snapshot"
    path: Path = Field(description="Its file.")


class KeepSnapshotRequest(Request[SnapshotAnswer]):
    """Keep a snapshot of a run's newest checkpoint, which later ones do not replace."""

    kind: Literal["keep-snapshot"] = "keep-snapshot"
    run: RunName
