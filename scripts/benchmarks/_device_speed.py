"""Training and swapping speed of a model on a device, in each form, and a profile."""

import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._apart import Found, Row
from benchmarks._device_forms import (
    COMPILED,
    EAGER,
    GRAPHS,
    LAST,
    PROGRESS,
    Form,
    Replayed,
    Stepped,
    prepared,
    stepper_of,
)
from benchmarks._device_layers import layers
from benchmarks._device_plan import DONE, LAYERS, Plan, guarded, left_out
from benchmarks._measuring import Timed, model_config, seconds_of, timed, wait
from faceswap.devices import autocast
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.face_set import read_face_sets
from faceswap.swap.training.model_stats import step_memory
from faceswap.training.memory import used_memory
from faceswap.training.performance import configure_device
from faceswap.training.step import TrainStepper

SPEED, SWAPS = "Training", "Swapping, without reading, blending and writing"


def warm(plan: Plan, name: str, threads: int) -> Iterator[Found]:
    """Fill the compiler's disk cache for ``measure``; yields no results."""
    import torch._inductor.config as inductor

    inductor.compile_threads = threads
    device = torch.device(plan.device)
    configure_device(device)
    stepper = _stepper(plan, plan.narrowed(model_config(name)), device)
    prepared(COMPILED, stepper)
    Stepped(COMPILED, stepper, plan.warming)
    wait(device)
    yield from ()


def measure(plan: Plan, names: Sequence[str], rate: float) -> Iterator[Found]:
    """Measure each model; a row of ``DONE`` after the last result of each.

    A part that fails is reported and the next goes on. rate: FLOP per second of matrix products in
    the training precision.
    """
    device = torch.device(plan.device)
    configure_device(device)
    warnings.simplefilter("ignore")  # the compiler's advice to authors of models
    for name in names:
        config = plan.narrowed(model_config(name))
        text = plan.name(config)
        yield from guarded(f"{text}, swapping", device, partial(_swaps, plan, config, device))
        yield from guarded(text, device, partial(measured, plan, config, rate))
        if name == LAYERS:
            yield from guarded(f"{text}, layers alone", device, partial(layers, plan, config, rate))
        yield Found(DONE, [{"part": name}])


def measured(plan: Plan, config: SwapConfig, rate: float) -> Iterator[Found]:
    """Measure a model's training speed in each form."""
    device = torch.device(plan.device)
    _tidy(device)
    course = _Course(plan, config, device, rate)
    for form in (LAST, COMPILED, EAGER):  # the least informative last
        if form == COMPILED and not plan.compiles(config):
            yield left_out(
                f"{plan.name(config)}, {form}", "a processor takes minutes to compile it"
            )
            continue
        if form == COMPILED and plan.reduced:
            name = f"{plan.name(config)}, making code"
            yield left_out(name, "a processor takes minutes; its model is traced and no more")
        yield from course.kind(form)
    _tidy(device)


def _stepper(plan: Plan, config: SwapConfig, device: torch.device) -> TrainStepper:
    sides = read_face_sets(Path(plan.faces), config.resolution)
    return stepper_of(config, sides, plan.batch(config), plan.precision, device)


def _flops(stepper: TrainStepper, device: torch.device) -> float:
    """FLOP of a forward and backward pass on a batch."""
    task, state = stepper.task, stepper.state
    batch = task.batch(stepper.config.batch_size, state.generator, PROGRESS)
    with FlopCounterMode(display=False) as counter:
        with autocast(device, state.precision):
            loss = task.losses(stepper.model, batch)["loss"]
        torch.autograd.backward(loss)
    return float(counter.get_total_flops())


class _Course:
    """Training measurements of one model."""

    def __init__(self, plan: Plan, config: SwapConfig, device: torch.device, rate: float) -> None:
        self._plan, self._config, self._device = plan, config, device
        self._least = _flops(_stepper(plan, config, device), device) / rate
        self._foretold = step_memory(config, plan.batch(config), plan.precision).peak / 2**20
        self._seconds: dict[str, float] = {}

    def kind(self, name: str) -> Iterator[Found]:
        """Measure a form, and its CUDA graph if it has one."""
        _tidy(self._device)
        stepper = _stepper(self._plan, self._config, self._device)

        def plainly() -> Form:
            prepared(name, stepper)
            return Stepped(name, stepper, self._plan.warming)

        yield from self._one(name, plainly, stepper)
        graph = GRAPHS.get(name)
        if graph is None:
            return
        if self._device.type != "cuda":
            yield left_out(self._part(graph), "only a graphics card has it")
            return
        torch.cuda.reset_peak_memory_stats(self._device)
        yield from self._one(graph, lambda: Replayed(graph, stepper), stepper)

    def _one(self, name: str, make: Callable[[], Form], stepper: TrainStepper) -> Iterator[Found]:
        """Measure one form of ``stepper``; profile it if it is the fastest so far."""
        plan, device = self._plan, self._device
        forms: list[Form] = []

        def speed() -> Iterator[Found]:
            began = time.perf_counter()
            form = make()
            wait(device)
            took = time.perf_counter() - began
            found = timed(form.step, device, plan.blocks, plan.seconds)
            self._seconds[name] = found.seconds
            row = self._row(form, found) | {"skipped": int(stepper.state.skipped)}
            yield Found(SPEED, [row | {"s to make": took}])
            forms.append(form)

        def spent() -> Iterator[Found]:
            yield _profile(plan.name(self._config), forms[0], device)

        yield from guarded(self._part(name), device, speed)
        fastest = min(self._seconds, key=self._seconds.__getitem__, default="") == name
        if forms and fastest and (name == LAST or not plan.reduced):
            yield from guarded(f"{self._part(name)}, where its time goes", device, spent)

    def _part(self, form: str) -> str:
        return f"{self._plan.name(self._config)}, {form}"

    def _row(self, form: Form, found: Timed) -> Row:
        batch, last = self._plan.batch(self._config), self._seconds.get(LAST)
        return {
            "model": self._plan.name(self._config),
            "a side": batch,
            "form": form.name,
            "faces/s": 2 * batch / found.seconds,
            "± %": 100 * found.spread,
            "× channels last": None if last is None else last / found.seconds,
            "of matrix rate, %": 100 * self._least / found.seconds,
            "batch, %": 100 * form.batch_share(found.seconds),
            "MiB": used_memory(self._device) / 2**20 if self._device.type == "cuda" else None,
            "foretold MiB": self._foretold,
            "loss": float(form.loss()),
            "steps": found.steps,
        }


def _profile(model: str, form: Form, device: torch.device) -> Found:
    """Profile a step: the 15 kernels, on a CPU operations, that take the most time."""
    on_card = device.type == "cuda"
    kind = torch.profiler.ProfilerActivity
    steps = 3
    with torch.profiler.profile(activities=[kind.CUDA if on_card else kind.CPU]) as profiler:
        for _ in range(steps):
            form.step()
        wait(device)
    spent = [
        (row.key, row.self_device_time_total if on_card else row.self_cpu_time_total, row.count)
        for row in profiler.key_averages()
    ]
    total = max(1e-9, sum(micros for _, micros, _ in spent))
    most = sorted(spent, key=lambda row: -row[1])[:15]
    rows: list[Row] = [
        {
            "kernel" if on_card else "operation": name[:80],
            "of the time, %": 100 * micros / total,
            "ms a step": micros / steps / 1000,
            "calls a step": calls / steps,
        }
        for name, micros, calls in most
    ]
    # Replaces the profile of a slower form.
    return Found(f"Where the time goes: {model}, its fastest form", rows, whole=True)


def _swaps(plan: Plan, config: SwapConfig, device: torch.device) -> Iterator[Found]:
    """Measure swaps per second: with transfers from and to the CPU, as in ``convert``, and on the
    device alone."""
    torch.manual_seed(0)
    model = SwapModel(config).to(device).eval().requires_grad_(False)
    side = config.resolution
    crops = np.random.default_rng(0).random((plan.swaps, side, side, 3), np.float32)
    there = torch.from_numpy(crops).to(device).permute(0, 3, 1, 2)

    def both_ways() -> Any:
        faces, masks = model.swap(torch.from_numpy(crops).to(device).permute(0, 3, 1, 2))
        pictures = faces.float().clamp(0, 1).permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return pictures, None if masks is None else masks.float().cpu().numpy()

    row: Row = {"model": plan.name(config), "at a time": plan.swaps}
    for name, step in (("swaps/s", both_ways), ("on the device alone", lambda: model.swap(there))):
        seconds_of(step, device, 3)
        found = timed(step, device, plan.blocks, plan.seconds)
        row |= {name: plan.swaps / found.seconds}
    yield Found(SWAPS, [row])


def _tidy(device: torch.device) -> None:
    """Free the memory of a form, to measure the next one's alone."""
    gc.collect()
    if "torch._dynamo" in sys.modules:  # importing it takes seconds
        torch._dynamo.reset()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
