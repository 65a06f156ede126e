"""Training loop: steps, reports, evaluation, checkpoints, and roll back after divergence."""

import time
from collections.abc import Generator
from typing import Protocol

from torch import nn

from faceswap.background import in_background
from faceswap.devices import choose_precision, usable_precision
from faceswap.errors import CheckpointError, TrainingError
from faceswap.events import Event, Meter, Notice, Progress, Saved
from faceswap.training.budget_clock import BudgetClock
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.checkpoint_saver import CheckpointSaver
from faceswap.training.compilation import choose_compilation
from faceswap.training.distributed import Placement
from faceswap.training.job_mark import JobStart
from faceswap.training.live_tuning import Inbox, Tuner, apply_change
from faceswap.training.loss_monitor import PATIENCE, LossMonitor
from faceswap.training.memory import used_memory
from faceswap.training.model_evaluation import EvaluationTask
from faceswap.training.performance import configure_device
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_recorder import RunRecorder
from faceswap.training.searches import Searches, run_searches
from faceswap.training.signals import defer_signals
from faceswap.training.state import AuxiliaryModel, LoopConfig, TrainingState
from faceswap.training.step import BatchTask, TrainStepper
from faceswap.training.threads import DeviceThread

_LONG = 0.3  # seconds; after a slower step, the next one runs in a thread, with heartbeats


class TrainingTask(BatchTask, EvaluationTask, Protocol):
    """All that the loop needs to know of a task: its batches, losses, measures and previews."""


class TrainingLoop:
    """Training loop of one run, with its state; ``fit`` in fit.py drives it.

    auxiliary: a model trained beside it, such as a discriminator. tuner: applies options that are
    changed while the run trains. samples_seen: number of samples trained on. Raises TrainingError
    when the processes can't share a batch evenly, OptionsError when the model can't be computed in
    the precision that is asked for.
    """

    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        task: TrainingTask,
        model: nn.Module,
        config: LoopConfig,
        run: RunIdentity,
        place: Placement = Placement(),  # noqa: B008  (it is frozen)
        *,
        auxiliary: AuxiliaryModel | None = None,
        tuner: Tuner | None = None,
    ) -> None:
        configure_device(place.device)
        if config.batch_size % place.group.size:
            raise TrainingError(
                f"A batch of {config.batch_size} can't be split over {place.group.size} processes; "
                "set --batch to a multiple of that number."
            )
        self.task, self.place, self._folder = task, place, run.folder
        agreed = place.agree_on(choose_precision(model, place.device, config.precision))
        self.state = TrainingState(model, config, agreed.precision, place.device, auxiliary)
        self.state.notes |= {"begun": dict(run.options), "losses": dict(run.losses)}
        self.stepper = TrainStepper(task, self.state, config, place.group)
        self.stepper.add_notice(agreed.reason)
        self._saver = CheckpointSaver(run, self.state, config, lambda: self.clock())
        self._monitor = LossMonitor(self.state, self.stepper)
        self._thread = DeviceThread("train", place.device, self._heartbeat)
        self._recorder: RunRecorder
        self.samples_seen = 0
        self._inbox = None if tuner is None else Inbox(run.folder, place.group, tuner)
        self._budget = BudgetClock(self.stepper, lambda: self.clock())
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
        if state.notes.get("losses", {}) != notes["losses"]:
            state.reset_loss_statistics()
        state.notes |= notes
        # The run may have started on a machine that supports bfloat16 where this one does not.
        usable = usable_precision(state.model, self.place.device, state.precision)
        agreed = self.place.agree_on(usable)
        state.precision = agreed.precision
        self.stepper.add_notice(agreed.reason)

    def search(self, searches: Searches) -> Generator[Event, None, None]:
        """Find batch size and learning rate, and train with them; see searches.py."""
        yield from run_searches(searches, self.stepper, self._thread)

    def run(self, begun_at: JobStart | None = None) -> Generator[Event, None, None]:
        """Train until the budget is used up or the generator is closed, then save.

        begun_at: where the job began that this training is a part of, see job_mark.py. Raises
        TrainingError when the run diverges beyond recovery, OutputError when the last save fails.
        """
        state = self.state
        yield from self.stepper.take_notices()
        yield from self._set_budget(begun_at)
        yield from self._thread.run_generator("compile", lambda: choose_compilation(self.stepper))
        self._recorder = yield from in_background("load", lambda _: self._open_records(), "records")
        self._saver.begin()
        self._budget.start()
        self._meter = Meter("train", self.stepper.config.steps, "steps", state.step)
        yield from self._warn_disk_space()
        try:
            yield from self._apply_requests()
            if self._saver.snapshot_due():  # the run was stopped before it was made
                yield from self._save_if_due()
            while True:
                if (progress := self._budget.progress()) is not None and progress >= 1:
                    if not self.stepper.summed:
                        break
                    yield from self._report()  # may roll the run back
                    continue
                yield from self._step(progress)
                yield from self.stepper.take_notices()
                if event := self._meter.set(state.step):
                    yield self._budget.with_eta(event)
                if state.step % self.stepper.config.report_steps == 0:
                    yield from self._report()
                yield from self._recorder.preview_if_due()
                yield from self._save_if_due()
            yield from self._recorder.preview()
            yield self._heartbeat()
            yield from self._thread(self._save_unsaved)
        except (TrainingError, CheckpointError):
            self._saver.saved_step = state.step  # never save diverged weights
            raise
        finally:
            self._recorder.close()
            self._save_unsaved()

    def _open_records(self) -> RunRecorder:
        return RunRecorder(
            self.task, self.stepper, self._folder, self._thread, lambda: self.clock()
        )

    def _set_budget(self, begun_at: JobStart | None = None) -> Generator[Event, None, None]:
        if message := self._budget.set_budget(begun_at):
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
        with defer_signals():
            self._stepping = True
            try:
                self.stepper.step(progress)
                config = self.stepper.config
                self.samples_seen += config.batch_size * config.samples_per_item
                self._budget.count()
            finally:
                self._stepping = False

    def _heartbeat(self) -> Progress:
        return self._budget.with_eta(self._meter.progress())

    def _report(self) -> Generator[Event, None, None]:
        """Log the mean losses since the last report; roll back a run that diverged."""
        state, stepper = self.state, self.stepper
        values = stepper.mean_losses()
        # A mean over fewer steps, as after a resume, is too noisy.
        if stepper.summed >= min(PATIENCE, stepper.config.report_steps):
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
        yield from self._recorder.record_losses(values)
        yield from self._apply_requests()

    def _roll_back(self) -> Generator[Event, None, None]:
        state, bad_step = self.state, self.state.step
        scale = state.rate_scale / 2
        # Checkpoints after the last healthy report may have diverged too.
        first = self.checkpoints.steps()[:1]
        until = max([state.good, *first])
        checkpoint, problems = yield from self._thread(lambda: self.checkpoints.newest(until=until))
        if checkpoint is not None and self.place.group.is_main:
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
            state.generator.manual_seed(self.stepper.config.seed + bad_step)
            if self.place.group.is_main:
                self._saver.after_rollback()
        self.stepper.reset_sums()
        self._recorder.reset()
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
        found = self._inbox.next(self.stepper.config)
        if isinstance(found, Notice):
            yield found
        elif found is not None:
            values, change = found
            apply_change(self.stepper, values, change)
            self._slow = True  # a new batch size may compile and tune kernels again
            if values.keys() & {"minutes", "steps"}:
                yield from self._set_budget()
                self._meter.total = self.stepper.config.steps
            yield Notice(message=f"From step {self.state.step:,} on: {change.description}.")
            self._inbox.mark_applied(self.state.step)
            if self.place.group.is_main:
                yield from self._save_in_thread()
        self._inbox.mark_saved(self._saver.saved_step)

    def _save_if_due(self) -> Generator[Event, None, None]:
        """Save a checkpoint, and keep a snapshot, where one is due."""
        if not self.place.group.is_main:
            return
        snapshot = self._saver.snapshot_due()
        if not snapshot and not self._saver.due:
            return
        if self.stepper.config.measure is not None:
            yield from self._recorder.measure()
        yield from self._save_in_thread()
        if snapshot and self._saver.saved_step == self.state.step:
            yield (yield from self._thread(self._saver.try_snapshot))

    def _save_in_thread(self) -> Generator[Event, None, None]:
        score = self._recorder.score
        yield (yield from self._thread(lambda: self._saver.try_save(score)))
        yield from self._warn_disk_space()

    def _warn_disk_space(self) -> Generator[Event, None, None]:
        if self.place.group.is_main and (notice := self._saver.disk_space_notice()):
            yield notice

    def _save_unsaved(self) -> None:
        """Save if there were steps since the last save, and the state is consistent."""
        saver = self._saver
        whole = not self.stepper.inconsistent and not self._stepping and not saver.busy
        if self.state.step != saver.saved_step and self.place.group.is_main and whole:
            self.save()

    def save(self) -> Saved:
        """Write a checkpoint; raises OutputError when that fails."""
        return self._saver.save(self._recorder.score)
