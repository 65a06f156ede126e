"""What a run is, beside its state: where it lies and what its checkpoints say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunIdentity:
    """A run of training.

    folder: of its checkpoints, metrics and previews. kind, model_config: enough to rebuild the
    model. options: what it was started or resumed with. losses: the options that the size of the
    losses depends on; on resume with others, the loss statistics are reset. The last three are
    JSON values, stored in the checkpoints.
    """

    folder: Path
    kind: str
    model_config: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, Any] = field(default_factory=dict)
