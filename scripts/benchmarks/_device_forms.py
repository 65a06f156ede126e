"""The forms a training step can take on a device, each a function that takes one step.

    eager           plain layout, one kernel after another
    channels last   the same in the layout that matrix units want; what ``train`` does
    compiled        that, with the model through torch.compile
    graph           all of ``channels last``, from the draws to the optimiser, as one CUDA graph
    compiled graph  all of ``compiled`` likewise

The graph is the work of one step at a steady rate, so it says what replaying brings, and is no
training run: the rate, the fading distortion and the averages' horizon stay as they were.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from benchmarks._measuring import timed
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.config import ObjectiveConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.options import PRESET_DEFAULTS
from faceswap.swap.training.task import SwapTask
from faceswap.training.compilation import compile_model
from faceswap.training.precision import Precision
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper

PROGRESS = 0.3
"""How far the run is said to be: distortions are whole and nothing is warming up."""
SETTLED = 10_000
"""The step it is said to be at: the rules of the first steps of a run no longer apply."""

EAGER, LAST, COMPILED = "eager", "channels last", "compiled"
GRAPHS = {LAST: "graph", COMPILED: "compiled graph"}
"""The graph of a step in each form, where one is worth recording."""


class Form(Protocol):
    """A way to take steps."""

    name: str

    def step(self) -> None:
        """Take one; returns before the device has done it."""

    def loss(self) -> Tensor:
        """The last one's loss, on the device."""

    def batch_share(self, seconds: float) -> float:
        """How much of a step, which takes so many seconds, goes into its batch."""


def prepared(name: str, stepper: TrainStepper) -> None:
    """Make ``stepper`` one that takes its steps in the form ``name``, which is no graph."""
    if name == EAGER:
        for module in (stepper.state.model, stepper.state.averaged):
            to_plain_layout(cast(SwapModel, module))
    if name == COMPILED:
        # A processor's compiler takes minutes to make code of a model; tracing it does not.
        on_card = stepper.state.generator.device.type == "cuda"
        stepper.model = compile_model(stepper.model, "inductor" if on_card else "aot_eager")


def stepper_of(
    config: SwapConfig,
    sides: Mapping[str, FaceSet],
    batch: int,
    precision: Precision,
    device: torch.device,
    kind: type[SwapTask] = SwapTask,
) -> TrainStepper:
    """What ``train`` would step with, on ``sides``; the same each time."""
    torch.manual_seed(0)
    model = SwapModel(config)
    task = kind(sides, model.input_size, ObjectiveConfig(), device)
    settings = LoopConfig(
        batch_size=batch,
        learning_rate=PRESET_DEFAULTS[config.preset][0],
        unit_name="faces",
        samples_per_item=2,
    )
    return TrainStepper(task, TrainingState(model, settings, precision, device), settings)


def to_plain_layout(model: SwapModel) -> None:
    """Lay out kernels, and what goes into them, as (N, C, H, W) throughout."""

    def plain(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x.contiguous() for x in inputs)

    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    # The two places where what goes in is given the other layout.
    entries: list[Any] = [model.network.encoder]
    entries += [inter.upscale for inter in model.network.inters.values()]
    for entry in entries:
        entry.register_forward_pre_hook(plain)


class Stepped:
    """A stepper's own steps. warming: how many are taken at once, in which kernels are looked for
    and code is made; they do not count for anything."""

    def __init__(self, name: str, stepper: TrainStepper, warming: int) -> None:
        self.name = name
        self._stepper = stepper
        self._losses: dict[str, Tensor] = {}
        for _ in range(warming):
            self.step()
        # Not from the start: how large gradients are is learnt in the first steps.
        stepper.state.step = SETTLED
        stepper.reset_sums()

    def step(self) -> None:
        """See ``Form``."""
        self._losses = self._stepper.train_step(1.0, PROGRESS)

    def loss(self) -> Tensor:
        """See ``Form``."""
        return self._losses["loss"]

    def batch_share(self, seconds: float) -> float:
        """See ``Form``; of all steps that were taken."""
        return self._stepper.batch_seconds / max(self._stepper.seconds, 1e-9)


class Replayed:
    """One step of a stepper's, recorded and replayed.

    Making it raises RuntimeError where the step asks the device anything.
    """

    def __init__(self, name: str, stepper: TrainStepper) -> None:
        self.name = name
        self._stepper = stepper
        # Its counters are on the device already; PyTorch wants to be told.
        for group in stepper.state.optimiser.param_groups:
            group["capturable"] = True
        self._losses: dict[str, Tensor] = {}
        self._graph = _recorded(self._work, stepper.state.generator)

    def _work(self) -> None:
        self._losses.update(self._stepper.graph_step(PROGRESS))

    def step(self) -> None:
        """See ``Form``."""
        self._graph.replay()

    def loss(self) -> Tensor:
        """See ``Form``."""
        return self._losses["loss"]

    def batch_share(self, seconds: float) -> float:
        """See ``Form``; by the batch's own graph."""
        stepper, generator = self._stepper, self._stepper.state.generator
        kept: list[object] = []

        def draw() -> None:
            kept[:] = [stepper.task.batch(stepper.config.batch_size, generator, PROGRESS)]

        alone = _recorded(draw, generator)
        return timed(alone.replay, generator.device, seconds=0.1).seconds / seconds


def _recorded(work: Callable[[], None], generator: torch.Generator) -> torch.cuda.CUDAGraph:
    """``work`` as a graph that draws on from ``generator`` each time it is replayed."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # memory, kernels and code are found before anything is recorded
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        work()
    return graph
