"""A stand-in for a graphics card: PyTorch's meta device, which computes nothing and knows no value.

Code that needs a value, or mixes the processor's tensors with the card's, fails there as it would
wait, or fail, on a card. ``LossMonitor`` writes down what else would: what is drawn from the
processor's random numbers, sent to the card, or made beside it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.adversarial import (
    AdversarialConfig,
    AdversarialTask,
    AdversarialTrainer,
)
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper

CARD = torch.device("meta")
CPU = torch.device("cpu")
EVERYTHING: dict[str, Any] = dict.fromkeys(
    ["dssim", "ms_ssim", "mse", "laplacian", "frequency", "flip", "occlusion", "blur"], 0.5
) | {"noise": 0.05, "compression": 0.1, "cells": (4, 8)}

SMALL = [
    SwapConfig(preset="quick", resolution=64),
    SwapConfig(preset="classic", resolution=64),
    SwapConfig(preset="df", resolution=64, encoder=8, decoder=8, mask=8, code=32, variant="udtc"),
    SwapConfig(preset="liae", resolution=64, encoder=8, decoder=8, mask=8, code=32, variant="ud"),
]
"""Each preset as small as it can be."""


class CardGenerator(torch.Generator):
    """Random numbers of the stand-in."""

    def __new__(cls, device: object = None) -> "CardGenerator":
        return super().__new__(cls)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return CARD


@contextmanager
def stand_in() -> Iterator[None]:
    """Let the training step take the stand-in for a card."""
    autocast, clip = torch.autocast, nn.utils.clip_grad_norm_

    def cast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        here = device_type == CARD.type
        return nullcontext() if here else autocast(device_type, *args, **kwargs)

    def clipped(*args: Any, foreach: bool | None = None, **kwargs: Any) -> Any:
        return clip(*args, **kwargs)  # which PyTorch does one by one where it knows no better

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "Generator", CardGenerator)
        patch.setattr(torch, "autocast", cast)
        adam = sys.modules[torch.optim.AdamW.__mro__[1].__module__]
        patch.setattr(adam, "_device_dtype_check_for_fused", lambda *_, **__: None)
        patch.setattr(nn.utils, "clip_grad_norm_", clipped)
        yield


def move(thing: Any) -> Any:
    """``thing`` with all tensors in it on the stand-in, in place where it can be."""
    match thing:
        case torch.Tensor():
            return thing.to(CARD)
        case dict():
            return {key: move(value) for key, value in thing.items()}
        case list() | tuple() if type(thing) in (list, tuple):
            return type(thing)(move(value) for value in thing)
        case _ if type(thing).__module__.startswith("faceswap."):
            for name, value in vars(thing).items():
                object.__setattr__(thing, name, move(value))  # some are frozen
    return thing


def make_stepper(
    config: SwapConfig, sides: Mapping[str, FaceSet], batch: int = 2, **changes: Any
) -> TrainStepper:
    """A stepper on the stand-in, with every loss and change there is and a judge from 0.5 on."""
    adversary = AdversarialTrainer(AdversarialConfig(0.1, start=0.5, ramp=0.1), CARD)
    # What is found out once is found out on the processor: it may wait.
    task = AdversarialTask(
        sides,
        SwapModel(config).input_size,
        ObjectiveConfig.model_validate(EVERYTHING | changes),
        CPU,
        adversary,
    )
    settings = LoopConfig(batch_size=batch, precision="fp32")
    state = TrainingState(SwapModel(config), settings, "fp32", CARD, adversary)
    return TrainStepper(move(task), state, settings)


class Watch(TorchDispatchMode):
    """Writes down every operation.

    calls: their names and the shapes of what goes in. strays: those that work beside the card, or
    draw from other random numbers than the generator's.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[str, tuple[tuple[int, ...], ...]]] = []
        self.strays: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        result = func(*args, **kwargs)
        name = func._schema.name
        tensors = [x for x in flat([*args, *kwargs.values()]) if isinstance(x, torch.Tensor)]
        made = [x for x in flat(result) if isinstance(x, torch.Tensor)]
        self.calls.append((name, tuple(tuple(x.shape) for x in tensors)))
        if any(x.device != CARD for x in (*tensors, *made)):
            self.strays.append(f"{name} is not on the card")
        drawn = torch.Tag.nondeterministic_seeded in func.tags
        if drawn and kwargs.get("generator") is None:
            self.strays.append(f"{name} draws from other random numbers")
        return result


def flat(thing: Any) -> list[Any]:
    """All that is in lists and tuples."""
    if isinstance(thing, list | tuple):
        return [x for part in thing for x in flat(part)]
    return [thing]
