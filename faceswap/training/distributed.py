"""Several processes, devices or machines that train one model together.

Started by ``torchrun --nproc-per-node N -m faceswap train …``, or on several machines with
``--nnodes`` and ``--rdzv-endpoint`` besides; the project folder must be one that all see. Every
process draws the same batch and takes its portion of it, so that N processes learn exactly
what one would.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn


@dataclass(frozen=True)
class Group:
    """Which of how many processes this is; the one of rank 0 alone writes."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def wrapped(self, model: nn.Module) -> nn.Module:
        """``model``, so that its gradients become the mean over all processes."""
        return nn.parallel.DistributedDataParallel(model) if self.size > 1 else model

    def agreed(self, value: float) -> float:
        """The leader's ``value``, for all: clocks differ, and nobody may stop alone."""
        if self.size == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            held = held.cuda()
        distributed.broadcast(held, 0)
        return float(held)


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Group, torch.device]]:
    """Join the group that torchrun started, if it did: the group, and this process's device."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()
