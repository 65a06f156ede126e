"""Training loop: steps, reports, evaluation, checkpoints, and roll back after divergence."""

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
from faceswap.training import live_tuning, precision, training_budget
from faceswap.training.batch_size_finder import find_batch_size
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.checkpoint_saver import CheckpointSaver
from faceswap.training.compilation import choose_compilation
from faceswap.training.distributed import ProcessGroup
from faceswap.training.job_mark import JobStart
from faceswap.training.learning_rate_finder import find_learning_rate
from faceswap.training.learning_rate_schedule import scale_learning_rate
from faceswap.training.loss_monitor import PATIENCE, LossMonitor
from faceswap.training.memory import used_memory
from faceswap.training.metrics_log import MetricsLog, NoMetricsLog
from faceswap.training.model_evaluation import EvaluationTask, ModelEvaluator
from faceswap.training.signals import defer_signals
from faceswap.training.state import AuxiliaryModel, LoopConfig, TrainingState
from faceswap.training.step import BatchTask, TrainStepper
from faceswap.training.threads import DeviceThread

_LONG = 0.3  # seconds; after a slower step, the next one runs in a thread, with heartbeats


class TrainingTask(BatchTask, EvaluationTask, Protocol):
    """All that the loop needs to know of a task: its batches, losses, measures and previews."""


class TrainingLoop:
    """Training loop of one run, with its folder and its state.

    kind, model_config: stored in the checkpoints, enough to rebuild the model. run_options: JSON
    values stored in the checkpoints. losses: the options that the size of the
    losses depends on, JSON values too; on resume with others, the loss statistics are reset.
    auxiliary: a model trained beside it, such as a discriminator. tuner: applies options that are
    changed while the run trains. samples_seen: number of samples trained on.
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
        run_options: Mapping[str, Any] | None = None,
        losses: Mapping[str, Any] | None = None,
        auxiliary: AuxiliaryModel | None = None,
        tuner: live_tuning.Tuner | None = None,
    ) -> None:
        precision.configure_device(device)
        if config.batch_size % group.size:
            raise TrainingError(
                f"A batch of {config.batch_size} can't be split over {group.size} processes; "
                "set --batch to a multiple of that number."
            )
        self.task, self.config, self.folder = task, config, folder
        self.group = group
        agreed = precision.agree_on_precision(
            precision.choose_precision(model, device, config.precision), group, device
        )
        self.state = TrainingState(model, config, agreed.precision, device, auxiliary)
        self._losses = dict(losses or {})
        self.state.notes |= {"begun": dict(run_options or {}), "losses": self._losses}
        self.stepper = TrainStepper(task, self.state, config, group)
        self.stepper.add_notice(agreed.reason)
        self._saver = CheckpointSaver(
            folder, self.state, config, kind, model_config, lambda: self.clock()
        )
        self._monitor = LossMonitor(self.state, self.stepper)
        self._thread = DeviceThread("train", device, self._heartbeat)
        self._evaluator: ModelEvaluator
        self.samples_seen = 0
        self._inbox = None if tuner is None else live_tuning.Inbox(folder, group, tuner)
        self._progress: float | None = None
        self._budget: training_budget.TrainingBudget | None = None
        self._stepping = False  # whether a step is in progress, so that the state is inconsistent
        self._slow = True  # whether the last step took long; the first one tunes kernels

    @property
    def checkpoints(self) -> CheckpointFolder:
        """The run's checkpoints."""
        return self._saver.checkpoints

    def resume(self, checkpoint: Checkpoint) -> None:
        """Resume from ``checkpoint``; raises CheckpointError when it does not fit."""
        self._restore(checkpoint)
        self._saver.saved_step = self.state.step

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Restore the state of ``checkpoint``; this run's own notes override the stored ones."""
        state, notes = self.state, self.state.notes
        state.restore(checkpoint)
        if state.notes.get("losses", {}) != self._losses:
            state.reset_loss_statistics()
        state.notes |= notes
        # The run may have started on a machine that supports bfloat16 where this one does not.
        device = state.generator.device
        agreed = precision.agree_on_precision(
            precision.usable_precision(state.model, device, state.precision), self.group, device
        )
        state.precision = agreed.precision
        self.stepper.add_notice(agreed.reason)

    def tune(self, *, batch: bool, rate: bool) -> Generator[Event, None, None]:
        """Find batch size and learning rate, and train with them.

        They are stored in the checkpoints, under ``found`` in the notes. Weights and random state
        do not change.
        """
        found: dict[str, float] = dict(self.state.notes.get("found", {}))
        if batch:
            count = yield from self._thread.run_generator(
                "find batch", lambda: find_batch_size(self.stepper)
            )
            self.config = self.stepper.config = replace(self.config, batch_size=count)
            found["batch"] = count
        if rate:
            rate_found = yield from self._thread.run_generator(
                "find rate", lambda: find_learning_rate(self.stepper)
            )
            if rate_found is not None:
                scale_learning_rate(self.state.optimiser, rate_found / self.config.learning_rate)
                self.config = self.stepper.config = replace(self.config, learning_rate=rate_found)
            found["rate"] = self.config.learning_rate
        self.state.notes["found"] = found

    def run(self, begun_at: JobStart | None = None) -> Generator[Event, None, None]:
        """Train until the budget is used up or the generator is closed, then save.

        begun_at: where the job began that this training is a part of, see job_mark.py. Raises
        TrainingError when the run diverges beyond recovery, OutputError when the last save fails.
        """
        state = self.state
        yield from self.stepper.take_notices()
        yield from self._set_budget(begun_at)
        yield from self._thread.run_generator("compile", lambda: choose_compilation(self.stepper))
        log = yield from in_background("load", lambda _: self._open_log(), "records")
        self._saver.begin()
        self._start = self._shown_at = self.clock()
        self._seconds_before, self._first = state.seconds, state.step
        self._meter = Meter("train", self.config.steps, "steps", state.step)
        yield from self._warn_disk_space()
        try:
            yield from self._apply_requests()
            if self._saver.snapshot_due():  # the run was stopped before it was made
                yield from self._save_if_due(log)
            while True:
                if (progress := self.progress()) is not None and progress >= 1:
                    if not self.stepper.summed:
                        break
                    yield from self._report(log)  # may roll the run back
                    continue
                yield from self._step(progress)
                yield from self.stepper.take_notices()
                if event := self._meter.set(state.step):
                    yield self._with_eta(event)
                if state.step % self.config.report_steps == 0:
                    yield from self._report(log)
                if self._show_due():
                    yield from self._preview(log)
                yield from self._save_if_due(log)
            if self.group.is_main:
                yield from self._preview(log)
            yield self._heartbeat()
            yield from self._thread(self._save_unsaved)
        except (TrainingError, CheckpointError):
            self._saver.saved_step = state.step  # never save diverged weights
            raise
        finally:
            log.close()
            self._save_unsaved()

    def _open_log(self) -> MetricsLog | NoMetricsLog:
        """Open the metrics log and read the earlier rows, which can take seconds."""
        log = MetricsLog(self.folder, self.state.step) if self.group.is_main else NoMetricsLog()
        self._evaluator = ModelEvaluator(self.task, self.state, self.folder, self.config.measure)
        return log

    def _set_budget(self, begun_at: JobStart | None = None) -> Generator[Event, None, None]:
        """Set the training budget: the requested one, or the rest of an earlier one."""
        state, config = self.state, self.config
        requested = training_budget.BudgetRequest(config.minutes, config.steps, config.endless)
        known = state.notes, requested, state.step, state.seconds
        budget, message = training_budget.renew_budget(*known, begun_at)
        self._budget, self._progress = budget, None
        minutes, steps = (budget.minutes, budget.steps) if budget else (None, None)
        self.config = self.stepper.config = replace(config, minutes=minutes, steps=steps)
        if message:
            yield Notice(message=message)

    def _step(self, progress: float | None) -> Generator[Event, None, None]:
        """Train one step; in a thread where steps are slow, so that heartbeats go on."""
        began = time.monotonic()
        if self._slow:
            yield from self._thread(lambda: self._step_in_place(progress))
        else:
            self._step_in_place(progress)
        self._slow = time.monotonic() - began > _LONG

    def _step_in_place(self, progress: float | None) -> None:
        state = self.state
        with defer_signals():
            self._stepping = True
            try:
                self.stepper.step(progress)
                self.samples_seen += self.config.batch_size * self.config.samples_per_item
                state.seconds = self._seconds_before + self.clock() - self._start
            finally:
                self._stepping = False

    def _heartbeat(self) -> Progress:
        return self._with_eta(self._meter.progress())

    def progress(self) -> float | None:
        """Progress through the training budget, 0 to 1; None where there is none."""
        if self._budget is None:
            return None
        state = self.state
        if self.group.size == 1 or self._budget.minutes is None:
            return self._budget.progress(state.step, state.seconds)
        # Clocks differ between processes; a broadcast at each step would slow all of them down.
        if self._progress is None or state.step % self.config.report_steps == 0:
            self._progress = self.group.broadcast(self._budget.progress(state.step, state.seconds))
        return self._progress

    def _with_eta(self, event: Progress) -> Progress:
        if self._budget is None:
            return event
        spent = self.clock() - self._start
        return self._budget.with_eta(event, spent, self._seconds_before, self._first)

    def _report(self, log: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Log the mean losses since the last report; roll back a run that diverged."""
        state, stepper = self.state, self.stepper
        values = stepper.mean_losses()
        # A mean over fewer steps, as after a resume, is too noisy.
        if stepper.summed >= min(PATIENCE, self.config.report_steps):
            if self._monitor.has_diverged(values):
                yield from self._roll_back()
                return
            if notice := self._monitor.raise_rate_again():
                yield notice
        values |= stepper.throughput()
        values["rate"] = state.optimiser.param_groups[0]["lr"]
        values["gradient norm"] = float(state.norm)
        values["skipped"] = float(state.skipped)
        values["memory MiB"] = used_memory(state.generator.device) / 2**20
        stepper.reset_sums()
        self._evaluator.add_losses(values)
        yield from self._record(log, values)
        yield from self._apply_requests()

    def _roll_back(self) -> Generator[Event, None, None]:
        state, bad_step = self.state, self.state.step
        scale = state.rate_scale / 2
        # Checkpoints after the last healthy report may have diverged too.
        first = self.checkpoints.steps()[:1]
        until = max([state.good, *first])
        checkpoint, problems = yield from self._thread(lambda: self.checkpoints.newest(until=until))
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
            # The same batches would diverge again.
            state.generator.manual_seed(self.config.seed + bad_step)
            if self.group.is_main:
                self._saver.after_rollback()
        self.stepper.reset_sums()
        self._evaluator.reset()
        self._monitor.reset()
        for problem in problems:
            yield Notice(message=problem)
        yield Notice(
            message=f"Training diverged at step {bad_step}: rolled back to step {state.step}, with "
            f"{scale:g} of the learning rate.",
            trouble=True,
        )

    def _apply_requests(self) -> Generator[Event, None, None]:
        """Apply requested option changes, in all processes at the same step."""
        if self._inbox is None:
            return
        found = self._inbox.next(self.config)
        if isinstance(found, Notice):
            yield found
        elif found is not None:
            yield from self._apply_change(*found)
            self._inbox.mark_applied(self.state.step)
            if self.group.is_main:
                yield from self._save_in_thread()
        self._inbox.mark_saved(self._saver.saved_step)

    def _apply_change(
        self, values: Mapping[str, Any], tuning: live_tuning.TuningChange
    ) -> Generator[Event, None, None]:
        state, before = self.state, self.config
        scale_learning_rate(state.optimiser, tuning.config.learning_rate / before.learning_rate)
        self.config = self.stepper.config = tuning.config
        self.stepper.fit_micro_batches()
        self._slow = True  # a new batch size may compile and tune kernels again
        given = {*values, *(("rate",) if "learning_rate" in values else ())}
        found = state.notes.get("found", {})
        state.notes["found"] = {k: v for k, v in found.items() if k not in given}
        state.notes["begun"] = dict(tuning.run_options)
        if dict(tuning.loss_config) != self._losses:
            self._losses = dict(tuning.loss_config)
            state.notes["losses"] = self._losses
            state.reset_loss_statistics()
        if values.keys() & {"minutes", "steps"}:
            yield from self._set_budget()
            self._meter.total = self.config.steps
        yield Notice(message=f"From step {state.step:,} on: {tuning.description}.")

    def _record(
        self, log: MetricsLog | NoMetricsLog, values: Mapping[str, float], state: str = ""
    ) -> Generator[Event, None, None]:
        if problem := log.add(self.state.step, self.state.seconds, values):
            yield Notice(message=problem, trouble=True)
        yield Metrics(step=self.state.step, values=dict(values), state=state)

    def _measure(self, log: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Evaluate the model, unless that was done at this step, and report the trend."""
        evaluator = self._evaluator
        if not evaluator.due:
            return
        values = yield from self._thread(evaluator.measure)
        if isinstance(values, Notice):
            yield values
            return
        trend, alarm = evaluator.report(values)
        if values:
            yield from self._record(log, values, trend)
        if alarm is not None:
            yield alarm

    def _preview(self, log: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        yield from self._measure(log)
        yield (yield from self._thread(self._evaluator.write_preview))
        self._shown_at = self.clock()

    def _show_due(self) -> bool:
        due = self.clock() - self._shown_at > self.config.preview_seconds
        return due and self.group.is_main

    def _save_if_due(self, log: MetricsLog | NoMetricsLog) -> Generator[Event, None, None]:
        """Save a checkpoint, and keep a snapshot, where one is due."""
        if not self.group.is_main:
            return
        snapshot = self._saver.snapshot_due()
        if not snapshot and not self._saver.due:
            return
        if self.config.measure is not None:
            yield from self._measure(log)
        yield from self._save_in_thread()
        if snapshot and self._saver.saved_step == self.state.step:
            yield (yield from self._thread(self._saver.try_snapshot))

    def _save_in_thread(self) -> Generator[Event, None, None]:
        score = self._evaluator.score
        yield (yield from self._thread(lambda: self._saver.try_save(score)))
        yield from self._warn_disk_space()

    def _warn_disk_space(self) -> Generator[Event, None, None]:
        if self.group.is_main and (notice := self._saver.disk_space_notice()):
            yield notice

    def _save_unsaved(self) -> None:
        """Save if there were steps since the last save, and the state is consistent."""
        saver = self._saver
        whole = not self.stepper.inconsistent and not self._stepping and not saver.busy
        if self.state.step != saver.saved_step and self.group.is_main and whole:
            self.save()

    def save(self) -> Saved:
        """Write a checkpoint; raises OutputError when that fails."""
        return self._saver.save(self._evaluator.score)
