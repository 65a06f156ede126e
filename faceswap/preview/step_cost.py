"""Estimate the time and memory of a training step on this machine, in a few seconds."""

import time

import torch

from faceswap.device_support import to_device
from faceswap.devices import fastest_precision, model_autocast, pick_device
from faceswap.preview.protocol import StepCostAnswer
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import config_of
from faceswap.swap.training.model_stats import step_memory

_FACES = 4


def estimate_step_cost(preset: str, batch: int, device: str = "auto") -> StepCostAnswer:
    """Time and memory of a step, and the size of the model.

    batch: faces of each side. The time is measured on ``_FACES`` faces and scaled; the memory is
    the peak of all tensors in a whole step, computed without running it.
    """
    where = pick_device(device)
    config = config_of(preset)
    model = to_device(SwapModel(config), where)
    faces = torch.rand(_FACES, 3, config.resolution, config.resolution, device=where)

    def seconds() -> float:
        began = time.perf_counter()
        with model_autocast(model, where):
            (a, _), (b, _) = model({"a": faces, "b": faces}).values()
        torch.autograd.backward(a.float().mean() + b.float().mean())
        if where.type == "cuda":
            torch.cuda.synchronize(where)  # CUDA kernels run asynchronously
        return time.perf_counter() - began

    seconds()  # warm-up: the first step includes one-time set-up
    return StepCostAnswer(
        seconds=seconds() * batch / _FACES,
        memory=step_memory(config, batch, fastest_precision(where)).peak / 2**20,
        parameters=sum(p.numel() for p in model.parameters()) / 1e6,
        resolution=config.resolution,
    )
