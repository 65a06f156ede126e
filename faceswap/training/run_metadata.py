"""What a checkpoint says of the run that wrote it, checked before the run goes on."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.precision import Precision


class RunNotes(BaseModel):
    """begun: the options the run has, by name, JSON values. found: the batch and the learning rate
    that it found for itself."""

    model_config = ConfigDict(frozen=True)

    begun: dict[str, Any] = Field(default_factory=dict)
    found: dict[str, float] = Field(default_factory=dict)


class RunMetadata(BaseModel):
    """The counters of a run, as ``TrainingState.numbers`` writes them."""

    model_config = ConfigDict(frozen=True)

    step: int = Field(ge=0)
    seconds: float = Field(ge=0)
    rate_scale: float = Field(gt=0)
    precision: Precision
    optimiser: str
    notes: RunNotes = RunNotes()


def read_run_metadata(checkpoint: Checkpoint) -> RunMetadata:
    """What ``checkpoint`` says of its run.

    Raises CheckpointError when it holds a model, but no run that can go on.
    """
    try:
        numbers = RunMetadata.model_validate(checkpoint.metadata)
    except ValidationError as error:
        raise CheckpointError(
            f"{checkpoint.path} holds no run that can go on; begin a new one with --run, and "
            "start it from this file by --init."
        ) from error
    missing = {"generator", "skipped", "norm"} - checkpoint.tensors_under("state").keys()
    if missing:
        raise CheckpointError(f"{checkpoint.path} is damaged: it lacks the run's random state.")
    return numbers


_LONGEST = 1 << 24  # bytes of a header; more is no save of ours


def read_header(path: Path) -> dict[str, Any]:
    """Kind, config and numbers of the save at ``path``; empty where it can't be read."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LONGEST:
                return {}
            header = json.loads(json.loads(file.read(size))["__metadata__"]["faceswap"])
            return header if isinstance(header["numbers"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_newest_header(folder: Path) -> dict[str, Any]:
    """That of the newest save in ``folder`` that has one; empty where none has."""
    found = (read_header(path) for path in reversed(CheckpointFolder(folder).files()))
    return next((header for header in found if header), {})
