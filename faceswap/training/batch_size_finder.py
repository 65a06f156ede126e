"""Batch size finder: by trial on a GPU, by throughput on a CPU."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from faceswap.devices import autocast
from faceswap.driver import forward
from faceswap.errors import TrainingError
from faceswap.events import Event, Notice, Progress
from faceswap.training.memory import (
    free_device_memory,
    free_memory,
    ran_out_of_memory,
    release_memory,
    used_memory,
)
from faceswap.training.memory_estimate import saved_activation_bytes
from faceswap.training.step import TrainStepper

MAX_BATCH = 512
_SPARE = 1 / 8  # of what fits on a GPU: for evaluation, previews and what is allocated later
_GAIN = 1.05  # smallest gain in throughput that is worth twice the memory

Trial = Callable[[int], float]
"""Seconds of a step at a batch size; raises torch.OutOfMemoryError where it does not fit."""


def find_batch_size(stepper: TrainStepper) -> Generator[Event, None, int]:
    """Find the batch size for this model and device; the training state does not change.

    On a GPU the largest that fits, by trial from an estimate, less an eighth; on a CPU, where
    memory is rarely the limit, the smallest that is about as fast as any. Raises TrainingError
    when not even one picture fits.
    """
    state, device = stepper.state, stepper.state.generator.device
    before = state.snapshot()
    try:
        fixed, per_sample = _saved_bytes_if_known(stepper)
        state.restore(before)
        if device.type == "cpu":
            search = fastest_batch_size(
                lambda n: _seconds(stepper, n), lambda: used_memory(device), _usable_memory
            )
        else:
            first = estimated_batch_size(fixed, per_sample, free_device_memory(device))
            search = largest_batch_size(lambda n: _seconds(stepper, n), first=first)

        def tried(count: int) -> Iterator[Event]:
            state.restore(before)
            yield Progress(stage="find batch", done=count, unit=stepper.config.unit_name)

        batch = yield from forward(search, tried)
        if device.type != "cpu":
            batch -= int(batch * _SPARE)
    finally:
        state.restore(before)
        stepper.reset_sums()
    kept = (fixed + per_sample * batch) / 2**20
    memory = f"; its activations take {kept:,.0f} MiB" if per_sample else ""
    yield Notice(message=f"The batch size is {batch} {stepper.config.unit_name}{memory}.")
    return batch


def _saved_bytes_if_known(stepper: TrainStepper) -> tuple[int, int]:
    """As ``saved_bytes_per_sample``; zeros where a batch of two does not fit."""
    try:
        return saved_bytes_per_sample(stepper)
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
    release_memory()
    return 0, 0


def saved_bytes_per_sample(stepper: TrainStepper) -> tuple[int, int]:
    """Bytes saved for the backward pass: independent of the batch size, and per sample.

    Measured by forward passes of one and of two samples.
    """
    state, task = stepper.state, stepper.task
    weights = list(state.model.parameters())

    def kept(count: int) -> int:
        batch = task.batch(count, state.generator, 0.0)

        def forward() -> Tensor:
            with autocast(state.generator.device, state.precision):
                return task.losses(state.model, batch)["loss"]

        return saved_activation_bytes(forward, weights)

    one, two = kept(1), kept(2)
    return 2 * one - two, two - one


def estimated_batch_size(fixed: int, per_sample: int, free: int, most: int = MAX_BATCH) -> int:
    """Power of two that should fit into ``free`` bytes.

    Gradients and library buffers of the backward pass are estimated as half as much as the saved
    activations.
    """
    if per_sample <= 0:
        return 1
    room = (free * 2 // 3 - fixed) // per_sample
    return int(2 ** (min(most, max(1, room)).bit_length() - 1))


def largest_batch_size(
    trial: Trial, most: int = MAX_BATCH, first: int = 1
) -> Generator[int, None, int]:
    """Largest batch size up to ``most`` that fits, by bisection to about a sixteenth.

    first: the size to start at. Yields each size tried. Raises TrainingError when not even 1
    fits.
    """
    fits, fails = 0, most + 1
    size = first
    while fits < size < fails:
        if _fits(trial, size):
            fits = size
        else:
            fails = size
        yield size
        size = min(2 * fits, most) if fails > most else (fits + fails) // 2
        if fails <= most and fails - fits <= max(1, fits // 16):
            break
    if not fits:
        raise TrainingError(
            "Not even one face at a time fits into memory; use a smaller preset or resolution."
        )
    return fits


def fastest_batch_size(
    trial: Trial,
    used: Callable[[], int],
    room: Callable[[], int],
    most: int = MAX_BATCH,
) -> Generator[int, None, int]:
    """Smallest batch size whose throughput is within 5 % of the best measured.

    used: bytes that the process takes. room: bytes still free; memory growth is
    extrapolated from the last doubling. Yields each size tried. Raises TrainingError when not
    even 1 fits.
    """
    speeds: dict[int, float] = {}
    size, grown = 1, 0
    while size <= most:
        if 2 * grown > room():
            break
        already = used()
        try:
            seconds = trial(size)
        except torch.OutOfMemoryError:
            break
        grown = max(0, used() - already)
        best = max(speeds.values(), default=0.0)
        speeds[size] = size / seconds
        yield size
        if len(speeds) > 3 and speeds[size] < best / _GAIN:
            break
        if len(speeds) > 4 and max(list(speeds.values())[-2:]) < best * _GAIN:
            break
        size *= 2
    if not speeds:
        raise TrainingError(
            "Not even one face at a time fits into memory; use a smaller preset or resolution."
        )
    enough = max(speeds.values()) / _GAIN
    return next(count for count, speed in speeds.items() if speed >= enough)


def _fits(trial: Trial, size: int) -> bool:
    try:
        trial(size)
    except torch.OutOfMemoryError:
        return False
    return True


def _seconds(stepper: TrainStepper, size: int, steps: int = 2) -> float:
    """Seconds of the fastest of ``steps`` steps with a batch of ``size``, after a warm-up step."""
    trial = TrainStepper(
        stepper.task, stepper.state, replace(stepper.config, batch_size=size), stepper.group
    )
    best = float("inf")
    try:
        for number in range(steps + 1):
            started = time.perf_counter()
            trial.train_step(0.0, None)
            float(trial.state.norm)  # synchronises with the device
            if number:
                best = min(best, time.perf_counter() - started)
    except TrainingError:  # out of memory even in micro-batches of one
        trial.micro_batches = 2
    if stepper.state.generator.device.type == "cuda":
        torch.cuda.empty_cache()
    if trial.micro_batches > 1:
        raise torch.OutOfMemoryError(f"out of memory with {size}")
    return best


def _usable_memory() -> int:
    return free_memory() * 3 // 4
