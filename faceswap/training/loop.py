"""The training loop, in the order of the mathematics."""

import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from faceswap.errors import OutputError, TrainingError
from faceswap.events import Event, Meter, Metrics, Notice, Preview, Progress, Saved
from faceswap.training.checkpoint import Checkpoint, CheckpointFolder
from faceswap.training.memory import memory_used, ran_out_of_memory
from faceswap.training.optimisers import average_, rate_factor, set_rate
from faceswap.training.precision import autocast, fastest_precision, keep_freed_memory
from faceswap.training.records import Records
from faceswap.training.state import LoopConfig, TrainingState

SPIKE = 10.0
"""A gradient so many times its running mean is taken for an accident."""
_SETTLED = 50  # steps after which the running mean means something
_PATIENCE = 10  # bad steps between two looks that make a run a bad one


class Task(Protocol):
    """What is learnt. The loop knows nothing else of it."""

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Any:
        """A random batch of ``count``, all chance from ``generator``; progress runs 0 to 1."""

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar losses of ``model``, called once; the one minimised is ``"loss"``."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measures on data that is not trained on."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture that shows how ``model`` does."""


class Loop:
    """One run: its folder, its state, and the loop over its steps.

    kind and model_config go into the checkpoints, so that the file alone rebuilds the model.
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
    ) -> None:
        keep_freed_memory()
        self.task, self.config, self.folder = task, config, folder
        self.kind, self.model_config = kind, model_config
        self.checkpoints = CheckpointFolder(folder, config.keep)
        precision = config.precision or fastest_precision(device)
        self.state = TrainingState(model, config, precision, device)
        self.parts = 1
        self._pending: list[Event] = []
        self._sums: dict[str, Tensor] = {}
        self._summed = 0
        self._batch_seconds = self._step_seconds = 0.0
        self._saved_step = -1

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``; raises CheckpointError when it does not fit."""
        self.state.restore(checkpoint)
        self._saved_step = self.state.step

    def run(self) -> Generator[Event, None, None]:
        """Train until the end the config names, or until closed; what was learnt is saved.

        Raises TrainingError when the run diverges and nothing helps, OutputError when the last
        save fails.
        """
        state, config = self.state, self.config
        records = Records(self.folder, state.step)
        self._start = self._saved_at = self._shown_at = time.monotonic()
        self._seconds_before = state.seconds
        meter = Meter("train", self.config.steps, "steps", state.step)
        self._first = state.step
        skipped = float(state.skipped)
        try:
            while (progress := self.progress()) is None or progress < 1:
                self.step(progress)
                yield from self._drain()
                if event := meter.set(state.step):
                    yield self._timed(event)
                if state.step % config.report_steps == 0:
                    skipped = yield from self._report(records, skipped)
                if time.monotonic() - self._shown_at > config.preview_seconds:
                    yield from self._show(records)
                if self._save_due():
                    yield self._save_or_say()
            yield from self._show(records)
            yield self._timed(meter.progress())
        except TrainingError:
            self._saved_step = state.step  # what diverged must not replace what did not
            raise
        finally:
            records.close()
            if state.step != self._saved_step:
                self.save()

    def step(self, progress: float | None) -> None:
        """One optimiser step on one batch, in as many parts as the memory demands."""
        state, config = self.state, self.config
        started = time.perf_counter()
        factor = rate_factor(state.step, config.warmup, progress) * state.rate_scale
        set_rate(state.optimiser, factor)
        before = state.generator.get_state()
        while True:
            try:
                losses = self._gradients(progress or 0.0)
                break
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not ran_out_of_memory(error):
                    raise
            self._halve(before)
        norm = nn.utils.clip_grad_norm_(state.parameters.values(), config.clip, foreach=True)
        bad = self._judge(norm)
        state.optimiser.found_inf = bad  # type: ignore[attr-defined]
        state.optimiser.step()
        average_(state.averaged, state.model, state.step, config.decay)
        state.step += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value
        self._summed += 1
        self._step_seconds += time.perf_counter() - started
        state.seconds = self._seconds_before + time.monotonic() - self._start

    def _gradients(self, progress: float) -> dict[str, Tensor]:
        """Fill the gradients from one batch; the losses, detached, as means over its parts."""
        state, config = self.state, self.config
        state.optimiser.zero_grad(set_to_none=True)
        total: dict[str, Tensor] = {}
        for _ in range(self.parts):
            started = time.perf_counter()
            batch = self.task.batch(config.batch // self.parts, state.generator, progress)
            self._batch_seconds += time.perf_counter() - started
            with autocast(state.generator.device, state.precision):
                losses = self.task.losses(state.model, batch)
            torch.autograd.backward(losses["loss"] / self.parts)
            for name, value in losses.items():
                part = value.detach() / self.parts
                total[name] = total[name] + part if name in total else part
        return total

    def _judge(self, norm: Tensor) -> Tensor:
        """1 for a step to leave out, else 0, told and counted without asking the device."""
        state = self.state
        ceiling = state.norm * SPIKE if state.step > _SETTLED else torch.full_like(norm, 1e30)
        bad = (~torch.isfinite(norm) | (norm > ceiling)).float()
        limited = torch.nan_to_num(norm, nan=0.0, posinf=0.0).clamp(max=ceiling)
        limited = torch.where(torch.isfinite(norm), limited, state.norm)
        weight = max(0.02, 1 / (state.step + 1))
        state.norm.lerp_(limited, weight)
        state.skipped += bad
        return bad

    def _halve(self, before: Tensor) -> None:
        """Take the batch in twice as many parts from here on."""
        if self.config.batch % (2 * self.parts):
            raise TrainingError(
                f"Not even {self.config.batch // self.parts} faces at a time fit into memory; "
                "use a smaller preset or resolution."
            )
        self.parts *= 2
        self.state.generator.set_state(before)
        self.state.optimiser.zero_grad(set_to_none=True)
        if self.state.generator.device.type == "cuda":
            torch.cuda.empty_cache()
        self._pending.append(
            Notice(
                message=f"Out of memory: each batch of {self.config.batch} is now taken in "
                f"{self.parts} parts; the result stays the same."
            )
        )

    def progress(self) -> float | None:
        """How far the run is, 0 to 1; None where it has no end."""
        parts = []
        if self.config.steps is not None:
            parts.append(self.state.step / self.config.steps)
        if self.config.minutes is not None:
            parts.append((time.monotonic() - self._start) / (60 * self.config.minutes))
        return max(parts) if parts else None

    def _timed(self, event: Progress) -> Progress:
        """``event`` with the end that a run by the clock will have, as far as can be told."""
        minutes, progress = self.config.minutes, self.progress()
        if minutes is None or not progress:
            return event
        left = max(0.0, 60 * minutes - (time.monotonic() - self._start))
        total = self._first + (self.state.step - self._first) / min(1.0, progress)
        return event.model_copy(update={"eta": left, "total": float(round(total))})

    def _drain(self) -> Generator[Event, None, None]:
        while self._pending:
            yield self._pending.pop(0)

    def _report(self, records: Records, skipped: float) -> Generator[Event, None, float]:
        """Record the means since the last look; roll back a run that has gone bad."""
        state = self.state
        values = {name: float(total) / self._summed for name, total in self._sums.items()}
        now = float(state.skipped)
        if now - skipped >= min(_PATIENCE, self._summed):
            yield from self._roll_back()
            return float(state.skipped)
        values["faces/s"] = self._summed * self.config.batch / max(1e-9, self._step_seconds)
        values["data share"] = self._batch_seconds / max(1e-9, self._step_seconds)
        values["rate"] = state.optimiser.param_groups[0]["lr"]
        values["gradient norm"] = float(state.norm)
        values["skipped"] = now
        values["memory MiB"] = memory_used(state.generator.device) / 2**20
        self._sums, self._summed = {}, 0
        self._batch_seconds = self._step_seconds = 0.0
        records.add(state.step, state.seconds, values)
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
        self.checkpoints.set_aside(checkpoint.path)
        state.restore(checkpoint)
        state.rate_scale = scale
        # The same batches again would lead to the same place.
        state.generator.manual_seed(self.config.seed + bad_step)
        self._sums, self._summed = {}, 0
        yield Notice(
            message=f"Training went wrong at step {bad_step}: back to step {state.step}, with "
            f"{scale:g} of the learning rate."
        )

    def _show(self, records: Records) -> Generator[Event, None, None]:
        state = self.state
        values = self.task.evaluate(state.averaged)
        if values:
            records.add(state.step, state.seconds, values)
            yield Metrics(step=state.step, values=values)
        path = self.folder / "previews" / f"step-{state.step:09d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.task.preview(state.averaged, path)
        except OSError as error:
            yield Notice(message=f"Cannot write the preview {path}: {error}.")
        else:
            yield Preview(path=path, caption=f"step {state.step:,}")
        self._shown_at = time.monotonic()

    def _save_due(self) -> bool:
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
