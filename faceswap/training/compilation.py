"""torch.compile, where it makes training faster."""

import time
import warnings
from collections.abc import Generator

import torch

from faceswap.events import Event, Notice, Progress
from faceswap.training.step import TrainStepper

_WORTH = 1.05  # smallest speed-up that makes up for the time of compiling
_STEPS = 10
_MINUTES = 20.0  # in a shorter run compiling does not pay off


def choose_compilation(stepper: TrainStepper) -> Generator[Event, None, None]:
    """Compile the model of ``stepper``, as its config's ``compile`` says.

    auto: on a GPU, in a run that is not short, if it is measured to be faster. Where the compiler
    fails, training goes on without it, and a Notice says why. The training state does not change.
    """
    config, state = stepper.config, stepper.state
    device = state.generator.device
    # Not in a short run, nor with several processes, which could decide differently.
    short = config.minutes is not None and config.minutes < _MINUTES
    measured = config.compile == "auto" and device.type == "cuda" and not short
    if config.compile != "on" and not (measured and stepper.group.size == 1):
        return
    yield Progress(stage="compile", done=0, unit="steps")
    plain = stepper.model
    before = state.snapshot()
    try:
        plain_seconds = _seconds(stepper, _STEPS) if config.compile == "auto" else float("inf")
        stepper.model = compile_model(plain)
        try:
            seconds = _seconds(stepper, _STEPS if config.compile == "auto" else 1)
        except (
            RuntimeError,
            OSError,
            ImportError,
        ) as error:  # torch._dynamo's errors are RuntimeErrors
            stepper.model = plain
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            yield Notice(
                message=f"Training goes on without compiling the model, which failed: {reason}"
            )
            return
        if seconds * _WORTH > plain_seconds:
            stepper.model = plain
            yield Notice(message="The model is not compiled, as that would not make it faster.")
    finally:
        state.restore(before)
        stepper.reset_sums()


def compile_model(model: torch.nn.Module, backend: str = "inductor") -> torch.nn.Module:
    """``model`` compiled by torch.compile (at its first call), with shared weights."""
    made: torch.nn.Module = torch.compile(model, backend=backend, dynamic=False)  # type: ignore[assignment]
    return made


def _seconds(stepper: TrainStepper, steps: int) -> float:
    """Mean seconds of a step over ``steps`` steps, after as many to warm up."""
    with warnings.catch_warnings():
        # The compiler's warnings are for developers.
        warnings.simplefilter("ignore")
        for number in range(2 * steps):
            if number == steps:
                float(stepper.state.norm)  # synchronises with the device
                started = time.perf_counter()
            stepper.train_step(0.0, None)
        float(stepper.state.norm)
    return (time.perf_counter() - started) / steps
