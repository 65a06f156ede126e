"""What a run was begun with, and what of that can't be changed when it goes on."""

from collections.abc import Collection, Mapping
from typing import Any

from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import Checkpoint


def begun_with(
    run: str, asked: Mapping[str, Any], given: Collection[str], checkpoint: Checkpoint | None
) -> tuple[dict[str, Any], dict[str, float]]:
    """What the run of that name was begun with, and the batch and rate it found for itself.

    asked: options that count from the first step on, by name. given: those that were asked for
    by name and not by default. Raises CheckpointError when one of these is not what the run in
    ``checkpoint`` was begun with.
    """
    if checkpoint is None:
        return dict(asked), {}
    notes = checkpoint.numbers.get("notes", {})
    begun = dict(asked) | notes.get("begun", {})
    for name in sorted(asked.keys() & set(given)):
        if begun[name] != asked[name]:
            flag = f"--{name.replace('_', '-')}"
            raise CheckpointError(
                f"The run {run!r} was begun with {_said(flag, begun[name])}, and "
                f"{_said(flag, asked[name])} was asked for, which can't be changed in the middle "
                f"of a run; leave {flag} out, or begin a new run with --name."
            )
    return begun, dict(notes.get("found", {}))


def _said(flag: str, value: Any) -> str:
    if value is True:
        return flag
    return f"no {flag}" if value is None or value is False else f"{flag} {value}"
