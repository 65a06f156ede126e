"""How many threads to compute with, and on which device they do."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import torch

from faceswap.background import Heartbeat, ProgressReporter, generator_in_background
from faceswap.events import Event

_TOPOLOGY = Path("/sys/devices/system/cpu")
_CONTAINER = Path("/sys/fs/cgroup")


def use_physical_cores() -> None:
    """Compute with one thread per real core, unless OMP_NUM_THREADS says how many.

    PyTorch takes as many as there are processors; two of them that share a core's multipliers
    only get into each other's way.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    count = physical_core_count()
    if count is not None and count != torch.get_num_threads():
        torch.set_num_threads(count)


def set_current_device(device: torch.device) -> None:
    """Make ``device`` the present one of this thread, as each has its own.

    One without a number is whichever is present already; PyTorch refuses to set that.
    """
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def physical_core_count(
    topology: Path = _TOPOLOGY, container: Path = _CONTAINER, allowed: set[int] | None = None
) -> int | None:
    """Cores that this process may use, hyperthreads not counted; None where nobody says.

    topology, container: where Linux tells which processors share a core, and how much of them
    a container gets. allowed: processors the process may run on, found out by default.
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
    """Does work on ``device`` in a thread of its own; ``sign`` is what is told meanwhile."""

    def __init__(self, stage: str, device: torch.device, sign: Heartbeat) -> None:
        self._stage, self._device, self._sign = stage, device, sign

    def __call__(self, work: Callable[[], T]) -> Generator[Event, None, T]:
        """What ``work`` gives."""

        def alone() -> Generator[Event, None, T]:
            yield from ()
            return work()

        return (yield from self.steadily(self._stage, alone, self._sign))

    def steadily(
        self,
        stage: str,
        job: Callable[[], Generator[Event, None, T]],
        sign: Heartbeat | None = None,
    ) -> Generator[Event, None, T]:
        """What the generator ``job`` returns, and its events; see ``background``."""

        def there(_: ProgressReporter) -> Generator[Event, None, T]:
            set_current_device(self._device)
            return (yield from job())

        return (yield from generator_in_background(stage, there, "steps", sign))
