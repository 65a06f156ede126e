"""Finding how many pictures to take at a time."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace

import torch
from torch import Tensor

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
from faceswap.training.precision import autocast
from faceswap.training.step import TrainStepper

MAX_BATCH = 512
_SPARE = 1 / 8  # of what fits on a card, for measures, previews and what a run comes to need late
_GAIN = 1.05  # times the throughput, below which twice the batch is not worth its memory

Trial = Callable[[int], float]
"""Seconds of a step with a batch of that many; raises torch.OutOfMemoryError where none fits."""


def find_batch_size(stepper: TrainStepper) -> Generator[Event, None, int]:
    """The batch that suits this model and device; the state is afterwards what it was.

    On a graphics card the largest that fits, by trial, beginning with the one that is foretold to,
    less an eighth; on a processor, where memory is seldom what ends it, the smallest that is about
    as fast as any and leaves memory to others. Raises TrainingError when not even one picture
    fits.
    """
    state, device = stepper.state, stepper.state.generator.device
    before = state.snapshot()
    try:
        once, each = _kept_or_unknown(stepper)
        state.restore(before)
        if device.type == "cpu":
            search = fastest_batch_size(
                lambda n: _seconds(stepper, n), lambda: used_memory(device), _room
            )
        else:
            first = estimated_batch_size(once, each, free_device_memory(device))
            search = largest_batch_size(lambda n: _seconds(stepper, n), first=first)
        while True:
            try:
                count = next(search)
            except StopIteration as end:
                batch = int(end.value)
                if device.type != "cpu":
                    batch -= int(batch * _SPARE)
                break
            finally:
                state.restore(before)
            yield Progress(stage="find batch", done=count, unit=stepper.config.unit_name)
    finally:
        stepper.reset_sums()
    kept = (once + each * batch) / 2**20
    told = f"; a step keeps {kept:,.0f} MiB of what its layers make" if each else ""
    yield Notice(message=f"Training takes {batch} {stepper.config.unit_name} at a time{told}.")
    return batch


def _kept_or_unknown(stepper: TrainStepper) -> tuple[int, int]:
    """As ``saved_bytes_per_sample``; nothing where two do not fit, so that one is tried first."""
    try:
        return saved_bytes_per_sample(stepper)
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
    release_memory()
    return 0, 0


def saved_bytes_per_sample(stepper: TrainStepper) -> tuple[int, int]:
    """Bytes that a step keeps for its way back whatever the batch, and for each one of a batch.

    Told by the ways forward of a batch of one and of two, which fit where any training does.
    """
    state, task = stepper.state, stepper.task
    known = list(state.model.parameters())

    def kept(count: int) -> int:
        batch = task.batch(count, state.generator, 0.0)

        def forward() -> Tensor:
            with autocast(state.generator.device, state.precision):
                return task.losses(state.model, batch)["loss"]

        return saved_activation_bytes(forward, known)

    one, two = kept(1), kept(2)
    return 2 * one - two, two - one


def estimated_batch_size(once: int, each: int, free: int | None, most: int = MAX_BATCH) -> int:
    """The batch, a power of two, that should fit into ``free`` bytes; 1 where that is unknown.

    The way back makes gradients beside what was kept, and a library its own buffers: half as much
    again is allowed for both.
    """
    if free is None or each <= 0:
        return 1
    room = (free * 2 // 3 - once) // each
    return int(2 ** (min(most, max(1, room)).bit_length() - 1))


def largest_batch_size(
    trial: Trial, most: int = MAX_BATCH, first: int = 1
) -> Generator[int, None, int]:
    """The largest batch up to ``most`` that ``trial`` gets through, to about a sixteenth.

    first: the size to begin with. Yields each size tried. Raises TrainingError when not even 1
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
    room: Callable[[], int | None],
    most: int = MAX_BATCH,
) -> Generator[int, None, int]:
    """The smallest batch whose pictures per second are within 5 % of the best measured.

    used: bytes that the process takes. room: bytes that there still are, None where nobody
    knows; what twice the batch will take is foretold from what the last doubling took. Yields
    each size tried. Raises TrainingError when not even 1 fits.
    """
    speeds: dict[int, float] = {}
    size, grown = 1, 0
    while size <= most:
        free = room()
        if free is not None and 2 * grown > free:
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
    """Time of the fastest of some steps with ``size`` pictures, after one to warm up."""
    trial = TrainStepper(
        stepper.task, stepper.state, replace(stepper.config, batch_size=size), stepper.group
    )
    best = float("inf")
    try:
        for number in range(steps + 1):
            started = time.perf_counter()
            trial.train_step(0.0, None)
            float(trial.state.norm)  # waits for the device
            if number:
                best = min(best, time.perf_counter() - started)
    except TrainingError:  # the batch can't be parted any more, which it is when memory runs out
        trial.parts = 2
    if stepper.state.generator.device.type == "cuda":
        torch.cuda.empty_cache()
    if trial.parts > 1:
        raise torch.OutOfMemoryError(f"out of memory with {size}")
    return best


def _room() -> int | None:
    free = free_memory()
    return None if free is None else free * 3 // 4
