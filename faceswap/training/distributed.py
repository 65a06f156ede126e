"""Data-parallel training in several processes, on one or several machines.

Started by ``torchrun --nproc-per-node N -m faceswap train …``, or on several machines with
``--nnodes``, ``--rdzv-backend c10d`` and ``--rdzv-endpoint`` too; all must share the project
folder. Every process samples the same batch and trains on its part of it, so that N processes
compute the same gradients as one.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed, nn

from faceswap.devices import PrecisionChoice
from faceswap.errors import OptionsError


@dataclass(frozen=True)
class ProcessGroup:
    """Rank and size of the process group; only the main process, rank 0, writes files."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes and reports."""
        return self.rank == 0

    def wrap_model(self, model: nn.Module) -> nn.Module:
        """``model`` in DistributedDataParallel, which averages gradients over all processes."""
        if self.size == 1:
            return model
        # Harmless: a 1x1 convolution has the same layout in both memory formats, but other strides.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        return nn.parallel.DistributedDataParallel(model)

    def broadcast(self, value: float) -> float:
        """The main process's ``value`` in all; for decisions by the clock, which must agree."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        distributed.broadcast(tensor, 0)
        return float(tensor)

    def broadcast_text(self, text: str) -> str:
        """The main process's ``text`` in all."""
        if self.size == 1:
            return text
        data = text.encode()
        count = int(self.broadcast(len(data)))
        if not count:
            return ""
        tensor = torch.zeros(count, dtype=torch.uint8)
        if self.is_main:
            tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        if distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        distributed.broadcast(tensor, 0)
        return bytes(tensor.tolist()).decode()

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over all processes, each of which must call it."""
        if self.size == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.size

    def all_agree(self, yes: bool, device: torch.device) -> bool:
        """Whether ``yes`` is true in all processes; each must call it, with its own ``device``."""
        return float(self.all_reduce_mean(torch.tensor(float(yes), device=device))) == 1


@dataclass(frozen=True)
class Placement:
    """Where a model is trained: on which device, and with which other processes."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    group: ProcessGroup = field(default_factory=ProcessGroup)

    def agree_on(self, choice: PrecisionChoice) -> PrecisionChoice:
        """``choice``, or float32 where not all processes chose bfloat16."""
        half = choice.precision == "bf16"
        if self.group.all_agree(half, self.device) == half:
            return choice
        return PrecisionChoice(
            "fp32", "Not all processes can compute in bfloat16, so all compute in float32."
        )


@contextmanager
def join_process_group(device: torch.device) -> Iterator[Placement]:
    """Join the process group of torchrun, if there is one; yields it with this process's device.

    Raises OptionsError when torchrun's environment variables are incomplete.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Placement(device)
        return
    missing = [n for n in ("RANK", "MASTER_ADDR", "MASTER_PORT") if n not in os.environ]
    if missing:
        raise OptionsError(
            f"WORLD_SIZE is {size}, and {' and '.join(missing)} not set; start several processes "
            "with torchrun, which sets them, or unset WORLD_SIZE."
        )
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Placement(device, ProcessGroup(distributed.get_rank(), size))
    finally:
        distributed.destroy_process_group()
