"""Saves checkpoints and snapshots of a run on schedule, and warns of low disk space."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faceswap.background import uninterruptible
from faceswap.errors import OutputError
from faceswap.events import Event, Notice, Saved
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_metadata import read_header
from faceswap.training.snapshots import (
    SNAPSHOTS,
    SnapshotSchedule,
    disk_space_warning,
    keep_snapshot,
)
from faceswap.training.state import LoopConfig, TrainingState


class CheckpointSaver:
    """Writes the checkpoints of one run.

    checkpoints: its files. saved_step: step of the newest one. busy: whether one is being written.
    """

    def __init__(
        self,
        run: RunIdentity,
        state: TrainingState,
        config: LoopConfig,
        clock: Callable[[], float],
    ) -> None:
        self.checkpoints = CheckpointFolder(run.folder, config.keep_checkpoints)
        self.saved_step = -1
        self.busy = False
        self._run, self._state, self._config, self._clock = run, state, config, clock
        self._space_checked = False

    def begin(self) -> None:
        """Start the schedules from the present step and time."""
        self._saved_at = self._clock()
        last = self._snapshot_files()[-1:]
        numbers = read_header(last[0]).get("numbers", {}) if last else {}
        step, seconds = numbers.get("step", 0), numbers.get("seconds", 0.0)
        self._snapshots = SnapshotSchedule(self._config, step, seconds)

    def after_rollback(self) -> None:
        """Rename newer snapshots to ``.damaged`` after a roll back, and restart the schedules.

        Raises OSError when one can't be renamed.
        """
        self.saved_step = self._state.step
        for path in self._snapshot_files():
            if int(path.stem.removeprefix("step-")) > self._state.step:
                os.replace(path, path.with_name(f"{path.name}.damaged"))
        self.begin()

    def _snapshot_files(self) -> list[Path]:
        return sorted((self._run.folder / SNAPSHOTS).glob("step-*.safetensors"))

    @property
    def due(self) -> bool:
        """Whether a checkpoint is due."""
        by_step = self._config.save_steps
        if by_step is not None and self._state.step % by_step == 0:
            return True
        return self._clock() - self._saved_at > self._config.save_seconds

    def snapshot_due(self) -> bool:
        """Whether a snapshot is due."""
        return self._snapshots.due(self._state.step, self._state.seconds)

    def save(self, score: float | None) -> Saved:
        """Write a checkpoint; raises OutputError when that fails.

        score: the model's quality measure, where there is one.
        """
        state, numbers = self._state, self._state.metadata()
        if score is not None:
            numbers["score"] = score
        self.busy = True
        try:
            with uninterruptible():
                path = self.checkpoints.save(
                    state.step,
                    self._run.kind,
                    self._run.model_config,
                    numbers,
                    state.tensors(),
                    state.good,
                )
        finally:
            self.busy = False
        self._saved_at, self.saved_step = self._clock(), state.step
        return Saved(what="model", path=path)

    def try_save(self, score: float | None) -> Event:
        """Write a checkpoint; a Notice if that fails, as training goes on."""
        try:
            return self.save(score)
        except OutputError as error:
            self._saved_at = self._clock()
            files = self.checkpoints.files()
            stands = f"the last save is {files[-1].name}" if files else "nothing is saved yet"
            return Notice(message=f"{error} Training goes on; {stands}.", trouble=True)

    def try_snapshot(self) -> Event:
        """Keep the checkpoint of this step as a snapshot; a Notice if that fails."""
        try:
            kept = keep_snapshot(self.checkpoints.path(self._state.step))
            self._snapshots.mark_made(self._state.step, self._state.seconds)
            return Saved(what="snapshot", path=kept)
        except OutputError as error:
            return Notice(message=f"{error} Training goes on.", trouble=True)

    def disk_space_notice(self) -> Notice | None:
        """Warn, once, if a day of checkpoints of the present size will not fit on the disk."""
        if self._space_checked or not (files := self.checkpoints.files()):
            return None
        self._space_checked = True
        speed = self._state.step / max(1e-9, self._state.seconds)
        with suppress(OSError):  # the file was deleted meanwhile
            warning = disk_space_warning(
                self._run.folder, self._config, files[-1].stat().st_size, speed
            )
            return Notice(message=warning) if warning else None
        return None
