"""Time a model's convolution and dense layers in isolation.

Their throughput alone is the upper bound of a step's. If it is low, the layers are too small or
too narrow for the device, whichever form the step has.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._apart import Found, Row
from benchmarks._device_forms import PROGRESS, stepper_of
from benchmarks._device_plan import Plan
from benchmarks._measuring import timed
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.face_set import read_face_sets

_SHOWN = 12


@dataclass(frozen=True)
class Layer:
    """A kind of layer by type and shape. first: whether its input needs no gradient."""

    text: str
    shape: tuple[int, ...]
    first: bool


def layers(plan: Plan, config: SwapConfig, rate: float) -> Iterator[Found]:
    """A row per kind of layer, slowest first, and one for the sum."""
    device = torch.device(plan.device)
    dtype = torch.bfloat16 if plan.precision == "bf16" else torch.float32
    rows: list[Row] = []
    work = seconds = 0.0
    for layer, (module, count) in _found(plan, config, device).items():
        flop = _flop(module, layer)
        took = _alone(module, layer, dtype, plan)
        work, seconds = work + count * flop, seconds + count * took
        rows.append(_row(layer.text, count, count * flop, count * took, rate))
    rows.sort(key=lambda row: -float(row["ms a step"] or 0))
    whole = _row("all of them", sum(int(r["layers"] or 0) for r in rows), work, seconds, rate)
    title = f"Layers alone, both ways: {plan.name(config)}, {plan.batch(config)} a side"
    yield Found(title, [*rows[:_SHOWN], whole])


def _row(text: str, count: int, flop: float, seconds: float, rate: float) -> Row:
    return {
        "layer": text,
        "layers": count,
        "GFLOP a step": flop / 1e9,
        "ms a step": 1000 * seconds,
        "of matrix rate, %": 100 * flop / seconds / rate,
    }


def _found(
    plan: Plan, config: SwapConfig, device: torch.device
) -> dict[Layer, tuple[nn.Module, int]]:
    """Each kind of layer in a step, with one module of it and the number of calls."""
    sides = read_face_sets(Path(plan.faces), config.resolution)
    stepper = stepper_of(config, sides, plan.batch(config), "fp32", device)
    model = stepper.state.model
    batch: Any = stepper.task.batch(stepper.config.batch_size, stepper.state.generator, PROGRESS)
    found: dict[Layer, tuple[nn.Module, int]] = {}

    def seen(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        layer = Layer(_text(module, x), tuple(x.shape), first=not x.requires_grad)
        found[layer] = (module, found.get(layer, (module, 0))[1] + 1)

    kinds = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_pre_hook(seen) for module in kinds]
    model(batch.inputs, batch.latent_swapped)
    for hook in hooks:
        hook.remove()
    return found


def _text(module: nn.Module, x: Tensor) -> str:
    if isinstance(module, nn.Conv2d):
        kernel, stride = module.kernel_size[0], module.stride[0]
        step = f" / {stride}" if stride > 1 else ""
        kind = f"{kernel}×{kernel}{step}, {module.in_channels} → {module.out_channels}"
        return f"{kind}, {x.shape[0]} × {x.shape[2]} px"
    assert isinstance(module, nn.Linear)
    return f"dense {module.in_features} → {module.out_features}, {x.shape[0]}"


def _flop(module: nn.Module, layer: Layer) -> float:
    """FLOP of the forward pass, the weights' gradient and, except in first layers, the input's."""
    if isinstance(module, nn.Conv2d):
        n, _, h, w = layer.shape
        places = n * (h // module.stride[0]) * (w // module.stride[0])
    else:
        places = layer.shape[0]
    products = places * next(module.parameters()).numel()
    return 2.0 * products * (2 if layer.first else 3)


def _alone(module: nn.Module, layer: Layer, dtype: torch.dtype, plan: Plan) -> float:
    """Seconds of a forward and backward pass of one such layer in ``dtype``."""
    device = next(module.parameters()).device
    layer_module = module.to(dtype)  # in place: the model is not used any more
    x = torch.randn(layer.shape, device=device).to(dtype)
    if x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_(not layer.first)
    gradient = torch.randn_like(layer_module(x))

    def both() -> None:
        layer_module.zero_grad(set_to_none=True)
        x.grad = None
        torch.autograd.backward(layer_module(x), gradient)

    for _ in range(3):
        both()
    return timed(both, device, plan.blocks, plan.seconds / 10).seconds
