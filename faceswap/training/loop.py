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
from faceswap.training.interrupts import held_back
from faceswap.training.memory import memory_used, ran_out_of_memory
from faceswap.training.optimisers import scale_rate
from faceswap.training.precision import Choice, choose, possible, prepare
from faceswap.training.ratefinder import find_rate
from faceswap.training.records import Records, Unrecorded, read_metrics, state_sentence
from faceswap.training.state import Companion, LoopConfig, TrainingState
from faceswap.training.step import Objective, Stepper

_PATIENCE = 10  # bad steps between two looks that make a run a bad one
_TWICE = 2  # looks in a row at losses far above what they were, which do so too
_RECOVERED = 5000  # steps without anything bad, after which a rate that was halved is doubled

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
    begun: what the run is begun with, JSON values kept in its checkpoints. losses: what the size
    of the losses depends on, JSON values too; where a run is gone on with by others, it is learnt
    anew. companion: what learns beside the model, if anything does.
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
        losses: Mapping[str, Any] | None = None,
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
        agreed = self._agreed_on(choose(model, device, config.precision), device)
        self.state = TrainingState(model, config, agreed.precision, device, companion)
        self._losses = dict(losses or {})
        self.state.notes |= {"begun": dict(begun or {}), "losses": self._losses}
        self.stepper = Stepper(task, self.state, config, group)
        self._said: set[str] = set()
        self._tell(agreed.reason)
        self._saved_step = -1
        self._agreed: float | None = None
        self._far_above = 0  # looks in a row at which the losses were
        self._measured_step = -1
        self._score: float | None = None  # how good the model of that step was found to be

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``; raises CheckpointError when it does not fit."""
        self._restore(checkpoint)
        self._saved_step = self.state.step

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint's state over; what this run knows of itself stays known."""
        state, notes = self.state, self.state.notes
        state.restore(checkpoint)
        if state.notes.get("losses", {}) != self._losses:
            state.learn_anew()
        state.notes |= notes
        # What was possible where the run was begun may not be here.
        device = state.generator.device
        agreed = self._agreed_on(possible(state.model, device, state.precision), device)
        state.precision = agreed.precision
        self._tell(agreed.reason)

    def _agreed_on(self, choice: Choice, device: torch.device) -> Choice:
        """``choice``, or float32 where not all processes take bfloat16."""
        half = choice.precision == "bf16"
        if self.group.everyone(half, device) == half:
            return choice
        return Choice(
            "fp32", "Not all processes can compute in bfloat16, so all compute in float32."
        )

    def _tell(self, message: str) -> None:
        """Say ``message``, if there is one, when the run goes on, and only once."""
        if message and message not in self._said:
            self._said.add(message)
            self.stepper.notices.append(Notice(message=message))

    def _notices(self) -> Generator[Event, None, None]:
        while self.stepper.notices:
            yield self.stepper.notices.pop(0)

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
        yield from self._notices()
        yield from choose_compiled(self.stepper)
        records = Records(self.folder, state.step) if self.group.leads else Unrecorded()
        rows = read_metrics(self.folder / "metrics.jsonl")
        self._measured = [row for row in rows if config.measure in row]
        self._start = self._saved_at = self._shown_at = time.monotonic()
        self._seconds_before = state.seconds
        meter = Meter("train", self.config.steps, "steps", state.step)
        self._first = state.step
        try:
            while True:
                if (progress := self.progress()) is not None and progress >= 1:
                    if not self.stepper.summed:
                        break
                    yield from self._report(records)  # which may send the run back
                    continue
                with held_back():
                    self.stepper.step(progress)
                    state.seconds = self._seconds_before + time.monotonic() - self._start
                yield from self._notices()
                if event := meter.set(state.step):
                    yield self._timed(event)
                if state.step % config.report_steps == 0:
                    yield from self._report(records)
                if self._show_due():
                    yield from self._show(records)
                if self._save_due():
                    if config.measure is not None:
                        yield from self._measure(records)
                    yield self._save_or_say()
            if self.group.leads:
                yield from self._show(records)
            yield self._timed(meter.progress())
            with held_back():
                self._save_what_is_new()
        except TrainingError:
            self._saved_step = state.step  # what diverged must not replace what did not
            raise
        finally:
            records.close()
            self._save_what_is_new()

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

    def _report(self, records: Records | Unrecorded) -> Generator[Event, None, None]:
        """Record the means since the last look; roll back a run that has gone bad."""
        state, took = self.state, self.stepper
        values = took.means()
        # Of a few steps only, as after a resume, chance says more than the run.
        if took.summed >= min(_PATIENCE, self.config.report_steps):
            if self._went_wrong(values):
                yield from self._roll_back()
                return
            yield from self._recover()
        seconds = max(1e-9, took.seconds)
        pictures = took.summed * self.config.batch * self.config.per_unit
        values[f"{self.config.noun}/s"] = pictures / seconds
        values["data share"] = took.batch_seconds / seconds
        values["rate"] = state.optimiser.param_groups[0]["lr"]
        values["gradient norm"] = float(state.norm)
        values["skipped"] = float(state.skipped)
        values["memory MiB"] = memory_used(state.generator.device) / 2**20
        took.forget()
        yield from self._record(records, values)

    def _went_wrong(self, losses: Mapping[str, float]) -> bool:
        """Whether the steps since the last look were bad; if not, learn from their ``losses``."""
        state, took = self.state, self.stepper
        if float(took.left_out) >= min(_PATIENCE, took.summed):
            return True
        if state.level.far_above(losses["loss"]):
            self._far_above += 1
            return self._far_above >= _TWICE
        self._far_above = 0
        state.level.add(losses["loss"])
        state.good = state.step
        return False

    def _recover(self) -> Generator[Event, None, None]:
        """Take half of a halving back when the run has done well for long."""
        state = self.state
        if state.rate_scale < 1 and state.step - state.set_back >= _RECOVERED:
            state.rate_scale, state.set_back = 2 * state.rate_scale, state.step
            yield Notice(
                message=f"Nothing went wrong for {_RECOVERED:,} steps: on with "
                f"{state.rate_scale:g} of the learning rate."
            )

    def _roll_back(self) -> Generator[Event, None, None]:
        state, bad_step = self.state, self.state.step
        scale = state.rate_scale / 2
        # What was saved since the run was last seen to do well may be as bad as it is now.
        first = self.checkpoints.steps()[:1]
        checkpoint, problems = self.checkpoints.newest(until=max([state.good, *first]))
        if checkpoint is not None and self.group.leads:
            self.checkpoints.set_aside(newer_than=int(checkpoint.numbers["step"]))
        if checkpoint is None or scale < 1 / 64:
            raise TrainingError(
                f"Training diverged at step {bad_step}; start a new run with a lower --rate."
            )
        with held_back():
            self._restore(checkpoint)
            state.rate_scale, state.set_back, state.good = scale, state.step, state.step
            # The same batches again would lead to the same place.
            state.generator.manual_seed(self.config.seed + bad_step)
        self.stepper.forget()
        self._far_above, self._measured_step = 0, -1
        for problem in problems:
            yield Notice(message=problem)
        yield Notice(
            message=f"Training went wrong at step {bad_step}: back to step {state.step}, with "
            f"{scale:g} of the learning rate."
        )

    def _record(
        self, records: Records | Unrecorded, values: Mapping[str, float], state: str = ""
    ) -> Generator[Event, None, None]:
        if problem := records.add(self.state.step, self.state.seconds, values):
            yield Notice(message=problem)
        yield Metrics(step=self.state.step, values=dict(values), state=state)

    def _measure(self, records: Records | Unrecorded) -> Generator[Event, None, None]:
        """Measure the model as it is now, if that was not done yet, and tell how the run does."""
        step, name = self.state.step, self.config.measure
        if self._measured_step == step:
            return
        self._measured_step, self._score = step, None
        try:
            values = self.task.evaluate(self.state.averaged)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            yield Notice(message="Memory ran out while the model was measured. Training goes on.")
            return
        told = ""
        if name is not None and name in values:
            self._score = values[name]
            self._measured.append({"step": step, "seconds": self.state.seconds, **values})
            told = state_sentence(self._measured, name)
        if values:
            yield from self._record(records, values, told)

    def _show(self, records: Records | Unrecorded) -> Generator[Event, None, None]:
        state = self.state
        yield from self._measure(records)
        path = self.folder / "previews" / f"step-{state.step:09d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.task.preview(state.averaged, path)
        except OSError as error:
            yield Notice(message=f"Cannot write the preview {path}: {error}.")
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            yield Notice(message="Memory ran out while a preview was made. Training goes on.")
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
            files = self.checkpoints.files()
            stands = f"{files[-1].name} stands" if files else "nothing is saved yet"
            return Notice(message=f"{error} Training goes on; {stands}.")

    def _save_what_is_new(self) -> None:
        """Save where steps were taken since; not in the middle of one, which is no state."""
        if self.state.step != self._saved_step and self.group.leads and not self.stepper.torn:
            self.save()

    def save(self) -> Saved:
        """Write a checkpoint; raises OutputError when that fails."""
        state, numbers = self.state, self.state.numbers()
        if self._score is not None and self._measured_step == state.step:
            numbers["score"] = self._score
        path = self.checkpoints.save(
            state.step, self.kind, self.model_config, numbers, state.tensors(), state.good
        )
        self._saved_at, self._saved_step = time.monotonic(), state.step
        return Saved(what="model", path=path)


def _thin(folder: Path) -> None:
    """Remove every other preview when there are too many, so that a week of them fits."""
    files = sorted(folder.glob("step-*.png"))
    if len(files) > PREVIEWS:
        for path in files[1:-1:2]:
            path.unlink(missing_ok=True)
