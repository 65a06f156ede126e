"""Training: faces a second of our step against a bare loop of the same layers."""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import get_args

import torch

from faceswap.swap.cost import facts
from faceswap.swap.faceset import FaceSet
from faceswap.swap.model import PRESETS, Preset, SwapModel
from faceswap.swap.objective import Objective
from faceswap.swap.task import SwapTask
from faceswap.training.data import ImageSet
from faceswap.training.precision import (
    autocast,
    fastest_precision,
    keep_freed_memory,
    pick_device,
)
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import Stepper

Row = dict[str, str | int | float | None]


def run(arguments: list[str]) -> dict[str, list[Row]]:
    """Time whole training steps with augmentation, on noise: the cost does not see the picture."""
    parser = argparse.ArgumentParser(prog="benchmark.py train")
    parser.add_argument("--preset", action="append", choices=get_args(Preset))
    parser.add_argument("--batch", type=int, default=16, help="faces a side")
    parser.add_argument("--steps", type=int, default=8, help="timed steps of each kind")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="turns each kind takes")
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    presets: list[Preset] = options.preset or ["quick", "classic"]
    rows: list[Row] = []
    for preset in presets:
        rows += _compare(preset, options.batch, options.steps, options.rounds, device)
    threads = torch.get_num_threads()
    return {f"Training on {device}, {threads} threads, batch {options.batch} a side": rows}


def _compare(
    preset: Preset, batch: int, steps: int, rounds: int, device: torch.device
) -> list[Row]:
    """The kinds of step, turn about, so that other work on the machine slows all alike."""
    ours = _ours(preset, batch, device)
    kinds: dict[str, Callable[[], object]] = {"bare fp32": _bare(preset, batch, "fp32", device)}
    if fastest_precision(device) == "bf16":
        kinds["bare bf16"] = _bare(preset, batch, "bf16", device)
    kinds["ours"] = lambda: ours.step(0.3)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, step in kinds.items():
            step()
            times[name] += [_timed(step, device) for _ in range(steps)]
    rates = {name: 2 * batch / statistics.median(t) for name, t in times.items()}
    best = {name: 2 * batch / min(t) for name, t in times.items()}
    step_seconds = sum(times["ours"]) / len(times["ours"])
    cost = next(row["cost"] for row in facts(batch) if row["name"] == preset)
    return [
        {
            "preset": preset,
            "step": name,
            "faces/s, median": rate,
            "faces/s, best": best[name],
            "of bare fp32": rate / rates["bare fp32"],
            "data and augmentation, %": _data_share(ours, step_seconds) if name == "ours" else None,
            "GFLOP/s": rate * 3 * cost,
            "steps": len(times[name]),
        }
        for name, rate in rates.items()
    ]


def _timed(step: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _bare(preset: Preset, batch: int, precision: str, device: torch.device) -> Callable[[], object]:
    """The plainest loop: fixed faces, mean absolute error, Adam; no augmentation, no average."""
    torch.manual_seed(0)
    model = SwapModel(PRESETS[preset]).to(device)
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    optimiser = torch.optim.Adam(model.parameters(), 5e-5)
    a, b = torch.rand(2, batch, 3, model.resolution, model.resolution, device=device)

    def step() -> None:
        optimiser.zero_grad()
        with autocast(device, "bf16" if precision == "bf16" else "fp32"):
            (made_a, _), (made_b, _) = model({"a": a, "b": b}).values()
            loss = (made_a.float() - a).abs().mean() + (made_b.float() - b).abs().mean()
        torch.autograd.backward(loss)
        optimiser.step()

    return step


def _ours(preset: Preset, batch: int, device: torch.device) -> Stepper:
    keep_freed_memory()
    torch.manual_seed(0)
    model = SwapModel(PRESETS[preset])
    task = SwapTask({"a": _noise(model), "b": _noise(model)}, model.input_size, Objective(), device)
    config = LoopConfig(batch=batch)
    state = TrainingState(model, config, fastest_precision(device), device)
    return Stepper(task, state, config)


def _noise(model: SwapModel, count: int = 64) -> FaceSet:
    side = model.resolution
    pictures = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    maps = torch.full((count, 2, side // 2, side // 2), 255, dtype=torch.uint8)
    return FaceSet(ImageSet(pictures, maps, torch.ones(count)), None)


def _data_share(ours: Stepper, step_seconds: float) -> float:
    """Per cent of a step that drawing and changing a batch takes."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        ours.task.batch(ours.config.batch, ours.state.generator, 0.3)
        if ours.state.generator.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 100 * statistics.median(times) / step_seconds
