"""Check a device's results against the CPU's: the same models and batches on both."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode

from benchmarks._apart import Found, Row
from benchmarks._device_forms import stepper_of
from benchmarks._device_plan import Plan, guarded
from benchmarks._measuring import model_config
from faceswap.devices import autocast, fastest_precision
from faceswap.swap.model.presets import KIND, SwapConfig
from faceswap.swap.training.face_set import read_face_sets
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.checkpoint import read_checkpoint, write_checkpoint
from faceswap.training.learning_rate_schedule import learning_rate_factor
from faceswap.training.performance import configure_device
from faceswap.training.step import TrainStepper

TITLE = "Right: the device against the processor"
CPU = torch.device("cpu")

# Tolerances, relative errors: about a hundred times the differences measured between two sets of
# kernels on one CPU, which sum in another order, and far below those of errors: a flipped kernel,
# a dropped bias or a sum in half precision gives 1e-2 and more, and more in gradients.
FORWARD = 1e-4
"""Outputs and losses in float32; measured 1e-6."""
BACKWARD = 1e-2
"""Gradients in float32; measured 1e-5 to 4e-4."""
STEP = 0.2
"""Weight change of the first step; measured 6e-4 to 2e-2. Adam's first step is the gradient's sign,
which rounding decides for near-zero gradients."""
HALF = 3e-2
"""Outputs in bfloat16, with a resolution of 4e-3, after twenty layers; measured 3e-3."""
CURVE = 5e-2
"""Losses of N steps during learning-rate warm-up: differences grow from step to step, also by
Adam's signs."""
FACES = 0.15
"""Share of a batch's faces that may be different ones, or differ by ``SAME``: of two equally near
partners either may be chosen."""
SAME = 1e-3
"""Difference of a face: rounding of sampling coordinates shows at edges."""
STEPS = 12
_BATCH = 2
_PROGRESS = 0.3  # of a run: the random warp has its full strength


def checks(plan: Plan) -> Iterator[Found]:
    """Compare all checked models; a row per comparison, or for a model that fails."""
    device = torch.device(plan.device)
    exactly(device)
    for number, name in enumerate(plan.checked):
        config = plan.narrowed(model_config(name))
        part = f"right, {plan.name(config)}"
        yield from guarded(part, device, partial(compared, plan, config, device))
        if number == 0:
            part = f"checkpoints, {plan.name(config)}"
            yield from guarded(part, device, partial(resumed, plan, config, device))


def exactly(device: torch.device) -> None:
    """Disable TF32 and non-deterministic kernels."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # for deterministic cuBLAS
    configure_device(device)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


def compared(plan: Plan, config: SwapConfig, device: torch.device) -> Iterator[Found]:
    """Compare batch, forward and backward pass, weight change of a step, and losses of N steps."""
    there, here = _steppers(plan, config, device)
    name = plan.name(config)
    yield _told(name, "faces of a batch that differ, share", _batches(there, here), FACES)
    yield from _passes(name, there, here)
    if fastest_precision(device) == "bf16":
        part = f"{name}, bfloat16"
        yield from guarded(part, device, partial(_halves, name, there, here))
    before = [p.detach().cpu().clone() for p in here.state.parameters.values()]
    curves = [[_loss(stepper)] for stepper in (there, here)]
    after = [
        [p.detach().cpu() - b for p, b in zip(s.state.parameters.values(), before, strict=True)]
        for s in (there, here)
    ]
    yield _told(name, "change of the weights in one step", _error(*after), STEP)
    steps = 4 if plan.reduced else STEPS
    for _ in range(steps - 1):
        for curve, stepper in zip(curves, (there, here), strict=True):
            curve.append(_loss(stepper))
    losses = [torch.stack(curve).cpu() for curve in curves]
    worst = float(((losses[0] - losses[1]).abs() / losses[1].abs()).max())
    yield _told(name, f"losses of {steps} steps, the worst", worst, CURVE)


def resumed(plan: Plan, config: SwapConfig, device: torch.device) -> Iterator[Found]:
    """Compare losses after resuming on one device a checkpoint of the other."""
    there, here = _steppers(plan, config, device)
    name = plan.name(config)
    for stepper in (there, here):
        _loss(stepper)
    yield _told(name, "next loss, saved there and resumed here", _resumed(there, here), FORWARD)
    yield _told(name, "next loss, saved here and resumed there", _resumed(here, there), FORWARD)


def _told(model: str, what: str, error: float, allowed: float) -> Found:
    held = "yes" if error <= allowed else "NO"  # also for NaN
    row: Row = {"model": model, "what": what, "error": error, "allowed": allowed, "held": held}
    return Found(TITLE, [row])


def _error(there: Sequence[Tensor], here: Sequence[Tensor]) -> float:
    """Relative error of all tensors as one vector: ‖there − here‖ / ‖here‖."""
    a, b = (
        torch.cat([x.detach().cpu().double().flatten() for x in part]) for part in (there, here)
    )
    return float((a - b).norm() / b.norm())


class _SameDraws(TorchFunctionMode):
    """Draw all random numbers on the CPU from one generator, then move them to the device."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        given = kwargs.get("generator")
        if not isinstance(given, Generator):
            return func(*args, **kwargs)
        kwargs["generator"] = self._generator
        if "device" in kwargs:
            kwargs["device"] = CPU
        onto = [x.cpu() if isinstance(x, Tensor) else x for x in args]
        return func(*onto, **kwargs).to(given.device)


def _batches(there: TrainStepper, here: TrainStepper) -> float:
    """Share of a batch's faces that differ when both devices use the same random numbers."""
    made = []
    for stepper in (there, here):
        device = stepper.state.generator.device
        with _SameDraws(torch.Generator().manual_seed(1)):
            made.append(_own(stepper).fresh(8, torch.Generator(device)))
    targets, wanted = (batch.targets.cpu() for batch in made)
    inputs, seen = (torch.cat([x.cpu() for x in batch.inputs.values()]) for batch in made)
    apart = torch.stack(
        [
            (a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)
            for a, b in ((targets, wanted), (inputs, seen))
        ]
    )
    return float((apart.amax(0) > SAME).float().mean())


def _passes(name: str, there: TrainStepper, here: TrainStepper) -> Iterator[Found]:
    """Compare outputs, losses and gradients of one batch."""
    found = [_pass(stepper, half=False) for stepper in (there, here)]
    pictures, losses, gradients = zip(*found, strict=True)
    yield _told(name, "pictures and masks", _error(*pictures), FORWARD)
    apart = {part: _error([losses[0][part]], [value]) for part, value in losses[1].items()}
    worst = max(apart, key=apart.__getitem__)
    yield _told(name, f"losses, the worst: {worst}", apart[worst], FORWARD)
    yield _told(name, "gradients", _error(*gradients), BACKWARD)


def _halves(name: str, there: TrainStepper, here: TrainStepper) -> Iterator[Found]:
    """Compare the device's outputs in bfloat16 with the CPU's in float32."""
    (halved, _, _), (whole, _, _) = _pass(there, half=True), _pass(here, half=False)
    yield _told(name, "pictures and masks in bfloat16", _error(halved, whole), HALF)


def _pass(
    stepper: TrainStepper, half: bool
) -> tuple[list[Tensor], dict[str, Tensor], list[Tensor]]:
    """Outputs, losses and gradients of a forward and backward pass."""
    state, task = stepper.state, stepper.task
    batch = _own(stepper).at(0)
    with autocast(state.generator.device, "bf16" if half else "fp32"):
        made = [
            x for pair in state.model(batch.inputs, batch.latent_swapped).values() for x in pair
        ]
        losses = task.losses(state.model, batch)
    torch.autograd.backward(losses["loss"])
    gradients = [p.grad.clone() for p in state.parameters.values() if p.grad is not None]
    state.optimiser.zero_grad(set_to_none=True)
    return [x.detach() for x in made if x is not None], losses, gradients


def _resumed(saved: TrainStepper, into: TrainStepper) -> float:
    """Relative error of the next loss after ``into`` resumed the checkpoint of ``saved``."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "step-000000001.safetensors"
        state = saved.state
        write_checkpoint(path, KIND, {}, state.metadata(), state.tensors())
        into.state.restore(read_checkpoint(path))
    _own(into).number = _own(saved).number
    return _error([_loss(into)], [_loss(saved)])


def _loss(stepper: TrainStepper) -> Tensor:
    """Loss of a training step, at the learning rate of that step in a run."""
    factor = learning_rate_factor(stepper.state.step, stepper.config.warmup, _PROGRESS)
    return stepper.train_step(factor, _PROGRESS)["loss"]


class _Fixed(SwapTask):
    """Training task with fixed batches, in the same order on every device."""

    number = 0
    fixed: Sequence[SwapBatch] = ()

    def at(self, number: int) -> SwapBatch:
        """Batch ``number``, modulo their count."""
        return self.fixed[number % len(self.fixed)]

    def fresh(self, count: int, generator: Generator) -> SwapBatch:
        """A newly drawn batch."""
        return super().batch(count, generator, _PROGRESS)

    def batch(self, count: int, generator: Generator, progress: float) -> SwapBatch:
        """The next fixed batch."""
        self.number += 1
        return self.at(self.number)


def _steppers(
    plan: Plan, config: SwapConfig, device: torch.device
) -> tuple[TrainStepper, TrainStepper]:
    """The same stepper in float32 on ``device`` and on the CPU, with batches drawn on the CPU."""
    sides = read_face_sets(Path(plan.faces), config.resolution)
    there, here = (
        stepper_of(config, sides, _BATCH, "fp32", where, _Fixed) for where in (device, CPU)
    )
    generator = torch.Generator().manual_seed(2)
    drawn = [_own(here).fresh(_BATCH, generator) for _ in range(4)]
    for stepper, where in ((there, device), (here, CPU)):
        _own(stepper).fixed = [_moved(batch, where) for batch in drawn]
    return there, here


def _own(stepper: TrainStepper) -> _Fixed:
    assert isinstance(stepper.task, _Fixed)
    return stepper.task


def _moved(batch: SwapBatch, device: torch.device) -> SwapBatch:
    moved = {name: getattr(batch, name).to(device) for name in ("targets", "maps", "is_real")}
    swapped = None if batch.latent_swapped is None else batch.latent_swapped.to(device)
    inputs = {side: x.to(device) for side, x in batch.inputs.items()}
    return replace(batch, inputs=inputs, latent_swapped=swapped, **moved)
