"""Compiling the model where that makes its steps faster."""

import time
import warnings
from collections.abc import Generator

import torch

from faceswap.events import Event, Notice, Progress
from faceswap.training.step import TrainStepper

_WORTH = 1.05  # times faster, to make up for what compiling itself takes
_STEPS = 10
_MINUTES = 20.0  # a shorter run is over before compiling has paid


def choose_compilation(stepper: TrainStepper) -> Generator[Event, None, None]:
    """Let ``stepper`` use a compiled model, as its config's ``compile`` says.

    auto: on a graphics card, in a run that is not short, whichever is measured to be faster.
    Where the compiler fails, training goes on without and a Notice says why. The state is
    afterwards what it was.
    """
    config, state = stepper.config, stepper.state
    device = state.generator.device
    # A short run, or one of several processes that could decide differently, is left alone.
    short = config.minutes is not None and config.minutes < _MINUTES
    measured = config.compile == "auto" and device.type == "cuda" and not short
    if config.compile != "on" and not (measured and stepper.group.size == 1):
        return
    yield Progress(stage="compile", done=0, unit="steps")
    plain = stepper.model
    before = state.snapshot()
    try:
        plainly = _seconds(stepper, _STEPS) if config.compile == "auto" else float("inf")
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
            yield Notice(message=f"The model can't be compiled here and isn't: {reason}")
            return
        if seconds * _WORTH > plainly:
            stepper.model = plain
            yield Notice(message="The model is not compiled: that would not make it faster.")
    finally:
        state.restore(before)
        stepper.reset_sums()


def compile_model(model: torch.nn.Module, backend: str = "inductor") -> torch.nn.Module:
    """``model`` compiled at its first call, sharing its weights."""
    made: torch.nn.Module = torch.compile(model, backend=backend, dynamic=False)  # type: ignore[assignment]
    return made


def _seconds(stepper: TrainStepper, steps: int) -> float:
    """Time of a step, the first ``steps`` of twice as many left out."""
    with warnings.catch_warnings():
        # The compiler's advice is for those who write models.
        warnings.simplefilter("ignore")
        for number in range(2 * steps):
            if number == steps:
                float(stepper.state.norm)  # waits for the device
                started = time.perf_counter()
            stepper.train_step(0.0, None)
        float(stepper.state.norm)
    return (time.perf_counter() - started) / steps
