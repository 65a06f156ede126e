"""Several processes, devices or machines that train one model together.

Started by ``torchrun --nproc-per-node N -m faceswap train …``, or on several machines with
``--nnodes``, ``--rdzv-backend c10d`` and ``--rdzv-endpoint`` besides; the project folder must be
one that all see. Every process draws the same batch and takes its portion of it, so that N
processes learn exactly what one would.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from faceswap.errors import OptionsError


@dataclass(frozen=True)
class ProcessGroup:
    """Which of how many processes this is; the one of rank 0 alone writes."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    def wrap_model(self, model: nn.Module) -> nn.Module:
        """``model``, so that its gradients become the mean over all processes."""
        if self.size == 1:
            return model
        # The weights of a 1x1 convolution lie in memory alike in both formats, by other strides.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        return nn.parallel.DistributedDataParallel(model)

    def broadcast(self, value: float) -> float:
        """The leader's ``value``, for all: clocks differ, and nobody may stop alone."""
        if self.size == 1:
            return value
        held = torch.tensor(value, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            held = held.cuda()
        distributed.broadcast(held, 0)
        return float(held)

    def broadcast_text(self, text: str) -> str:
        """The leader's ``text``, for all."""
        if self.size == 1:
            return text
        data = text.encode()
        count = int(self.broadcast(len(data)))
        if not count:
            return ""
        held = torch.zeros(count, dtype=torch.uint8)
        if self.is_main:
            held = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        if distributed.get_backend() == "nccl":
            held = held.cuda()
        distributed.broadcast(held, 0)
        return bytes(held.tolist()).decode()

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over all processes, each of which must ask."""
        if self.size == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.size

    def all_agree(self, yes: bool, device: torch.device) -> bool:
        """Whether ``yes`` holds in all processes, each of which must ask; ``device``: its own."""
        return float(self.all_reduce_mean(torch.tensor(float(yes), device=device))) == 1


@contextmanager
def join_process_group(device: torch.device) -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Join the group that torchrun started, if it did: the group, and this process's device.

    Raises OptionsError when what it should have told is not there.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup(), device
        return
    missing = [n for n in ("RANK", "MASTER_ADDR", "MASTER_PORT") if n not in os.environ]
    if missing:
        raise OptionsError(
            f"WORLD_SIZE is {size}, and {' and '.join(missing)} not set; start several processes "
            "by torchrun, which sets all of them, or unset WORLD_SIZE."
        )
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size), device
    finally:
        distributed.destroy_process_group()
