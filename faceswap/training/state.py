"""All that changes while a model trains, and how it goes into a checkpoint and back."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from faceswap.device_support import to_device
from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import Checkpoint, named_weights
from faceswap.training.loss_statistics import LossStatistics
from faceswap.training.optimisers import OptimiserName, make_optimiser, state_device
from faceswap.training.precision import Precision

Compile = Literal["auto", "on", "off"]


class AuxiliaryModel(Protocol):
    """Something that learns beside the model, by gradients of the same losses."""

    def zero_grad(self) -> None:
        """Forget the gradients of the last step."""

    def step(self, bad: Tensor) -> None:
        """One optimiser step from the gradients there are, left out where ``bad`` is 1."""

    def tensors(self) -> dict[str, Tensor]:
        """All of its state."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Become what ``tensors()`` gave."""


@dataclass(frozen=True)
class LoopConfig:
    """How to train; what the task is, is the task's own matter.

    steps: train until this step of the run. minutes: train for so long. With neither, to the end
    of what was asked for before and broken off (see training_budget.py), or else until stopped, at
    a steady rate; endless: until stopped, whatever was asked for before. batch_size: pictures a
    step, as the task counts them. learning_rate: the full one. warmup: steps until it is reached.
    gradient_clip: largest norm of the gradient. ema_decay: share of the averaged weights that a
    step keeps, at most. precision: None
    takes the fastest. compile: whether the model is compiled; auto measures that on a graphics
    card. *_seconds: how often to look, save and show; save_steps saves by step besides. keep: so
    many of the last saves. snapshot_*: every so many hours of training or steps a save is kept for
    good. measure: name of the task's measure that is larger the better the model is; the best save
    by it is kept besides. noun and per_unit: what a batch counts, and how many of them one unit of
    it stands for.
    """

    steps: int | None = None
    minutes: float | None = None
    endless: bool = False
    batch_size: int = 16
    optimiser: OptimiserName = "adamw"
    learning_rate: float = 1e-3
    warmup: int = 50
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    precision: Precision | None = None
    compile: Compile = "off"
    report_steps: int = 20
    preview_seconds: float = 60.0
    save_seconds: float = 300.0
    save_steps: int | None = None
    keep_checkpoints: int = 3
    snapshot_hours: float | None = None
    snapshot_steps: int | None = None
    measure: str | None = None
    unit_name: str = "pictures"
    samples_per_item: int = 1


class TrainingState:
    """Model, averaged weights, optimiser, random numbers and counters of one run.

    step: optimiser steps done. seconds: spent on them. skipped: steps left out as not finite or
    exploding. rate_scale: halved at each rollback, the last of which went back to step set_back.
    norm: running mean of the gradient's norm, level: that of the losses, both learnt since the
    step learnt_from. good: the last step at which the run was seen to do well.
    notes: what the run was begun with and has found out, JSON values kept in its checkpoints.
    companion: what learns beside the model, if anything does.
    """

    def __init__(
        self,
        model: nn.Module,
        config: LoopConfig,
        precision: Precision,
        device: torch.device,
        companion: AuxiliaryModel | None = None,
    ) -> None:
        self.model = to_device(model, device).train()
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.optimiser: Optimizer = make_optimiser(
            config.optimiser, self.parameters.values(), config.learning_rate
        )
        self._seed = config.seed
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.precision = precision
        self._asked_precision = config.precision
        self.companion = companion
        self.notes: dict[str, Any] = {}
        self.step = 0
        self.seconds = 0.0
        self.rate_scale = 1.0
        self.set_back = self.learnt_from = self.good = 0
        self.level = LossStatistics()
        self.skipped = torch.zeros((), device=device)
        self.norm = torch.zeros((), device=device)

    def metadata(self) -> dict[str, Any]:
        """The counters, as JSON values."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "rate_scale": self.rate_scale,
            "set_back": self.set_back,
            "learnt_from": self.learnt_from,
            "good": self.good,
            "level": self.level.as_dict(),
            "precision": self.precision,
            "optimiser": type(self.optimiser).__name__,
            "notes": dict(self.notes),
        }

    def tensors(self) -> dict[str, Tensor]:
        """Everything that is a tensor, by its name in the checkpoint."""
        named = dict(named_weights(self.model, "model"))
        named.update(named_weights(self.averaged, "ema"))
        for name, parameter in self.parameters.items():
            for key, value in self.optimiser.state.get(parameter, {}).items():
                named[f"optimiser/{name}/{key}"] = value
        named["state/generator"] = self.generator.get_state()
        named["state/skipped"] = self.skipped
        named["state/norm"] = self.norm
        if self.companion is not None:
            for name, value in self.companion.tensors().items():
                named[f"companion/{name}"] = value
        return named

    def snapshot(self) -> Checkpoint:
        """A copy of everything, for ``restore`` to come back to after a trial."""
        tensors = {name: value.detach().clone() for name, value in self.tensors().items()}
        return Checkpoint(Path("trial"), "", {}, self.metadata(), tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become what ``checkpoint`` holds.

        Raises CheckpointError when it is of another architecture or optimiser; the state may
        then be half changed and must not be used.
        """
        numbers = checkpoint.metadata
        mine = type(self.optimiser).__name__
        if numbers["optimiser"] != mine:
            raise CheckpointError(
                f"The run was trained with {numbers['optimiser']}, not {mine}; an optimiser "
                "can't be changed in the middle of a run: begin a new one with --run."
            )
        try:
            self.model.load_state_dict(checkpoint.tensors_under("model"))
            self.averaged.load_state_dict(checkpoint.tensors_under("ema"))
        except RuntimeError as error:
            raise CheckpointError(
                f"{checkpoint.path} holds another architecture than this run's."
            ) from error
        self.optimiser.state.clear()
        for name, value in checkpoint.tensors_under("optimiser").items():
            parameter_name, _, key = name.rpartition("/")
            parameter = self.parameters.get(parameter_name)
            if parameter is None:
                continue  # frozen since
            like = parameter if value.shape == parameter.shape else value
            self.optimiser.state[parameter][key] = torch.empty_like(
                like, dtype=value.dtype, device=state_device(self.optimiser, parameter, key)
            ).copy_(value)
        state = checkpoint.tensors_under("state")
        self._draw_on(state["generator"], int(numbers["step"]))
        self.skipped.copy_(state["skipped"])
        self.norm.copy_(state["norm"])
        self.step = int(numbers["step"])
        self.seconds = float(numbers["seconds"])
        self.rate_scale = float(numbers["rate_scale"])
        self.set_back = int(numbers.get("set_back", 0))
        self.learnt_from = int(numbers.get("learnt_from", 0))
        self.good = int(numbers.get("good", self.step))
        self.level = LossStatistics.from_dict(numbers.get("level", {}))
        self.notes = dict(numbers.get("notes", {}))
        # Asked for by name, it counts; else the run stays exact on another machine too.
        self.precision = self._asked_precision or numbers["precision"]
        companion = checkpoint.tensors_under("companion")
        if self.companion is not None and companion:
            self.companion.restore(companion)

    def _draw_on(self, saved: Tensor, step: int) -> None:
        """Let the generator go on as it was saved at ``step``.

        Each kind of device draws in its own way and keeps another state. A run that was saved on
        another kind begins a new stream, the same one each time.
        """
        if saved.shape == self.generator.get_state().shape:
            self.generator.set_state(saved)
        else:
            self.generator.manual_seed(self._seed + step)

    def reset_loss_statistics(self) -> None:
        """Forget what size gradients and losses have: they are of something else from now on."""
        self.learnt_from = self.step
        self.norm.zero_()
        self.level = LossStatistics()
