"""One optimiser step, in the order of the mathematics."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from faceswap.errors import TrainingError
from faceswap.events import Notice
from faceswap.training.distributed import Group
from faceswap.training.memory import ran_out_of_memory
from faceswap.training.optimisers import average_, rate_factor, set_rate
from faceswap.training.precision import autocast
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.timing import Clock, Mark

SPIKE = 10.0
"""A gradient so many times its running mean is taken for an accident."""
_SETTLED = 50  # steps after which the running mean means something


class Batch(Protocol):
    """What a task draws at once."""

    def part(self, index: int, count: int) -> Any:
        """The ``index``-th of ``count`` equal portions."""


class Objective(Protocol):
    """What is minimised."""

    def batch(self, count: int, generator: torch.Generator, progress: float) -> Batch:
        """A random batch of ``count``, all chance from ``generator``; progress runs 0 to 1."""

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Named scalar losses of ``model``, called once; the one minimised is ``"loss"``."""


class Stepper:
    """Takes steps and counts what they cost.

    parts: in how many portions a batch is taken. sums: totals of the losses over the ``summed``
    steps since they were last looked at. notices: what the user should know.
    """

    def __init__(
        self,
        task: Objective,
        state: TrainingState,
        config: LoopConfig,
        group: Group = Group(),  # noqa: B008  (it is frozen)
    ) -> None:
        self.task, self.state, self.config, self.group = task, state, config, group
        self.model = group.wrapped(state.model)
        self.parts = 1
        self._clock = Clock(state.generator.device)
        self.notices: list[Notice] = []
        self.forget()

    def forget(self) -> None:
        """Begin the sums anew."""
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
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

    def step(self, progress: float | None) -> None:
        """One optimiser step on one batch, in as many parts as the memory demands."""
        factor = rate_factor(self.state.step, self.config.warmup, progress)
        self.take(factor * self.state.rate_scale, progress)

    def take(self, factor: float, progress: float | None) -> dict[str, Tensor]:
        """A step at ``factor`` times the full rate; its losses."""
        state, config = self.state, self.config
        started = self._clock.now()
        set_rate(state.optimiser, factor)
        losses = self._fitting_gradients(progress or 0.0)
        norm = nn.utils.clip_grad_norm_(state.parameters.values(), config.clip, foreach=True)
        bad = self._judge(norm)
        state.optimiser.found_inf = bad  # type: ignore[attr-defined]
        state.optimiser.step()
        if state.companion is not None:
            state.companion.step(bad)
        average_(state.averaged, state.model, state.step, config.decay)
        state.step += 1
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value
        self.summed += 1
        self._steps.append((started, self._clock.now()))
        return losses

    def _fitting_gradients(self, progress: float) -> dict[str, Tensor]:
        """As ``_gradients``, in smaller parts when memory runs out."""
        before = self.state.generator.get_state()
        while True:
            try:
                return self._gradients(progress)
            except RuntimeError as error:  # what PyTorch's out-of-memory error is as well
                if not ran_out_of_memory(error) or self.group.size > 1:
                    raise
            # Outside of the handler, whose traceback would keep the tensors alive.
            self._halve(before)

    def _gradients(self, progress: float) -> dict[str, Tensor]:
        """Fill the gradients from one batch; the losses, detached, as means over its parts."""
        state, config = self.state, self.config
        state.optimiser.zero_grad(set_to_none=True)
        if state.companion is not None:
            state.companion.zero_grad()
        total: dict[str, Tensor] = {}
        started = self._clock.now()
        batch = self.task.batch(config.batch, state.generator, progress)
        self._batches.append((started, self._clock.now()))
        portions = self.parts * self.group.size
        for number in range(self.parts):
            portion = batch.part(self.group.rank * self.parts + number, portions)
            with autocast(state.generator.device, state.precision):
                losses = self.task.losses(self.model, portion)
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
        self.notices.append(
            Notice(
                message=f"Out of memory: each batch of {self.config.batch} is now taken in "
                f"{self.parts} parts; the result stays the same."
            )
        )
