"""The training loop, in the order of the mathematics."""

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from faceswap.background import in_background
from faceswap.errors import CheckpointError, TrainingError
from faceswap.events import Event, Meter, Metrics, Notice, Progress, Saved
from faceswap.training import live_tuning
from faceswap.training.batch_size_finder import find_batch_size
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.checkpoint_saver import CheckpointSaver
from faceswap.training.compilation import choose_compilation
from faceswap.training.distributed import ProcessGroup
from faceswap.training.job_mark import Begun
from faceswap.training.learning_rate_finder import find_learning_rate
from faceswap.training.learning_rate_schedule import scale_learning_rate
from faceswap.training.loss_monitor import PATIENCE, LossMonitor
from faceswap.training.memory import used_memory
from faceswap.training.metrics_log import MetricsLog, NoMetricsLog
from faceswap.training.model_evaluation import EvaluationTask, ModelEvaluator
from faceswap.training.precision import (
    agree_on_precision,
    choose_precision,
    configure_device,
    usable_precision,
)
from faceswap.training.signals import defer_signals
from faceswap.training.state import AuxiliaryModel, LoopConfig, TrainingState
from faceswap.training.step import BatchTask, TrainStepper
from faceswap.training.threads import DeviceThread
from faceswap.training.training_budget import KEY, RequestedEnd, TrainingBudget, next_budget

_LONG = 0.3  # seconds of a step, from which on the next one is not waited for in silence


class TrainingTask(BatchTask, EvaluationTask, Protocol):
    """What is learnt. The loop knows nothing else of it."""


class TrainingLoop:
    """One run: its folder, its state, and the loop over its steps.

    kind and model_config go into the checkpoints, so that the file alone rebuilds the model.
    begun: what the run is begun with, JSON values kept in its checkpoints. losses: what the size
    of the losses depends on, JSON values too; where a run is gone on with by others, it is learnt
    anew. companion: what learns beside the model, if anything does. tuner: what makes changes that
    are asked for while the run trains, if any can be. taken: so many pictures were learnt from.
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        task: TrainingTask,
        model: nn.Module,
        config: LoopConfig,
        folder: Path,
        kind: str,
        model_config: Mapping[str, Any],
        device: torch.device,
        group: ProcessGroup = ProcessGroup(),  # noqa: B008  (it is frozen)
        *,
        begun: Mapping[str, Any] | None = None,
        losses: Mapping[str, Any] | None = None,
        companion: AuxiliaryModel | None = None,
        tuner: live_tuning.Tuner | None = None,
    ) -> None:
        configure_device(device)
        if config.batch_size % group.size:
            raise TrainingError(
                f"A batch of {config.batch_size} can't be shared evenly by {group.size} processes; "
                "make --batch a multiple of their number."
            )
        self.task, self.config, self.folder = task, config, folder
        self.group = group
        agreed = agree_on_precision(
            choose_precision(model, device, config.precision), group, device
        )
        self.state = TrainingState(model, config, agreed.precision, device, companion)
        self._losses = dict(losses or {})
        self.state.notes |= {"begun": dict(begun or {}), "losses": self._losses}
        self.stepper = TrainStepper(task, self.state, config, group)
        self.stepper.add_notice(agreed.reason)
        self._keeper = CheckpointSaver(
            folder, self.state, config, kind, model_config, lambda: self.clock()
        )
        self._watch = LossMonitor(self.state, self.stepper)
        self._aside = DeviceThread("train", device, self._sign)
        self._looks: ModelEvaluator
        self.taken = 0
        self._inbox = None if tuner is None else live_tuning.Inbox(folder, group, tuner)
        self._agreed: float | None = None
        self._stretch: TrainingBudget | None = None
        self._stepping = False  # whether a step is under way, and the state that of none
        self._slow = True  # whether the last step took long; the first one looks for kernels

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The run's saves."""
        return self._keeper.checkpoints

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``; raises CheckpointError when it does not fit."""
        self._restore(checkpoint)
        self._keeper.saved_step = self.state.step

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint's state over; what this run knows of itself stays known."""
        state, notes = self.state, self.state.notes
        state.restore(checkpoint)
        if state.notes.get("losses", {}) != self._losses:
            state.reset_loss_statistics()
        state.notes |= notes
        # What was possible where the run was begun may not be here.
        device = state.generator.device
        agreed = agree_on_precision(
            usable_precision(state.model, device, state.precision), self.group, device
        )
        state.precision = agreed.precision
        self.stepper.add_notice(agreed.reason)

    def tune(self, *, batch: bool, rate: bool) -> Generator[Event, None, None]:
        """Find the batch and the learning rate that suit, and go on with them.

        They are kept in the run's checkpoints, under ``found`` in its notes. Weights and random
        state stay as they were.
        """
        found: dict[str, float] = dict(self.state.notes.get("found", {}))
        if batch:
            count = yield from self._aside.steadily(
                "find batch", lambda: find_batch_size(self.stepper)
            )
            self.config = self.stepper.config = replace(self.config, batch_size=count)
            found["batch"] = count
        if rate:
            full = yield from self._aside.steadily(
                "find rate", lambda: find_learning_rate(self.stepper)
            )
            if full is not None:
                scale_learning_rate(self.state.optimiser, full / self.config.learning_rate)
                self.config = self.stepper.config = replace(self.config, learning_rate=full)
            found["rate"] = self.config.learning_rate
        self.state.notes["found"] = found

    def run(self, begun_at: Begun | None = None) -> Generator[Event, None, None]:
        """Train until the end the config names, or until closed; what was learnt is saved.

        begun_at: where a job began of which this is one part, see job_mark.py. Raises
        TrainingError when the run diverges and nothing helps, OutputError when the last save fails.
        """
        state = self.state
        yield from self.stepper.take_notices()
        yield from self._aim(begun_at)
        yield from self._aside.steadily("compile", lambda: choose_compilation(self.stepper))
        records = yield from in_background("load", lambda _: self._opened(), "records")
        self._keeper.begin()
        self._start = self._shown_at = self.clock()
        self._seconds_before, self._first = state.seconds, state.step
        self._meter = Meter("train", self.config.steps, "steps", state.step)
        yield from self._say_of_room()
        try:
            yield from self._heed()
            if self._keeper.snapshot_due():  # which a stop came before
                yield from self._keep(records)
            while True:
                if (progress := self.progress()) is not None and progress >= 1:
                    if not self.stepper.summed:
                        break
                    yield from self._report(records)  # which may send the run back
                    continue
                yield from self._step(progress)
                yield from self.stepper.take_notices()
                if event := self._meter.set(state.step):
                    yield self._timed(event)
                if state.step % self.config.report_steps == 0:
                    yield from self._report(records)
                if self._show_due():
                    yield from self._show(records)
                yield from self._keep(records)
            if self.group.is_main:
                yield from self._show(records)
            yield self._sign()
            yield from self._aside(self._save_what_is_new)
        except (TrainingError, CheckpointError):
            self._keeper.saved_step = state.step  # what diverged must not replace what did not
            raise
        finally:
            records.close()
            self._save_what_is_new()

    def _opened(self) -> MetricsLog | NoMetricsLog:
        """Records to add to, and what was told before, which can be long: both take seconds."""
        records = MetricsLog(self.folder, self.state.step) if self.group.is_main else NoMetricsLog()
        self._looks = ModelEvaluator(self.task, self.state, self.folder, self.config.measure)
        return records

    def _aim(self, begun_at: Begun | None = None) -> Generator[Event, None, None]:
        """Make out how long to train: what is asked for, or what is left of what was."""
        state, asked = self.state, self.config
        wish = RequestedEnd(asked.minutes, asked.steps, asked.endless)
        stretch, told = next_budget(state.notes, wish, state.step, state.seconds, begun_at)
        self._stretch, self._agreed = stretch, None
        state.notes[KEY] = None if stretch is None else stretch.model_dump(mode="json")
        minutes, steps = (stretch.minutes, stretch.steps) if stretch else (None, None)
        self.config = self.stepper.config = replace(asked, minutes=minutes, steps=steps)
        if told:
            yield Notice(message=told)

    def _step(self, progress: float | None) -> Generator[Event, None, None]:
        """One step; where steps take long, in a thread, so that the run goes on answering."""
        began = time.monotonic()
        if self._slow:
            yield from self._aside(lambda: self._step_here(progress))
        else:
            self._step_here(progress)
        self._slow = time.monotonic() - began > _LONG

    def _step_here(self, progress: float | None) -> None:
        state = self.state
        with defer_signals():
            self._stepping = True
            try:
                self.stepper.step(progress)
                self.taken += self.config.batch_size * self.config.samples_per_item
                state.seconds = self._seconds_before + self.clock() - self._start
            finally:
                self._stepping = False

    def _sign(self) -> Progress:
        return self._timed(self._meter.progress())

    def progress(self) -> float | None:
        """How far the stretch is, 0 to 1; None where it has no end."""
        if self._stretch is None:
            return None
        state = self.state
        if self.group.size == 1 or self._stretch.minutes is None:
            return self._stretch.progress(state.step, state.seconds)
        # The clocks of several processes differ; asking at each step would hold all of them up.
        if self._agreed is None or state.step % self.config.report_steps == 0:
            self._agreed = self.group.broadcast(self._stretch.progress(state.step, state.seconds))
        return self._agreed

    def _timed(self, event: Progress) -> Progress:
        """``event`` with the end that a run by the clock will have, as far as can be told."""
        stretch, spent = self._stretch, self.clock() - self._start
        if stretch is None or stretch.minutes is None or not spent:
            return event
        seconds = self._seconds_before + spent
        left = max(0.0, 60 * stretch.minutes - (seconds - stretch.since))
        total = self._first + (self.state.step - self._first) * (1 + left / spent)
        if stretch.steps is not None and total > stretch.steps:
            return event  # which ends by its steps
        return event.model_copy(update={"eta": left, "total": float(round(total))})

    def _report(self, records: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Record the means since the last look; roll back a run that has gone bad."""
        state, took = self.state, self.stepper
        values = took.mean_losses()
        # Of a few steps only, as after a resume, chance says more than the run.
        if took.summed >= min(PATIENCE, self.config.report_steps):
            if self._watch.has_diverged(values):
                yield from self._roll_back()
                return
            if told := self._watch.raise_rate_again():
                yield told
        seconds = max(1e-9, took.seconds)
        pictures = took.summed * self.config.batch_size * self.config.samples_per_item
        values[f"{self.config.unit_name}/s"] = pictures / seconds
        values["data share"] = took.batch_seconds / seconds
        values["rate"] = state.optimiser.param_groups[0]["lr"]
        values["gradient norm"] = float(state.norm)
        values["skipped"] = float(state.skipped)
        values["memory MiB"] = used_memory(state.generator.device) / 2**20
        took.reset_sums()
        self._looks.add_losses(values)
        yield from self._record(records, values)
        yield from self._heed()

    def _roll_back(self) -> Generator[Event, None, None]:
        state, bad_step = self.state, self.state.step
        scale = state.rate_scale / 2
        # What was saved since the run was last seen to do well may be as bad as it is now.
        first = self.checkpoints.steps()[:1]
        until = max([state.good, *first])
        checkpoint, problems = yield from self._aside(lambda: self.checkpoints.newest(until=until))
        if checkpoint is not None and self.group.is_main:
            self.checkpoints.quarantine(newer_than=int(checkpoint.metadata["step"]))
        if checkpoint is None or scale < 1 / 64:
            raise TrainingError(
                f"Training diverged at step {bad_step}; start a new run with a lower "
                "--learning-rate."
            )
        with defer_signals():
            self._restore(checkpoint)
            state.rate_scale, state.set_back, state.good = scale, state.step, state.step
            # The same batches again would lead to the same place.
            state.generator.manual_seed(self.config.seed + bad_step)
            if self.group.is_main:
                self._keeper.went_back()
        self.stepper.reset_sums()
        self._looks.reset()
        self._watch.reset()
        for problem in problems:
            yield Notice(message=problem)
        yield Notice(
            message=f"Training went wrong at step {bad_step}: back to step {state.step}, with "
            f"{scale:g} of the learning rate.",
            trouble=True,
        )

    def _heed(self) -> Generator[Event, None, None]:
        """Make the changes that are asked for, if any are, in all processes at the same step."""
        if self._inbox is None:
            return
        found = self._inbox.next(self.config)
        if isinstance(found, Notice):
            yield found
        elif found is not None:
            yield from self._change(*found)
            self._inbox.done(self.state.step)
            if self.group.is_main:
                yield from self._save_beside()
        self._inbox.saved(self._keeper.saved_step)

    def _change(
        self, values: Mapping[str, Any], tuning: live_tuning.TuningChange
    ) -> Generator[Event, None, None]:
        state, before = self.state, self.config
        scale_learning_rate(state.optimiser, tuning.config.learning_rate / before.learning_rate)
        self.config = self.stepper.config = tuning.config
        self.stepper.fit_micro_batches()
        self._slow = True  # another batch may be compiled for, and kernels looked for
        given = {*values, *(("rate",) if "learning_rate" in values else ())}
        found = state.notes.get("found", {})
        state.notes["found"] = {k: v for k, v in found.items() if k not in given}
        state.notes["begun"] = dict(tuning.run_options)
        if dict(tuning.loss_config) != self._losses:
            self._losses = dict(tuning.loss_config)
            state.notes["losses"] = self._losses
            state.reset_loss_statistics()
        if values.keys() & {"minutes", "steps"}:
            yield from self._aim()
            self._meter.total = self.config.steps
        yield Notice(message=f"From step {state.step:,} on: {tuning.description}.")

    def _record(
        self, records: MetricsLog | NoMetricsLog, values: Mapping[str, float], state: str = ""
    ) -> Generator[Event, None, None]:
        if problem := records.add(self.state.step, self.state.seconds, values):
            yield Notice(message=problem, trouble=True)
        yield Metrics(step=self.state.step, values=dict(values), state=state)

    def _measure(self, records: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Measure the model as it is now, if that was not done yet, and tell how the run does."""
        looks = self._looks
        if not looks.due:
            return
        values = yield from self._aside(looks.measure)
        if isinstance(values, Notice):
            yield values
            return
        told, alarm = looks.report(values)
        if values:
            yield from self._record(records, values, told)
        if alarm is not None:
            yield alarm

    def _show(self, records: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        yield from self._measure(records)
        yield (yield from self._aside(self._looks.write_preview))
        self._shown_at = self.clock()

    def _show_due(self) -> bool:
        due = self.clock() - self._shown_at > self.config.preview_seconds
        return due and self.group.is_main

    def _keep(self, records: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Save, and keep a snapshot, where it is time to."""
        if not self.group.is_main:
            return
        snapshot = self._keeper.snapshot_due()
        if not snapshot and not self._keeper.due:
            return
        if self.config.measure is not None:
            yield from self._measure(records)
        yield from self._save_beside()
        if snapshot and self._keeper.saved_step == self.state.step:
            yield (yield from self._aside(self._keeper.try_snapshot))

    def _save_beside(self) -> Generator[Event, None, None]:
        score = self._looks.score
        yield (yield from self._aside(lambda: self._keeper.try_save(score)))
        yield from self._say_of_room()

    def _say_of_room(self) -> Generator[Event, None, None]:
        if self.group.is_main and (told := self._keeper.disk_space_notice()):
            yield told

    def _save_what_is_new(self) -> None:
        """Save where steps were taken since; not in the middle of one, which is no state."""
        keeper = self._keeper
        whole = not self.stepper.torn and not self._stepping and not keeper.busy
        if self.state.step != keeper.saved_step and self.group.is_main and whole:
            self.save()

    def save(self) -> Saved:
        """Write a checkpoint; raises OutputError when that fails."""
        return self._keeper.save(self._looks.score)
