"""Validation of the run metadata in a checkpoint, before training resumes."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faceswap.devices import Precision
from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder


class RunNotes(BaseModel):
    """Notes of a run.

    begun: the run's options, by name, JSON values. found: batch size and learning rate found by
    the finders.
    """

    model_config = ConfigDict(frozen=True)

    begun: dict[str, Any] = Field(default_factory=dict)
    found: dict[str, float] = Field(default_factory=dict)


class RunMetadata(BaseModel):
    """Counters of a run, as ``TrainingState.metadata`` writes them."""

    model_config = ConfigDict(frozen=True)

    step: int = Field(ge=0)
    seconds: float = Field(ge=0)
    rate_scale: float = Field(gt=0)
    precision: Precision
    optimiser: str
    notes: RunNotes = RunNotes()


def read_run_metadata(checkpoint: Checkpoint) -> RunMetadata:
    """Validated run metadata of ``checkpoint``.

    Raises CheckpointError when it has a model, but no run that can be resumed.
    """
    try:
        numbers = RunMetadata.model_validate(checkpoint.metadata)
    except ValidationError as error:
        raise CheckpointError(
            f"{checkpoint.path} has no run that can be resumed; start a new one with --run, and "
            "initialize it from this file with --init."
        ) from error
    missing = {"generator", "skipped", "norm"} - checkpoint.tensors_under("state").keys()
    if missing:
        raise CheckpointError(f"{checkpoint.path} is damaged: the random state is missing.")
    return numbers


_MAX_HEADER = 1 << 24  # bytes of a header; a longer one is not from faceswap


def read_header(path: Path) -> dict[str, Any]:
    """Header of the checkpoint ``path``, unverified; empty where it can't be read."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _MAX_HEADER:
                return {}
            header = json.loads(json.loads(file.read(size))["__metadata__"]["faceswap"])
            return header if isinstance(header["numbers"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def read_newest_header(folder: Path) -> dict[str, Any]:
    """Header of the newest readable checkpoint in ``folder``; empty where there is none."""
    found = (read_header(path) for path in reversed(CheckpointFolder(folder).files()))
    return next((header for header in found if header), {})
