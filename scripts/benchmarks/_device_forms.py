"""Forms of a training step on a device: eager, channels_last, compiled, CUDA graphs.

    eager           contiguous layout
    channels last   channels_last layout, for tensor cores; what ``train`` does
    compiled        channels last, with the model through torch.compile
    graph           the whole step of ``channels last``, from batch to optimiser, as a CUDA graph
    compiled graph  the whole step of ``compiled`` as a CUDA graph

A graph replays one step, to measure the gain; it is no training: learning rate, strength of the
random warp and EMA decay stay at their recorded values.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from benchmarks._measuring import timed
from faceswap.devices import Precision
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import PRESETS, SwapConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapTask
from faceswap.training.compilation import compile_model
from faceswap.training.state import LoopConfig, TrainingState
from faceswap.training.step import TrainStepper

PROGRESS = 0.3
"""Simulated progress of the run: the random warp has its full strength, warm-up is over."""
SETTLED = 10_000
"""Simulated step of the run: past all special rules for its first steps."""

EAGER, LAST, COMPILED = "eager", "channels last", "compiled"
GRAPHS = {LAST: "graph", COMPILED: "compiled graph"}
"""Form of the CUDA graph of each form that has one."""


class Form(Protocol):
    """A form of the training step."""

    name: str

    def step(self) -> None:
        """Take a step, asynchronously."""

    def loss(self) -> Tensor:
        """Loss of the last step, on the device."""

    def batch_share(self, seconds: float) -> float:
        """Share of a step of ``seconds`` that making its batch takes."""


def prepared(name: str, stepper: TrainStepper) -> None:
    """Set up ``stepper`` for the form ``name``, which is no graph."""
    if name == EAGER:
        for module in (stepper.state.model, stepper.state.ema_model):
            to_plain_layout(cast(SwapModel, module))
    if name == COMPILED:
        # On a CPU inductor takes minutes to compile a model; tracing alone is quick.
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
    """The stepper that ``train`` would use on ``sides``, with fixed seed."""
    torch.manual_seed(0)
    model = SwapModel(config)
    task = kind(sides, model.input_size, ObjectiveConfig(), device)
    settings = LoopConfig(
        batch_size=batch,
        learning_rate=PRESETS[config.preset].learning_rate,
        unit_name="faces",
        samples_per_item=2,
    )
    return TrainStepper(task, TrainingState(model, settings, precision, device), settings)


def to_plain_layout(model: SwapModel) -> None:
    """Convert kernels and activations to the contiguous layout (N, C, H, W)."""

    def plain(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(x.contiguous() for x in inputs)

    for parameter in model.parameters():
        parameter.data = parameter.data.contiguous()
    # The two places where the model converts its input to channels_last.
    entries: list[Any] = [model.network.encoder]
    entries += [inter.upscale for inter in model.network.inters.values()]
    for entry in entries:
        entry.register_forward_pre_hook(plain)


class Stepped:
    """A stepper's own steps. warming: warm-up steps, for autotuning and compilation, not timed."""

    def __init__(self, name: str, stepper: TrainStepper, warming: int) -> None:
        self.name = name
        self._stepper = stepper
        self._losses: dict[str, Tensor] = {}
        for _ in range(warming):
            self.step()
        # Set after warm-up: gradient-norm statistics are collected in a run's first steps.
        stepper.state.step = SETTLED
        stepper.reset_sums()

    def step(self) -> None:
        """See ``Form``."""
        self._losses = self._stepper.train_step(1.0, PROGRESS)

    def loss(self) -> Tensor:
        """See ``Form``."""
        return self._losses["loss"]

    def batch_share(self, seconds: float) -> float:
        """See ``Form``; over all steps taken."""
        return self._stepper.batch_seconds / max(self._stepper.seconds, 1e-9)


class Replayed:
    """A stepper's step as a CUDA graph.

    The constructor raises RuntimeError when the step synchronises with the device.
    """

    def __init__(self, name: str, stepper: TrainStepper) -> None:
        self.name = name
        self._stepper = stepper
        # The optimiser's step counters are on the device already.
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
        """See ``Form``; timed by a graph of the batch alone."""
        stepper, generator = self._stepper, self._stepper.state.generator
        kept: list[object] = []

        def draw() -> None:
            kept[:] = [stepper.task.batch(stepper.config.batch_size, generator, PROGRESS)]

        alone = _recorded(draw, generator)
        return timed(alone.replay, generator.device, seconds=0.1).seconds / seconds


def _recorded(work: Callable[[], None], generator: torch.Generator) -> torch.cuda.CUDAGraph:
    """Capture ``work`` as a CUDA graph; each replay draws new random numbers of ``generator``."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):  # warm-up before capture: allocation, autotuning, compilation
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        work()
    return graph
