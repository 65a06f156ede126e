"""The training loop, in the order of the mathematics."""

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from faceswap.errors import OutputError, TrainingError
from faceswap.events import Event, Meter, Metrics, Notice, Preview, Progress, Saved
from faceswap.training.batchfinder import find_batch
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.compiling import choose_compiled
from faceswap.training.distributed import Group
from faceswap.training.memory import memory_used
from faceswap.training.optimisers import scale_rate
from faceswap.training.precision import fastest_precision, prepare
from faceswap.training.ratefinder import find_rate
from faceswap.training.records import Records, Unrecorded
from faceswap.training.state import Companion, LoopConfig, TrainingState
from faceswap.training.step import Objective, Stepper

_PATIENCE = 10  # bad steps between two looks that make a run a bad one


PREVIEWS = 200
"""At most so many previews of a run are kept."""


class Task(Objective, Protocol):
    """What is learnt. The loop knows nothing else of it."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measures on data that is not trained on."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture that shows how ``model`` does."""


class Loop:
    """One run: its folder, its state, and the loop over its steps.

    kind and model_config go into the checkpoints, so that the file alone rebuilds the model.
    begun: what the run is begun with, JSON values kept in its checkpoints. companion: what
    learns beside the model, if anything does.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        config: LoopConfig,
        folder: Path,
        kind: str,
        model_config: Mapping[str, Any],
        device: torch.device,
        group: Group = Group(),  # noqa: B008  (it is frozen)
        *,
        begun: Mapping[str, Any] | None = None,
        companion: Companion | None = None,
    ) -> None:
        prepare(device)
        if config.batch % group.size:
            raise TrainingError(
                f"A batch of {config.batch} can't be shared evenly by {group.size} processes; "
                "make --batch a multiple of their number."
            )
        self.task, self.config, self.folder = task, config, folder
        self.kind, self.model_config = kind, model_config
        self.checkpoints = CheckpointFolder(folder, config.keep)
        self.group = group
        half = group.agreed(float((config.precision or fastest_precision(device)) == "bf16"))
        self.state = TrainingState(model, config, "bf16" if half else "fp32", device, companion)
        self.state.notes["begun"] = dict(begun or {})
        self.stepper = Stepper(task, self.state, config, group)
        self._saved_step = -1
        self._agreed: float | None = None

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``; raises CheckpointError when it does not fit."""
        self.state.restore(checkpoint)
        self._saved_step = self.state.step

    def tune(self, *, batch: bool, rate: bool) -> Generator[Event, None, None]:
        """Find the batch and the learning rate that suit, and go on with them.

        They are kept in the run's checkpoints, under ``found`` in its notes. Weights and random
        state stay as they were.
        """
        found: dict[str, float] = dict(self.state.notes.get("found", {}))
        if batch:
            count = yield from find_batch(self.stepper)
            self.config = self.stepper.config = replace(self.config, batch=count)
            found["batch"] = count
        if rate:
            full = yield from find_rate(self.stepper)
            if full is not None:
                scale_rate(self.state.optimiser, full / self.config.rate)
                self.config = self.stepper.config = replace(self.config, rate=full)
            found["rate"] = self.config.rate
        self.state.notes["found"] = found

    def run(self) -> Generator[Event, None, None]:
        """Train until the end the config names, or until closed; what was learnt is saved.

        Raises TrainingError when the run diverges and nothing helps, OutputError when the last
        save fails.
        """
        state, config = self.state, self.config
        yield from choose_compiled(self.stepper)
        records = Records(self.folder, state.step) if self.group.leads else Unrecorded()
        self._start = self._saved_at = self._shown_at = time.monotonic()
        self._seconds_before = state.seconds
        meter = Meter("train", self.config.steps, "steps", state.step)
        self._first = state.step
        skipped = float(state.skipped)
        try:
            while (progress := self.progress()) is None or progress < 1:
                self.stepper.step(progress)
                state.seconds = self._seconds_before + time.monotonic() - self._start
                while self.stepper.notices:
                    yield self.stepper.notices.pop(0)
                if event := meter.set(state.step):
                    yield self._timed(event)
                if state.step % config.report_steps == 0:
                    skipped = yield from self._report(records, skipped)
                if self._show_due():
                    yield from self._show(records)
                if self._save_due():
                    yield self._save_or_say()
            if self.group.leads:
                yield from self._show(records)
            yield self._timed(meter.progress())
        except TrainingError:
            self._saved_step = state.step  # what diverged must not replace what did not
            raise
        finally:
            records.close()
            if state.step != self._saved_step and self.group.leads:
                self.save()

    def progress(self) -> float | None:
        """How far the run is, 0 to 1; None where it has no end."""
        parts = []
        if self.config.steps is not None:
            parts.append(self.state.step / self.config.steps)
        if self.config.minutes is not None:
            parts.append((time.monotonic() - self._start) / (60 * self.config.minutes))
        if not parts or self.group.size == 1 or self.config.minutes is None:
            return max(parts, default=None)
        # The clocks of several processes differ; asking at each step would hold all of them up.
        if self._agreed is None or self.state.step % self.config.report_steps == 0:
            self._agreed = self.group.agreed(max(parts))
        return self._agreed

    def _timed(self, event: Progress) -> Progress:
        """``event`` with the end that a run by the clock will have, as far as can be told."""
        minutes, spent = self.config.minutes, time.monotonic() - self._start
        if minutes is None or not spent:
            return event
        left = max(0.0, 60 * minutes - spent)
        total = self._first + (self.state.step - self._first) * (1 + left / spent)
        return event.model_copy(update={"eta": left, "total": float(round(total))})

    def _report(
        self, records: Records | Unrecorded, skipped: float
    ) -> Generator[Event, None, float]:
        """Record the means since the last look; roll back a run that has gone bad."""
        state, took = self.state, self.stepper
        now = float(state.skipped)
        if now - skipped >= min(_PATIENCE, took.summed):
            yield from self._roll_back()
            return float(state.skipped)
        seconds = max(1e-9, took.seconds)
        values = {name: float(total) / took.summed for name, total in took.sums.items()}
        pictures = took.summed * self.config.batch * self.config.per_unit
        values[f"{self.config.noun}/s"] = pictures / seconds
        values["data share"] = took.batch_seconds / seconds
        values["rate"] = state.optimiser.param_groups[0]["lr"]
        values["gradient norm"] = float(state.norm)
        values["skipped"] = now
        values["memory MiB"] = memory_used(state.generator.device) / 2**20
        took.forget()
        if problem := records.add(state.step, state.seconds, values):
            yield Notice(message=problem)
        yield Metrics(step=state.step, values=values)
        return now

    def _roll_back(self) -> Generator[Event, None, None]:
        state, bad_step = self.state, self.state.step
        scale = state.rate_scale / 2
        checkpoint, problems = self.checkpoints.newest()
        if checkpoint is None or scale < 1 / 64:
            raise TrainingError(
                f"Training diverged at step {bad_step}; start a new run with a lower --rate."
            )
        for problem in problems:
            yield Notice(message=problem)
        state.restore(checkpoint)
        if self.group.leads:
            self.checkpoints.set_aside(newer_than=state.step)
        state.rate_scale = scale
        # The same batches again would lead to the same place.
        state.generator.manual_seed(self.config.seed + bad_step)
        self.stepper.forget()
        yield Notice(
            message=f"Training went wrong at step {bad_step}: back to step {state.step}, with "
            f"{scale:g} of the learning rate."
        )

    def _show(self, records: Records | Unrecorded) -> Generator[Event, None, None]:
        state = self.state
        values = self.task.evaluate(state.averaged)
        if values:
            if problem := records.add(state.step, state.seconds, values):
                yield Notice(message=problem)
            yield Metrics(step=state.step, values=values)
        path = self.folder / "previews" / f"step-{state.step:09d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.task.preview(state.averaged, path)
        except OSError as error:
            yield Notice(message=f"Cannot write the preview {path}: {error}.")
        else:
            _thin(path.parent)
            yield Preview(path=path, caption=f"step {state.step:,}")
        self._shown_at = time.monotonic()

    def _show_due(self) -> bool:
        due = time.monotonic() - self._shown_at > self.config.preview_seconds
        return due and self.group.leads

    def _save_due(self) -> bool:
        if not self.group.leads:
            return False
        by_step = self.config.save_steps
        if by_step is not None and self.state.step % by_step == 0:
            return True
        return time.monotonic() - self._saved_at > self.config.save_seconds

    def _save_or_say(self) -> Event:
        try:
            return self.save()
        except OutputError as error:
            self._saved_at = time.monotonic()
            return Notice(message=f"{error} Training goes on; the last checkpoint stands.")

    def save(self) -> Saved:
        """Write a checkpoint; raises OutputError when that fails."""
        state = self.state
        path = self.checkpoints.save(
            state.step, self.kind, self.model_config, state.numbers(), state.tensors()
        )
        self._saved_at, self._saved_step = time.monotonic(), state.step
        return Saved(what="model", path=path)


def _thin(folder: Path) -> None:
    """Remove every other preview when there are too many, so that a week of them fits."""
    files = sorted(folder.glob("step-*.png"))
    if len(files) > PREVIEWS:
        for path in files[1:-1:2]:
            path.unlink(missing_ok=True)
