"""Changes that are asked of a run while it trains: a file in its folder, taken at the next report.

``tune.json`` is written whole or not at all. The run takes it by renaming it, and removes it when
what was asked for is in a save; if it is killed before, it finds it when it goes on.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import FaceswapError, InputError, OutputError
from faceswap.events import Notice
from faceswap.training.distributed import ProcessGroup
from faceswap.training.state import LoopConfig

_ASKED, _TAKEN = "tune.json", "tune.taken.json"


@dataclass(frozen=True)
class TuningChange:
    """How a run goes on. description: what has changed; the others as in ``TrainingLoop``."""

    config: LoopConfig
    loss_config: Mapping[str, Any]
    run_options: Mapping[str, Any]
    description: str


Tuner = Callable[[Mapping[str, Any], LoopConfig], TuningChange]
"""What comes of a request and the present config; changes the task. Raises FaceswapError when it
can't be; then nothing has changed."""


def request_change(folder: Path, values: Mapping[str, Any]) -> None:
    """Ask the run in ``folder`` for ``values``, besides what it was asked for and did not take yet.

    Raises OutputError when that cannot be written.
    """
    path = folder / _ASKED
    part = folder / f".{_ASKED}.part"
    try:
        with suppress(FileNotFoundError, ValueError):
            values = json.loads(path.read_text(encoding="utf-8")) | dict(values)
        part.write_text(json.dumps(dict(values)), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def take_request(folder: Path) -> str:
    """What the run in ``folder`` is asked for, as JSON; empty where that is nothing.

    Stays there under another name until ``made``; only then the next request is taken.
    """
    taken = folder / _TAKEN
    with suppress(OSError):  # what can't be read now stays for the next report
        if not taken.exists():
            os.replace(folder / _ASKED, taken)
        return taken.read_text(encoding="utf-8")
    return ""


def clear_request(folder: Path) -> None:
    """What was taken is done with."""
    with suppress(OSError):
        (folder / _TAKEN).unlink(missing_ok=True)


class Inbox:
    """Takes what is asked of a run, the same in all of its processes, and each thing once.

    What was taken is done with when the run is saved with it: until then a kill loses nothing.
    """

    def __init__(self, folder: Path, group: ProcessGroup, tuner: Tuner) -> None:
        self._folder, self._group, self._tuner = folder, group, tuner
        self._text, self._step = "", 0

    def next(self, config: LoopConfig) -> "tuple[Mapping[str, Any], TuningChange] | Notice | None":
        """The values that are asked for, and what they come to; why not; None for nothing."""
        text = take_request(self._folder) if self._group.is_main else ""
        text = self._group.broadcast_text("" if text == self._text else text)
        if not text:
            return None
        self._text = text
        try:
            values = parse_request(text)
            return values, self._tuner(values, config)
        except FaceswapError as error:
            self._forget()
            return Notice(message=f"What was asked of the run is not done. {error}")

    def done(self, step: int) -> None:
        """What ``next`` gave was done at ``step``."""
        self._step = step

    def saved(self, step: int) -> None:
        """The run lies on the disk as it was at ``step``."""
        if self._text and step >= self._step:
            self._forget()

    def _forget(self) -> None:
        self._text = ""
        if self._group.is_main:
            clear_request(self._folder)


def parse_request(text: str) -> dict[str, Any]:
    """The values in what ``take`` gave; raises InputError when it is damaged."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise InputError(f"What was asked of the run cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise InputError("What was asked of the run cannot be read: it is no set of values.")
    return values
