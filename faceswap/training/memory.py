"""How much memory a run takes, and telling that it ran out."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")

_STATM = Path("/proc/self/statm")
_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def used_memory(device: torch.device) -> int:
    """Bytes: on a graphics card the most allocated so far, else this process's resident set."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATM.is_file():
        import resource

        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_memory(meminfo: Path = _MEMINFO, container: Path = _CONTAINER) -> int | None:
    """Bytes that this machine, or the container it runs in, still has; None where unknown.

    meminfo, container: where Linux says so.
    """
    found = []
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                found.append(1024 * int(value.split()[0]))
    limit, current = container / "memory.max", container / "memory.current"
    if limit.is_file() and current.is_file() and limit.read_text().strip() != "max":
        found.append(max(0, int(limit.read_text()) - int(current.read_text())))
    return min(found, default=None)


def free_device_memory(device: torch.device) -> int | None:
    """Bytes that tensors on ``device`` can still take; None where unknown."""
    if device.type != "cuda":
        return free_memory()
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + held


def in_micro_batches(work: Callable[[int], T], most: int) -> T:
    """``work(most)``, or with half as many at a time and so on, while memory runs out.

    Raises what ``work`` does, an error about memory when not even 1 fits.
    """
    while True:
        try:
            return work(most)
        except RuntimeError as error:  # what PyTorch's out-of-memory error is as well
            if not ran_out_of_memory(error) or most == 1:
                raise
        # Outside of the handler, whose traceback would keep the tensors alive.
        release_memory()
        most //= 2


def release_memory() -> None:
    """Give back what a graphics card holds ready for tensors to come."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that an allocation failed, on any device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
