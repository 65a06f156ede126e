"""Training state and options, and how the state is saved to and restored from checkpoints."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from faceswap.device_support import to_device
from faceswap.devices import Precision
from faceswap.errors import CheckpointError
from faceswap.training.checkpoint import Checkpoint, named_weights
from faceswap.training.loss_statistics import LossStatistics
from faceswap.training.optimisers import OptimiserName, make_optimiser, state_device

Compile = Literal["auto", "on", "off"]


class AuxiliaryModel(Protocol):
    """A model trained beside the main one, by gradients of the same losses."""

    def zero_grad(self) -> None:
        """Free the gradients of the last step."""

    def step(self, bad: Tensor) -> None:
        """One optimiser step from the present gradients, skipped where ``bad`` is 1."""

    def tensors(self) -> dict[str, Tensor]:
        """The whole state, for the checkpoint."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore a state that ``tensors()`` returned."""


@dataclass(frozen=True)
class LoopConfig:
    """Options of the training loop that do not depend on the task.

    steps: train until this step of the run. minutes: train for this long. With neither, to the end
    of the budget of an earlier session (see training_budget.py), or else until stopped, at a
    constant learning rate; endless: until stopped, whatever the earlier budget. batch_size: items
    per step. learning_rate: the one after warm-up. warmup: number of steps. gradient_clip: largest
    gradient norm. ema_decay: upper limit of the EMA's decay. precision: None takes the fastest.
    compile: whether to compile the model; auto measures whether that is faster, on a GPU.
    report_steps: steps between reports. preview_seconds, save_seconds: seconds between previews
    and between checkpoints; save_steps: steps between further checkpoints. keep_checkpoints: how
    many of the newest to keep. snapshot_hours, snapshot_steps: hours of training or steps between
    snapshots. measure: the task's quality measure, larger is better; the best checkpoint by it is
    kept too. unit_name, samples_per_item: what is counted, and how many of it one item of a batch
    has.
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
    """Model, EMA weights, optimiser, random generator and counters of one run.

    step: optimiser steps done. seconds: time spent on them. skipped: steps skipped because the
    gradient was not finite or spiked. rate_scale: factor of the learning rate, halved at each roll
    back; set_back: the step of the last one. norm: running mean of the gradient norm,
    loss_statistics: of the losses, both since the step learnt_from. good: the last step with a
    healthy loss. notes: options and found values of the run, JSON values stored in its checkpoints.
    companion: auxiliary model, such as a discriminator.
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
        self.ema_model = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.optimiser: Optimizer = make_optimiser(
            config.optimiser, self.parameters.values(), config.learning_rate
        )
        self._seed = config.seed
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.precision = precision
        self._requested_precision = config.precision
        self.companion = companion
        self.notes: dict[str, Any] = {}
        self.step = 0
        self.seconds = 0.0
        self.rate_scale = 1.0
        self.set_back = self.learnt_from = self.good = 0
        self.loss_statistics = LossStatistics()
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
            "level": self.loss_statistics.as_dict(),
            "precision": self.precision,
            "optimiser": type(self.optimiser).__name__,
            "notes": dict(self.notes),
        }

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the state, by their names in the checkpoint."""
        named = dict(named_weights(self.model, "model"))
        named.update(named_weights(self.ema_model, "ema"))
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
        """A copy of the whole state in memory, to ``restore`` after a trial."""
        tensors = {name: value.detach().clone() for name, value in self.tensors().items()}
        return Checkpoint(Path("trial"), "", {}, self.metadata(), tensors)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore the state from ``checkpoint``.

        Raises CheckpointError when it is of another architecture or optimiser; the state may
        then be partly restored and must not be used.
        """
        numbers = checkpoint.metadata
        own_name = type(self.optimiser).__name__
        if numbers["optimiser"] != own_name:
            raise CheckpointError(
                f"The run was trained with {numbers['optimiser']}, not {own_name}; the optimizer "
                "of a run can't be changed: start a new run with --run."
            )
        try:
            self.model.load_state_dict(checkpoint.tensors_under("model"))
            self.ema_model.load_state_dict(checkpoint.tensors_under("ema"))
        except RuntimeError as error:
            raise CheckpointError(
                f"{checkpoint.path} has another architecture than this run."
            ) from error
        self.optimiser.state.clear()
        for name, value in checkpoint.tensors_under("optimiser").items():
            parameter_name, _, key = name.rpartition("/")
            parameter = self.parameters.get(parameter_name)
            if parameter is None:
                continue  # has been frozen since
            like = parameter if value.shape == parameter.shape else value
            self.optimiser.state[parameter][key] = torch.empty_like(
                like, dtype=value.dtype, device=state_device(self.optimiser, parameter, key)
            ).copy_(value)
        state = checkpoint.tensors_under("state")
        self._restore_generator(state["generator"], int(numbers["step"]))
        self.skipped.copy_(state["skipped"])
        self.norm.copy_(state["norm"])
        self.step = int(numbers["step"])
        self.seconds = float(numbers["seconds"])
        self.rate_scale = float(numbers["rate_scale"])
        self.set_back = int(numbers.get("set_back", 0))
        self.learnt_from = int(numbers.get("learnt_from", 0))
        self.good = int(numbers.get("good", self.step))
        self.loss_statistics = LossStatistics.from_dict(numbers.get("level", {}))
        self.notes = dict(numbers.get("notes", {}))
        # A requested precision wins; else the run keeps its own, to be the same on any machine.
        self.precision = self._requested_precision or numbers["precision"]
        companion = checkpoint.tensors_under("companion")
        if self.companion is not None and companion:
            self.companion.restore(companion)

    def _restore_generator(self, saved: Tensor, step: int) -> None:
        """Restore the random generator as it was saved at ``step``.

        Generator states differ between kinds of devices. A run that was saved on another kind is
        reseeded from seed and step, so that this is reproducible too.
        """
        if saved.shape == self.generator.get_state().shape:
            self.generator.set_state(saved)
        else:
            self.generator.manual_seed(self._seed + step)

    def reset_loss_statistics(self) -> None:
        """Reset the running gradient norm and loss statistics, after the objective changed."""
        self.learnt_from = self.step
        self.norm.zero_()
        self.loss_statistics = LossStatistics()
