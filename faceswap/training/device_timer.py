"""Timing of asynchronous work on a device without synchronising."""

import time
from collections.abc import Iterable
from typing import Any

import torch

Mark = Any
"""A time stamp: seconds as a float, or a CUDA event."""


class DeviceTimer:
    """Records time stamps on a device; synchronises only when durations are read.

    GPU work is asynchronous: the CPU's clock would only time the launches, and synchronising at
    each step would stall both.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_gpu = device.type == "cuda"

    def now(self) -> Mark:
        """A time stamp in the device's queue of work."""
        if not self._on_gpu:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def total(self, spans: Iterable[tuple[Mark, Mark]]) -> float:
        """Seconds from the first to the second time stamp, summed over ``spans``."""
        if not self._on_gpu:
            return float(sum(end - start for start, end in spans))
        spans = list(spans)
        for _, end in spans[-1:]:
            end.synchronize()  # the last one; the earlier ones are done by then
        return float(sum(start.elapsed_time(end) for start, end in spans)) / 1000
