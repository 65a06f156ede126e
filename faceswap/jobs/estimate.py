"""What training a model will cost on this machine, measured in a few seconds."""

import time

import torch
from torch import Tensor

from faceswap.devices import moved
from faceswap.swap.model import Preset, SwapModel, config_of
from faceswap.training.precision import half_precision, pick_device

_FACES = 4


def estimate(preset: Preset, batch: int, device: str = "auto") -> dict[str, float]:
    """Seconds a step and mebibytes, for ``batch`` faces a side, from steps on a few faces.

    Memory is that of weights, gradients, two optimiser states and the running average, plus
    what a pass keeps for the way back, which grows with the batch.
    """
    where = pick_device(device)
    config = config_of(preset)
    model = moved(SwapModel(config), where)
    faces = torch.rand(_FACES, 3, config.resolution, config.resolution, device=where)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    def step() -> None:
        with half_precision(model, where):
            (a, _), (b, _) = model({"a": faces, "b": faces}).values()
        torch.autograd.backward(a.float().mean() + b.float().mean())

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    began = time.perf_counter()
    step()
    if where.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    passed = sum(size for place, size in kept.items() if place not in own)
    return {
        "seconds": seconds * batch / _FACES,
        "memory": (5 * weights + passed * batch / _FACES) / 2**20,
        "parameters": sum(p.numel() for p in model.parameters()) / 1e6,
        "resolution": config.resolution,
    }
