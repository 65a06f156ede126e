from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_faces import draw_project
from torch.utils._python_dispatch import TorchDispatchMode

from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.adversarial import (
    AdversarialConfig,
    AdversarialTask,
    AdversarialTrainer,
)
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.training import optimisers
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper

CPU = torch.device("cpu")
# What has to know values before it can go on; on a graphics card each waits for all that came
# before.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::is_nonzero",
    "aten::equal",
    "aten::nonzero",
    "aten::masked_select",
    "aten::unique_consecutive",
    "aten::_unique2",
    "aten::lift_fresh",  # numbers from Python, which are sent
}


class Watch(TorchDispatchMode):
    """Writes down what would wait for the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waited: list[str] = []
        self.calls = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.calls += 1
        name = func._schema.name
        # Places given as yes and no have to be counted before there is a result to give.
        by_mask = name.startswith("aten::index") and any(
            isinstance(x, torch.Tensor) and x.dtype == torch.bool for x in _flat(args)
        )
        if name in WAITING or by_mask:
            self.waited.append(name)
        return func(*args, **(kwargs or {}))


def _flat(args: Any) -> list[Any]:
    if isinstance(args, list | tuple):
        return [x for arg in args for x in _flat(arg)]
    return [args]


def test_the_watch_sees_what_waits() -> None:
    x = torch.arange(3.0)
    with Watch() as watch:
        assert float(x.sum()) == 3
        assert bool((x > -1).all())
        x[x > 1]
    assert len(watch.waited) == 3


@pytest.mark.parametrize("optimiser", ["adamw", "adabelief", "lion"])
def test_no_step_waits_for_the_device(
    optimiser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimisers, "_is_free_to_read", lambda _: False)  # as on a card
    project = draw_project(tmp_path, 16)
    sides = {s: load_faces(project.crops_folder(s), s, FaceLoadConfig(64)) for s in ("a", "b")}
    torch.manual_seed(0)
    model = SwapModel(SwapConfig(preset="quick", resolution=64))
    everything = dict.fromkeys(
        ["dssim", "ms_ssim", "mse", "laplacian", "frequency", "flip", "occlusion", "blur"], 0.5
    ) | {"noise": 0.05, "compression": 0.1}
    adversary = AdversarialTrainer(AdversarialConfig(0.1, start=0.0, ramp=0.1), CPU)
    objective = ObjectiveConfig.model_validate(everything)
    task = AdversarialTask(sides, model.input_size, objective, CPU, adversary)
    config = LoopConfig(batch_size=2, precision="fp32", optimiser=optimiser)
    state = TrainingState(model, config, "fp32", CPU, adversary)
    stepper = TrainStepper(task, state, config)
    stepper.step(0.3)  # the first one makes the optimiser's state
    with Watch() as watch:
        stepper.step(0.3)
    assert watch.calls > 500
    assert watch.waited == []
    assert "judge" in stepper.sums
