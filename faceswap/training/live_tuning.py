"""Option changes of a run while it trains, by a file in its folder, applied at the next report.

``tune.json`` is written atomically. The run takes the request by renaming the file, and deletes it
when a checkpoint has the change; if the run is killed before, it applies the request on resume.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import FaceswapError, InputError
from faceswap.events import Notice
from faceswap.io.atomic import atomic_file
from faceswap.training.distributed import ProcessGroup
from faceswap.training.learning_rate_schedule import scale_learning_rate
from faceswap.training.state import LoopConfig
from faceswap.training.step import TrainStepper

_REQUESTED, _TAKEN = "tune.json", "tune.taken.json"


@dataclass(frozen=True)
class TuningChange:
    """Options after a change. description: of the change; the others as in ``RunIdentity``."""

    config: LoopConfig
    losses: Mapping[str, Any]
    options: Mapping[str, Any]
    description: str


Tuner = Callable[[Mapping[str, Any], LoopConfig], TuningChange]
"""Applies requested values to the task and the present config. Raises FaceswapError when they are
invalid; then nothing has changed."""


def request_change(folder: Path, values: Mapping[str, Any]) -> None:
    """Request option ``values`` of the run in ``folder``; merges them into a pending request.

    Raises OutputError when the file cannot be written.
    """
    path = folder / _REQUESTED
    with atomic_file(path) as part:
        with suppress(FileNotFoundError, ValueError):
            values = json.loads(path.read_text(encoding="utf-8")) | dict(values)
        part.write_text(json.dumps(dict(values)), encoding="utf-8")


def take_request(folder: Path) -> str:
    """The request for the run in ``folder``, as JSON; empty where there is none.

    The file stays under another name until ``clear_request``; until then no other is taken.
    """
    taken = folder / _TAKEN
    with suppress(OSError):  # retried at the next report
        if not taken.exists():
            os.replace(folder / _REQUESTED, taken)
        return taken.read_text(encoding="utf-8")
    return ""


def clear_request(folder: Path) -> None:
    """Delete the request that was taken."""
    with suppress(OSError):
        (folder / _TAKEN).unlink(missing_ok=True)


class Inbox:
    """Receives requests for a run, once each, and the same in all of its processes.

    A request is deleted when a checkpoint has the change, so that a kill before loses nothing.
    """

    def __init__(self, folder: Path, group: ProcessGroup, tuner: Tuner) -> None:
        self._folder, self._group, self._tuner = folder, group, tuner
        self._text, self._step = "", 0

    def next(self, config: LoopConfig) -> "tuple[Mapping[str, Any], TuningChange] | Notice | None":
        """The next request and the change it makes; a Notice if it is invalid; None without one."""
        text = take_request(self._folder) if self._group.is_main else ""
        text = self._group.broadcast_text("" if text == self._text else text)
        if not text:
            return None
        self._text = text
        try:
            values = parse_request(text)
            return values, self._tuner(values, config)
        except FaceswapError as error:
            self._clear()
            return Notice(message=f"The requested change was not made. {error}")

    def mark_applied(self, step: int) -> None:
        """Tell that the change from ``next`` was applied at ``step``."""
        self._step = step

    def mark_saved(self, step: int) -> None:
        """Tell that a checkpoint of ``step`` was saved; deletes a request it includes."""
        if self._text and step >= self._step:
            self._clear()

    def _clear(self) -> None:
        self._text = ""
        if self._group.is_main:
            clear_request(self._folder)


def apply_change(stepper: TrainStepper, values: Mapping[str, Any], change: TuningChange) -> None:
    """Train with ``change``, which the request ``values`` made, from the next step on."""
    state, before = stepper.state, stepper.config
    scale_learning_rate(state.optimiser, change.config.learning_rate / before.learning_rate)
    stepper.config = change.config
    stepper.fit_micro_batches()
    given = {*values, *(("rate",) if "learning_rate" in values else ())}
    found = state.notes.get("found", {})
    state.notes["found"] = {k: v for k, v in found.items() if k not in given}
    state.notes["begun"] = dict(change.options)
    if dict(change.losses) != state.notes["losses"]:
        state.notes["losses"] = dict(change.losses)
        state.reset_loss_statistics()


def parse_request(text: str) -> dict[str, Any]:
    """Parse what ``take_request`` returned; raises InputError when it is damaged."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"The requested change cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise InputError("The requested change cannot be read: it is not a JSON object.")
    return values
