"""One optimiser step: batch, gradients in micro-batches, spike check, update, EMA."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from faceswap.devices import autocast
from faceswap.errors import TrainingError
from faceswap.events import Notice
from faceswap.training.device_timer import DeviceTimer, Mark
from faceswap.training.distributed import ProcessGroup
from faceswap.training.learning_rate_schedule import learning_rate_factor, set_learning_rate
from faceswap.training.memory import ran_out_of_memory, release_memory
from faceswap.training.optimisers import optimiser_step, update_ema_
from faceswap.training.state import LoopConfig, TrainingState

SPIKE_FACTOR = 10.0
"""A step is skipped if its gradient norm is this many times the running mean."""
_SETTLED = 50  # steps before the running mean of the gradient norm is reliable


class Batch(Protocol):
    """A batch that can be split into micro-batches."""

    def micro_batch(self, index: int, count: int) -> Any:
        """The ``index``-th of ``count`` micro-batches, which begins at ``micro_batch_start``."""


def micro_batch_start(index: int, count: int, size: int) -> int:
    """First sample of the ``index``-th of ``count`` micro-batches of a batch of ``size``.

    Their sizes differ by one at most; for ``index`` = ``count`` it is ``size``.
    """
    return index * size // count


class BatchTask(Protocol):
    """A task to train on: how to sample a batch, and its losses."""

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Batch:
        """Sample a batch of ``count`` with ``generator``; progress runs from 0 to 1."""

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar losses; calls ``model`` once; the one minimised is ``"loss"``."""


class TrainStepper:
    """Trains step by step, and sums up losses and times.

    micro_batches: number of parts that a batch is split into. sums: totals of the losses over the
    ``summed`` steps since the last ``reset_sums``, without the ``left_out`` steps that were
    skipped. notices: for the user, not yet sent. inconsistent: whether a step was interrupted
    while it changed the weights, so that the state must not be saved.
    """

    def __init__(
        self,
        task: BatchTask,
        state: TrainingState,
        config: LoopConfig,
        group: ProcessGroup = ProcessGroup(),  # noqa: B008  (it is frozen)
    ) -> None:
        self.task, self.state, self.config, self.group = task, state, config, group
        self.model = group.wrap_model(state.model)
        self.micro_batches = 1
        self.inconsistent = False
        self._clock = DeviceTimer(state.generator.device)
        self.notices: list[Notice] = []
        self._announced: set[str] = set()
        self.reset_sums()

    def add_notice(self, message: str) -> None:
        """Queue ``message``, unless it is empty or was queued before."""
        if message and message not in self._announced:
            self._announced.add(message)
            self.notices.append(Notice(message=message))

    def take_notices(self) -> Iterator[Notice]:
        """The queued notices; empties the queue."""
        while self.notices:
            yield self.notices.pop(0)

    def reset_sums(self) -> None:
        """Reset the sums and times."""
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.left_out = torch.zeros_like(self.state.skipped)
        self._steps: list[tuple[Mark, Mark]] = []
        self._batches: list[tuple[Mark, Mark]] = []

    @property
    def seconds(self) -> float:
        """Time of the steps since ``reset_sums``; synchronises with the device."""
        return self._clock.total(self._steps)

    @property
    def batch_seconds(self) -> float:
        """The part of ``seconds`` spent on making batches; synchronises with the device."""
        return self._clock.total(self._batches)

    def throughput(self) -> dict[str, float]:
        """Samples per second, and the share of the time spent on batches, since the last reset."""
        seconds, config = max(1e-9, self.seconds), self.config
        samples = self.summed * config.batch_size * config.samples_per_item
        return {
            f"{config.unit_name}/s": samples / seconds,
            "data share": self.batch_seconds / seconds,
        }

    def mean_losses(self) -> dict[str, float]:
        """Mean losses since ``reset_sums``, without skipped steps, over all processes.

        Synchronises with the device and the other processes, each of which must call it. Empty if
        all steps were skipped.
        """
        counting = self.summed - float(self.left_out)
        if counting < 1:
            return {}
        totals = self.group.all_reduce_mean(
            torch.stack([value.float() for value in self.sums.values()])
        )
        return dict(zip(self.sums, (totals / counting).tolist(), strict=True))

    def step(self, progress: float | None) -> None:
        """One optimiser step on one batch, in as many micro-batches as memory requires."""
        factor = learning_rate_factor(self.state.step, self.config.warmup, progress)
        self.train_step(factor * self.state.rate_scale, progress)

    def train_step(self, factor: float, progress: float | None) -> dict[str, Tensor]:
        """A step at ``factor`` times the full learning rate; returns its losses."""
        state = self.state
        started = self._clock.now()
        set_learning_rate(state.optimiser, factor)
        losses = self._gradients_in_memory(progress or 0.0)
        bad = self._update()
        state.step += 1
        self.inconsistent = False
        for name, value in losses.items():
            zero = torch.zeros_like(value)
            # Not a product: the losses of a skipped step may be NaN.
            counted = torch.where(bad > 0, zero, value)
            self.sums[name] = self.sums.get(name, zero) + counted
        self.left_out += bad
        self.summed += 1
        self._steps.append((started, self._clock.now()))
        return losses

    def graph_step(self, progress: float) -> dict[str, Tensor]:
        """A step that can be captured as a CUDA graph; returns its losses.

        Never synchronises with the device, so that a GPU can record it once and replay it. What
        the CPU sets at each step, such as the learning rate, keeps its value; the step is not
        counted, and running out of memory is an error.
        """
        self._zero_grad()
        batch = self.task.batch(self.config.batch_size, self.state.generator, progress)
        losses = self._backward(batch)
        self._update()
        self.inconsistent = False
        return losses

    def _zero_grad(self) -> None:
        """Free the gradients of the last step, before the batch needs the memory."""
        self.state.optimiser.zero_grad(set_to_none=True)
        if self.state.companion is not None:
            self.state.companion.zero_grad()

    def _update(self) -> Tensor:
        """Clip the gradients and update the weights; 1 if the step was skipped, else 0."""
        parameters = self.state.parameters.values()
        norm = nn.utils.clip_grad_norm_(parameters, self.config.gradient_clip)
        self.inconsistent = True
        bad = self._check_spike(norm)
        self._apply_gradients(bad)
        return bad

    def _apply_gradients(self, bad: Tensor) -> None:
        """Update weights, auxiliary model and EMA, unless ``bad`` is 1."""
        state = self.state
        try:
            optimiser_step(state.optimiser, bad)
            if state.companion is not None:
                state.companion.step(bad)
            update_ema_(state.ema_model, state.model, state.step, self.config.ema_decay)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            raise TrainingError(
                "Memory ran out while the weights were updated, where a smaller batch does not "
                "help; use a smaller preset or resolution."
            ) from error

    def _gradients_in_memory(self, progress: float) -> dict[str, Tensor]:
        """As ``_gradients``, in smaller micro-batches if memory runs out."""
        before = self.state.generator.get_state()
        while True:
            try:
                return self._gradients(progress)
            except BaseException as error:
                # Undo the sampling of a step that failed, so that the run can be saved.
                self.state.generator.set_state(before)
                if not ran_out_of_memory(error):
                    raise
            # Outside of the handler, whose traceback would keep the tensors alive.
            self._split_more()

    def _gradients(self, progress: float) -> dict[str, Tensor]:
        """Sample the next batch and fill the gradients from it; see ``_backward``."""
        self._zero_grad()
        started = self._clock.now()
        batch = self.task.batch(self.config.batch_size, self.state.generator, progress)
        self._batches.append((started, self._clock.now()))
        return self._backward(batch)

    def _backward(self, batch: Batch) -> dict[str, Tensor]:
        """Backpropagate ``batch`` in micro-batches; returns the mean losses, detached."""
        state, config = self.state, self.config
        total: dict[str, Tensor] = {}
        total_parts = self.micro_batches * self.group.size
        for number in range(self.micro_batches):
            index = self.group.rank * self.micro_batches + number
            start, end = (
                micro_batch_start(i, total_parts, config.batch_size) for i in (index, index + 1)
            )
            # Share of this process's part of the batch; gradients are averaged over processes.
            share = (end - start) * self.group.size / config.batch_size
            with autocast(state.generator.device, state.precision):
                losses = self.task.losses(self.model, batch.micro_batch(index, total_parts))
            torch.autograd.backward(losses["loss"] * share)
            for name, value in losses.items():
                part = value.detach() * share
                total[name] = total[name] + part if name in total else part
        return total

    def _check_spike(self, norm: Tensor) -> Tensor:
        """1 for a step to skip (not finite or a spike), else 0; never synchronises."""
        state = self.state
        seen = state.step - state.learnt_from
        ceiling = state.norm * SPIKE_FACTOR if seen > _SETTLED else torch.full_like(norm, 1e30)
        bad = (~torch.isfinite(norm) | (norm > ceiling)).float()
        limited = torch.nan_to_num(norm, nan=0.0, posinf=0.0).clamp(max=ceiling)
        limited = torch.where(torch.isfinite(norm), limited, state.norm)
        weight = max(0.02, 1 / (seen + 1))
        state.norm.lerp_(limited, weight)
        state.skipped += bad
        return bad

    def fit_micro_batches(self) -> None:
        """Limit the number of micro-batches to the batch size, after that changed."""
        self.micro_batches = min(self.micro_batches, self.config.batch_size // self.group.size)

    def _split_more(self) -> None:
        """Split batches into twice as many micro-batches from now on."""
        own_size = self.config.batch_size // self.group.size
        if self.group.size > 1:
            # All processes must split alike, as gradients are reduced once per micro-batch.
            raise TrainingError(
                "Memory ran out, and several processes can't change their micro-batches while "
                f"they run; use a --batch of less than {self.config.batch_size}."
            )
        if self.micro_batches == own_size:
            raise TrainingError(
                "Not even one face at a time fits into memory; use a smaller preset or resolution."
            )
        self.micro_batches = min(2 * self.micro_batches, own_size)
        self.state.optimiser.zero_grad(set_to_none=True)
        release_memory()
        self.notices.append(
            Notice(
                message=f"Out of memory: each batch of {self.config.batch_size} is now split into "
                f"{self.micro_batches} micro-batches; the result stays the same."
            )
        )
