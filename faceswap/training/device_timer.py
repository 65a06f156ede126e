"""Timing work on a device without waiting for it."""

import time
from collections.abc import Iterable
from typing import Any

import torch

Mark = Any
"""A moment: seconds as a float, or on a graphics card an event in its stream of work."""


class DeviceTimer:
    """Marks moments; how far they are apart is only asked when somebody wants to know.

    A graphics card works off what it was given long after the call has returned, so the
    processor's clock would time the giving only, and asking at each step would stall both.
    """

    def __init__(self, device: torch.device) -> None:
        self._on_card = device.type == "cuda"

    def now(self) -> Mark:
        """This moment, in the device's order of work."""
        if not self._on_card:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def total(self, spans: Iterable[tuple[Mark, Mark]]) -> float:
        """Seconds from first to second mark, summed over ``spans``."""
        if not self._on_card:
            return float(sum(end - start for start, end in spans))
        spans = list(spans)
        for _, end in spans[-1:]:
            end.synchronize()  # the last one; those before it are over as well
        return float(sum(start.elapsed_time(end) for start, end in spans)) / 1000
