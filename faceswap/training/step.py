"""One optimiser step, in the order of the mathematics."""

from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from faceswap.errors import TrainingError
from faceswap.events import Notice
from faceswap.training.device_timer import DeviceTimer, Mark
from faceswap.training.distributed import ProcessGroup
from faceswap.training.learning_rate_schedule import learning_rate_factor, set_learning_rate
from faceswap.training.memory import ran_out_of_memory, release_memory
from faceswap.training.optimisers import optimiser_step, update_ema_
from faceswap.training.precision import autocast
from faceswap.training.state import LoopConfig, TrainingState

SPIKE_FACTOR = 10.0
"""A gradient so many times its running mean is taken for an accident."""
_SETTLED = 50  # steps after which the running mean means something


class Batch(Protocol):
    """What a task draws at once."""

    def micro_batch(self, index: int, count: int) -> Any:
        """The ``index``-th of ``count`` portions, which begins at ``micro_batch_start``."""


def micro_batch_start(index: int, count: int, size: int) -> int:
    """Where the ``index``-th of ``count`` portions of a batch of ``size`` begins.

    Their sizes differ by one at most; that after the last begins at ``size``.
    """
    return index * size // count


class BatchTask(Protocol):
    """What is minimised."""

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Batch:
        """A random batch of ``count``, all chance from ``generator``; progress runs 0 to 1."""

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar losses of ``model``, called once; the one minimised is ``"loss"``."""


class TrainStepper:
    """Takes steps and counts what they cost.

    parts: in how many portions a batch is taken. sums: totals of the losses over the ``summed``
    steps since they were last looked at, ``left_out`` of which were bad and count for nothing.
    notices: what the user should know. torn: whether a step was broken off while it changed the
    weights, so that the state is that of no step.
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
        self.parts = 1
        self.torn = False
        self._clock = DeviceTimer(state.generator.device)
        self.notices: list[Notice] = []
        self._said: set[str] = set()
        self.reset_sums()

    def add_notice(self, message: str) -> None:
        """Say ``message``, if there is one, when the run goes on, and only once."""
        if message and message not in self._said:
            self._said.add(message)
            self.notices.append(Notice(message=message))

    def take_notices(self) -> Iterator[Notice]:
        """What there is to be said, each once."""
        while self.notices:
            yield self.notices.pop(0)

    def reset_sums(self) -> None:
        """Begin the sums anew."""
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.left_out = torch.zeros_like(self.state.skipped)
        self._steps: list[tuple[Mark, Mark]] = []
        self._batches: list[tuple[Mark, Mark]] = []

    @property
    def seconds(self) -> float:
        """Time of the steps since ``forget``; waits for the device."""
        return self._clock.total(self._steps)

    @property
    def batch_seconds(self) -> float:
        """The part of ``seconds`` that went into the batches; waits for the device."""
        return self._clock.total(self._batches)

    def mean_losses(self) -> dict[str, float]:
        """Of the losses since ``forget``, over the steps that count and over all processes.

        Waits for the device, and for the other processes, each of which must ask. Empty where no
        step counts.
        """
        counting = self.summed - float(self.left_out)
        if counting < 1:
            return {}
        totals = self.group.all_reduce_mean(
            torch.stack([value.float() for value in self.sums.values()])
        )
        return dict(zip(self.sums, (totals / counting).tolist(), strict=True))

    def step(self, progress: float | None) -> None:
        """One optimiser step on one batch, in as many parts as the memory demands."""
        factor = learning_rate_factor(self.state.step, self.config.warmup, progress)
        self.train_step(factor * self.state.rate_scale, progress)

    def train_step(self, factor: float, progress: float | None) -> dict[str, Tensor]:
        """A step at ``factor`` times the full rate; its losses."""
        state = self.state
        started = self._clock.now()
        set_learning_rate(state.optimiser, factor)
        losses = self._fitting_gradients(progress or 0.0)
        bad = self._learn()
        state.step += 1
        self.torn = False
        for name, value in losses.items():
            nothing = torch.zeros_like(value)
            # Not a product: what is left out may be NaN.
            counted = torch.where(bad > 0, nothing, value)
            self.sums[name] = self.sums.get(name, nothing) + counted
        self.left_out += bad
        self.summed += 1
        self._steps.append((started, self._clock.now()))
        return losses

    def graph_step(self, progress: float) -> dict[str, Tensor]:
        """The work of a step and nothing besides, at the present rate; its losses.

        Asks the device nothing, so that a graphics card can be given it once and replay it. What
        the processor decides from step to step, such as the rate, stays as it was then; the step
        is not counted, and memory that runs out is an error.
        """
        self._clear()
        batch = self.task.batch(self.config.batch_size, self.state.generator, progress)
        losses = self._descend(batch)
        self._learn()
        self.torn = False
        return losses

    def _clear(self) -> None:
        """Forget the gradients of the last step, before a batch takes their memory."""
        self.state.optimiser.zero_grad(set_to_none=True)
        if self.state.companion is not None:
            self.state.companion.zero_grad()

    def _learn(self) -> Tensor:
        """Change the weights by the gradients there are; 1 where that was left out, else 0."""
        parameters = self.state.parameters.values()
        norm = nn.utils.clip_grad_norm_(parameters, self.config.gradient_clip)
        self.torn = True
        bad = self._judge(norm)
        self._change(bad)
        return bad

    def _change(self, bad: Tensor) -> None:
        """Change the weights by their gradients, but not where ``bad`` is 1."""
        state = self.state
        try:
            optimiser_step(state.optimiser, bad)
            if state.companion is not None:
                state.companion.step(bad)
            update_ema_(state.averaged, state.model, state.step, self.config.ema_decay)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            raise TrainingError(
                "Memory ran out while the weights were changed, for which smaller batches do not "
                "help; use a smaller preset or resolution."
            ) from error

    def _fitting_gradients(self, progress: float) -> dict[str, Tensor]:
        """As ``_gradients``, in smaller parts when memory runs out."""
        before = self.state.generator.get_state()
        while True:
            try:
                return self._gradients(progress)
            except BaseException as error:
                # Of a step that was not taken nothing is to be seen, so that the run can be saved.
                self.state.generator.set_state(before)
                if not ran_out_of_memory(error):
                    raise
            # Outside of the handler, whose traceback would keep the tensors alive.
            self._part_more()

    def _gradients(self, progress: float) -> dict[str, Tensor]:
        """As ``_descend``, on the next batch."""
        self._clear()
        started = self._clock.now()
        batch = self.task.batch(self.config.batch_size, self.state.generator, progress)
        self._batches.append((started, self._clock.now()))
        return self._descend(batch)

    def _descend(self, batch: Batch) -> dict[str, Tensor]:
        """Fill the gradients from ``batch``; the losses, detached, as means over its parts."""
        state, config = self.state, self.config
        total: dict[str, Tensor] = {}
        portions = self.parts * self.group.size
        for number in range(self.parts):
            index = self.group.rank * self.parts + number
            start, end = (
                micro_batch_start(i, portions, config.batch_size) for i in (index, index + 1)
            )
            # Of the batch of this process, over all of which the gradients become means.
            share = (end - start) * self.group.size / config.batch_size
            with autocast(state.generator.device, state.precision):
                losses = self.task.losses(self.model, batch.micro_batch(index, portions))
            torch.autograd.backward(losses["loss"] * share)
            for name, value in losses.items():
                part = value.detach() * share
                total[name] = total[name] + part if name in total else part
        return total

    def _judge(self, norm: Tensor) -> Tensor:
        """1 for a step to leave out, else 0, told and counted without asking the device."""
        state = self.state
        known = state.step - state.learnt_from
        ceiling = state.norm * SPIKE_FACTOR if known > _SETTLED else torch.full_like(norm, 1e30)
        bad = (~torch.isfinite(norm) | (norm > ceiling)).float()
        limited = torch.nan_to_num(norm, nan=0.0, posinf=0.0).clamp(max=ceiling)
        limited = torch.where(torch.isfinite(norm), limited, state.norm)
        weight = max(0.02, 1 / (known + 1))
        state.norm.lerp_(limited, weight)
        state.skipped += bad
        return bad

    def fit_micro_batches(self) -> None:
        """Take no more parts than a batch has pictures, which may be fewer than it had."""
        self.parts = min(self.parts, self.config.batch_size // self.group.size)

    def _part_more(self) -> None:
        """Take the batch in about twice as many parts from here on."""
        mine = self.config.batch_size // self.group.size
        if self.group.size > 1:
            # One alone can't take more parts: the others wait for its gradients part by part.
            raise TrainingError(
                "Memory ran out, and several processes can't make their parts of a batch smaller "
                f"while they run; use a --batch of less than {self.config.batch_size}."
            )
        if self.parts == mine:
            raise TrainingError(
                "Not even one face at a time fits into memory; use a smaller preset or resolution."
            )
        self.parts = min(2 * self.parts, mine)
        self.state.optimiser.zero_grad(set_to_none=True)
        release_memory()
        self.notices.append(
            Notice(
                message=f"Out of memory: each batch of {self.config.batch_size} is now taken in "
                f"{self.parts} parts; the result stays the same."
            )
        )
