"""Benchmark of training: faces per second of our step against a bare loop of the same model."""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection

import torch

from benchmarks._measuring import matrix_rate, model_config, seconds_of, wait
from faceswap.devices import (
    Precision,
    autocast,
    fastest_precision,
    pick_device,
)
from faceswap.faces.align import mean_face
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import PRESETS, SwapConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.model_stats import model_stats
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.pair_matching import LandmarkSet
from faceswap.swap.training.task import SwapTask
from faceswap.training.compilation import compile_model
from faceswap.training.dataset import ImageDataset
from faceswap.training.memory import used_memory
from faceswap.training.performance import configure_device
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper

Row = dict[str, str | int | float | None]
Rows = list[Row]


def run(arguments: list[str]) -> dict[str, Rows]:
    """Time whole training steps with augmentation, on noise, as speed is independent of content."""
    parser = argparse.ArgumentParser(prog="benchmark.py train")
    parser.add_argument(
        "--preset",
        action="append",
        type=model_config,
        help="such as classic or df:256; by default quick and classic, on a graphics card df too",
    )
    parser.add_argument("--batch", type=int, help="faces a side; the preset's by default")
    parser.add_argument("--steps", type=int, default=8, help="timed steps of each kind")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each kind")
    parser.add_argument("--profile", action="store_true", help="profile our steps")
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    configure_device(device)
    names = ["quick", "classic"] + (["df:128", "df:256"] if device.type == "cuda" else [])
    half = fastest_precision(device) == "bf16"
    rate = matrix_rate(device, torch.bfloat16 if half else torch.float32) / 1e9
    tables: dict[str, Rows] = {}
    speeds: Rows = []
    for config in options.preset or [model_config(name) for name in names]:
        batch = options.batch or PRESETS[config.preset].batch
        speeds += _compare(config, batch, options.steps, options.rounds, device, rate)
        if options.profile:
            title = f"Where the time of our step goes, {config.text()}"
            tables[title] = _profile(config, batch, options.steps, device)
    title = (
        f"Training on {device}, {torch.get_num_threads()} threads, "
        f"{fastest_precision(device)} matrix products {rate:,.0f} GFLOP/s"
    )
    return {title: speeds} | tables


def _compare(
    config: SwapConfig, batch: int, steps: int, rounds: int, device: torch.device, rate: float
) -> Rows:
    """Time the kinds of step alternately, so that other load on the machine slows all equally."""
    memory = _alone(config, batch, device)
    ours = _ours(config, batch, device)
    kinds: dict[str, Callable[[], object]] = {"bare fp32": _bare(config, batch, "fp32", device)}
    if fastest_precision(device) == "bf16":
        kinds["bare bf16"] = _bare(config, batch, "bf16", device)
    kinds["ours"] = lambda: ours.step(0.3)
    if device.type == "cuda":
        faster = _ours(config, batch, device)
        faster.model = compile_model(faster.model)
        kinds["ours, compiled"] = lambda: faster.step(0.3)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, step in kinds.items():
            step()
            times[name] += [seconds_of(step, device) for _ in range(steps)]
    rates = {name: 2 * batch / statistics.median(t) for name, t in times.items()}
    best = {name: 2 * batch / min(t) for name, t in times.items()}
    step_seconds = statistics.median(times["ours"])
    cost = model_stats(config.preset, config, batch)["cost"]
    return [
        {
            "model": config.text(),
            "batch a side": batch,
            "step": name,
            "faces/s, median": speed,
            "faces/s, best": best[name],
            "of bare fp32": speed / rates["bare fp32"],
            "data and augmentation, %": _data_share(ours, step_seconds) if name == "ours" else None,
            # A backward pass takes twice the FLOP of a forward pass.
            "GFLOP/s": speed * 3 * cost,
            "of matrix rate, %": 100 * speed * 3 * cost / rate,
            "memory, MiB": memory if name == "ours" else None,
            "steps": len(times[name]),
        }
        for name, speed in rates.items()
    ]


def _bare(
    config: SwapConfig, batch: int, precision: Precision, device: torch.device
) -> Callable[[], object]:
    """Bare training loop: fixed faces, mean absolute error, Adam; no augmentation, no EMA."""
    torch.manual_seed(0)
    model = SwapModel(config).to(device)
    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    optimiser = torch.optim.Adam(model.parameters(), 5e-5)
    seen, side = model.input_size, model.resolution
    # The encoder's input is smaller than the target in models that upscale.
    a, b = torch.rand(2, batch, 3, side, side, device=device)
    inputs = {"a": a[..., :seen, :seen].contiguous(), "b": b[..., :seen, :seen].contiguous()}

    def step() -> None:
        optimiser.zero_grad()
        with autocast(device, precision):
            (made_a, _), (made_b, _) = model(inputs).values()
            loss = (made_a.float() - a).abs().mean() + (made_b.float() - b).abs().mean()
        torch.autograd.backward(loss)
        optimiser.step()

    return step


def _ours(config: SwapConfig, batch: int, device: torch.device) -> TrainStepper:
    torch.manual_seed(0)
    model = SwapModel(config)
    task = SwapTask(
        {"a": _noise(model), "b": _noise(model)}, model.input_size, ObjectiveConfig(), device
    )
    settings = LoopConfig(batch_size=batch)
    state = TrainingState(model, settings, fastest_precision(device), device)
    return TrainStepper(task, state, replace(settings, unit_name="faces"))


def _noise(model: SwapModel, count: int = 64) -> FaceSet:
    side = model.resolution
    pictures = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    maps = torch.full((count, 3, side // 2, side // 2), 255, dtype=torch.uint8)
    points = torch.from_numpy(mean_face().points[:, :2]).float().repeat(count, 1, 1)
    shapes = LandmarkSet(points, torch.randn(count, 2), torch.zeros(count, 2))
    return FaceSet(ImageDataset(pictures, maps, torch.ones(count)), None, shapes)


def _data_share(ours: TrainStepper, step_seconds: float) -> float:
    """Percentage of a step that making and augmenting its batch takes."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        ours.task.batch(ours.config.batch_size, ours.state.generator, 0.3)
        wait(ours.state.generator.device)
        times.append(time.perf_counter() - start)
    return 100 * statistics.median(times) / step_seconds


def _alone(config: SwapConfig, batch: int, device: torch.device) -> float:
    """Memory of our training in its own process in MiB: libraries, model, a few faces."""
    fresh = multiprocessing.get_context("spawn")
    here, there = fresh.Pipe(duplex=False)
    child = fresh.Process(
        target=_report_memory, args=(there, config, batch, str(device), torch.get_num_threads())
    )
    child.start()
    there.close()
    try:
        return float(here.recv()) / 2**20
    finally:
        child.join()


def _report_memory(
    pipe: "Connection[float, float]",
    config: SwapConfig,
    batch: int,
    device: str,
    threads: int,
) -> None:
    configure_device(torch.device(device))
    torch.set_num_threads(threads)
    ours = _ours(config, batch, torch.device(device))
    for _ in range(3):
        ours.step(0.3)
    pipe.send(float(used_memory(torch.device(device))))


def _profile(config: SwapConfig, batch: int, steps: int, device: torch.device) -> Rows:
    """Profile our steps: the 15 operations that take the most time."""
    ours = _ours(config, batch, device)
    ours.step(0.3)
    on_card = device.type == "cuda"
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if on_card:
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profiler:
        for _ in range(steps):
            ours.step(0.3)
        wait(device)
    spent = {
        row.key: (row.self_device_time_total if on_card else row.self_cpu_time_total, row.count)
        for row in profiler.key_averages()
    }
    total = sum(seconds for seconds, _ in spent.values())
    most = sorted(spent.items(), key=lambda item: -item[1][0])[:15]
    return [
        {"operation": name[:70], "of the time, %": 100 * micros / total, "calls": calls // steps}
        for name, (micros, calls) in most
    ]
