"""Used and free memory, out-of-memory detection, and retrying in smaller micro-batches."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

T = TypeVar("T")

_CGROUP = Path("/sys/fs/cgroup")


def used_memory(device: torch.device) -> int:
    """Bytes used: peak allocation on a GPU, otherwise the resident set size."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Imported here: a machine that only trains on its graphics card may not have it.
    import psutil

    return psutil.Process().memory_info().rss


def free_memory(container: Path = _CGROUP) -> int:
    """Bytes free on this machine, or in its container.

    container: Linux's folder of the container's limits, which psutil does not know.
    """
    import psutil

    free = psutil.virtual_memory().available
    limit, current = container / "memory.max", container / "memory.current"
    if limit.is_file() and current.is_file() and limit.read_text().strip() != "max":
        free = min(free, max(0, int(limit.read_text()) - int(current.read_text())))
    return free


def free_device_memory(device: torch.device) -> int:
    """Bytes free for tensors on ``device``."""
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
