"""Number of CPU threads, and worker threads bound to a device."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import torch

from faceswap.background import Heartbeat, ProgressReporter, generator_in_background
from faceswap.events import Event

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def use_physical_cores() -> None:
    """Set PyTorch's threads to one per physical core, unless OMP_NUM_THREADS is set.

    PyTorch's default can be one per hyperthread; two on the same core share its multipliers and
    slow each other down.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    count = physical_core_count()
    if count is not None and count != torch.get_num_threads():
        torch.set_num_threads(count)


def set_current_device(device: torch.device) -> None:
    """Make ``device`` the current CUDA device of this thread, as each thread has its own.

    Without an index it is the current one already; PyTorch refuses to set that.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def physical_core_count(
    topology: Path = _TOPOLOGY, container: Path = _CGROUP, allowed: set[int] | None = None
) -> int | None:
    """Number of physical cores that this process may use; None where unknown.

    psutil counts those of the machine, whatever the process's affinity and its container's quota.

    topology, container: Linux's folders of CPU topology and cgroup limits. allowed: CPUs that the
    process may run on, by default from its affinity.
    """
    if allowed is None:
        if not hasattr(os, "sched_getaffinity"):
            return None
        allowed = set(os.sched_getaffinity(0))
    cores = set()
    for number in allowed:
        siblings = topology / f"cpu{number}" / "topology" / "thread_siblings_list"
        if not siblings.is_file():
            return None
        cores.add(siblings.read_text().strip())
    count = len(cores)
    quota = container / "cpu.max"
    if quota.is_file():
        share, _, period = quota.read_text().strip().partition(" ")
        if share != "max":
            count = min(count, max(1, int(share) // int(period)))
    return count


T = TypeVar("T")


class DeviceThread:
    """Runs work on ``device`` in a background thread, with ``heartbeat`` as heartbeat."""

    def __init__(self, stage: str, device: torch.device, sign: Heartbeat) -> None:
        self._stage, self._device, self._sign = stage, device, sign

    def __call__(self, work: Callable[[], T]) -> Generator[Event, None, T]:
        """Run ``work`` in the thread; returns its result."""

        def generator() -> Generator[Event, None, T]:
            yield from ()
            return work()

        return (yield from self.run_generator(self._stage, generator, self._sign))

    def run_generator(
        self,
        stage: str,
        job: Callable[[], Generator[Event, None, T]],
        sign: Heartbeat | None = None,
    ) -> Generator[Event, None, T]:
        """Run the generator ``job`` in the thread; yields its events, returns its result."""

        def on_device(_: ProgressReporter) -> Generator[Event, None, T]:
            set_current_device(self._device)
            return (yield from job())

        return (yield from generator_in_background(stage, on_device, "steps", sign))
