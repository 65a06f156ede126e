"""Shared by training benchmarks: models by name, timing, and matrix throughput."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from faceswap.errors import FaceswapError
from faceswap.swap.model.presets import SwapConfig, config_of

Step = Callable[[], object]


def model_config(text: str) -> SwapConfig:
    """Model configuration from ``preset`` or ``preset:resolution``."""
    name, _, side = text.partition(":")
    try:
        return config_of(name, int(side) if side else None)
    except (ValueError, FaceswapError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def wait(device: torch.device) -> None:
    """Wait until ``device`` has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(step: Step, device: torch.device, count: int = 1) -> float:
    """Mean seconds of a step over ``count`` steps, synchronised with the device."""
    wait(device)
    start = time.perf_counter()
    for _ in range(count):
        step()
    wait(device)
    return (time.perf_counter() - start) / count


@dataclass(frozen=True)
class Timed:
    """Seconds per step: median over blocks; spread: their range as a share of the median; steps:
    total number."""

    seconds: float
    spread: float
    steps: int


def timed(step: Step, device: torch.device, blocks: int = 3, seconds: float = 0.5) -> Timed:
    """Time ``step``, warmed up before, in ``blocks`` of about ``seconds`` each."""
    once = seconds_of(step, device)
    count = max(1, min(500, round(seconds / max(once, 1e-6))))
    found = [seconds_of(step, device, count) for _ in range(blocks)]
    middle = statistics.median(found)
    return Timed(middle, (max(found) - min(found)) / middle, blocks * count)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP per second of large matrix products in ``dtype``.

    On random numbers: zeros would be faster than real data, as they switch fewer transistors.
    """
    side = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(2, side, side, device=device).to(dtype)
    for _ in range(3):
        a @ b
    return 2 * side**3 / timed(lambda: a @ b, device, blocks=5, seconds=0.05).seconds
