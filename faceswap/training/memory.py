"""Used and free memory, out-of-memory detection, and retrying in smaller micro-batches."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")

_STATM = Path("/proc/self/statm")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def used_memory(device: torch.device) -> int:
    """Bytes used: peak allocation on a GPU, otherwise the resident set size."""
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


def free_memory(meminfo: Path = _MEMINFO, container: Path = _CGROUP) -> int | None:
    """Bytes free on this machine, or in its container; None where unknown.

    meminfo, container: Linux's files with these numbers.
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
    """Bytes free for tensors on ``device``; None where unknown."""
    if device.type != "cuda":
        return free_memory()
    free, _ = torch.cuda.mem_get_info(device)
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + cached


def in_micro_batches(work: Callable[[int], T], most: int) -> T:
    """Call ``work`` with ``most`` samples at a time, and halve that while memory runs out.

    Raises what ``work`` raises, an out-of-memory error when not even 1 fits.
    """
    while True:
        try:
            return work(most)
        except RuntimeError as error:  # the base of torch.OutOfMemoryError too
            if not ran_out_of_memory(error) or most == 1:
                raise
        # Outside the handler, whose traceback would keep the tensors alive.
        release_memory()
        most //= 2


def release_memory() -> None:
    """Empty PyTorch's cache of GPU memory."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` is an out-of-memory error, of any device."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in text for sign in ("out of memory", "can't allocate memory", "not enough memory")
    )
