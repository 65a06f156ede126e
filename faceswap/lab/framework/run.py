"""Shared by all lab tasks: settings, training or resuming a model, and writing the results."""

import json
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ValidationError
from torch import nn

from faceswap.autoencoder.interface import Autoencoder
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import to_device
from faceswap.devices import Precision
from faceswap.errors import CheckpointError, OutputError
from faceswap.events import Event, Notice, Preview, Saved
from faceswap.io.atomic import atomic_file, make_folder
from faceswap.lab.framework.data import PictureSet, load_pictures
from faceswap.lab.framework.figure import page, write_png
from faceswap.lab.framework.models import KINDS, build, model_name
from faceswap.lab.framework.training_task import PictureTask
from faceswap.lab.task_registry import TASKS, TaskName, task_path
from faceswap.training import job_mark
from faceswap.training.checkpoint import Checkpoint, newest_checkpoint, read_checkpoint
from faceswap.training.distributed import Placement
from faceswap.training.fit import Session, fit
from faceswap.training.loop import TrainingTask
from faceswap.training.resume_point import find_resume_point
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_lock import lock_run
from faceswap.training.state import LoopConfig
from faceswap.types import UInt8Image

TaskFunction = Generator[Event, None, "TaskResult"]
"""A task: a generator that yields events and returns its result."""


@dataclass(frozen=True)
class TaskSettings:
    """Settings of a task; None means the task's default.

    folder: where models, figure and metrics are written. data: inputs. code: length of the latent
    code. size: side of the pictures. steps, minutes: training budget of each model. strength: of
    the corruption or penalty. text: what to generate. report: progress of loading the data.
    """

    folder: Path
    data: tuple[Path, ...] = ()
    code: int | None = None
    size: int | None = None
    steps: int | None = None
    minutes: float | None = None
    strength: float | None = None
    text: str | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    report: ReportProgress = no_report

    def pictures(self, channels: int | None = None) -> PictureSet:
        """Pictures of the first input, or the bundled digits; see ``load_pictures``."""
        return load_pictures(
            self.data[0] if self.data else None, self.size, channels, report=self.report
        )


@dataclass(frozen=True)
class TaskResult:
    """Result of a task: metrics by name, a summary sentence, and the paths of figure and metrics.

    json: also holds results per picture, which may be many.
    """

    figures: dict[str, Any]
    sentence: str
    figure: Path
    json: Path


def notices(*found: PictureSet) -> Generator[Event, None, None]:
    """Yield the notices of loading pictures as events."""
    for pictures in found:
        for message in pictures.notices:
            yield Notice(message=message)


class DataTask(TrainingTask, Protocol):
    """A training task with a fingerprint of its training data."""

    fingerprint: int


@dataclass(frozen=True)
class TrainingPlan:
    """How a task trains a model where the user does not say otherwise.

    name: of the run, a folder inside the settings' folder. steps: default number of steps; batch:
    examples per step; rate: learning rate. precision: None for the fastest; fp32 by default, as
    small nets gain little and likelihoods in nats need the accuracy. strength: of corruption or
    penalty, where the model's configuration does not hold it.
    """

    name: str
    steps: int
    batch: int = 64
    rate: float = 2e-3
    precision: Precision | None = "fp32"
    strength: float | None = None

    def loop_config(self, settings: TaskSettings) -> LoopConfig:
        """The training loop's configuration, with what the user asked for."""
        steps = None if settings.minutes is not None else settings.steps or self.steps
        return LoopConfig(
            steps=steps,
            minutes=settings.minutes,
            batch_size=self.batch,
            learning_rate=self.rate,
            seed=settings.seed,
            precision=self.precision,
            ema_decay=0.999,
            preview_seconds=30,
            keep_checkpoints=1,
        )


def train(
    task: DataTask,
    config: BaseModel,
    settings: TaskSettings,
    plan: TrainingPlan,
    model: nn.Module | None = None,
) -> Generator[Event, None, nn.Module]:
    """Train a model on ``task``, or resume its run; returns the model with averaged weights (EMA).

    config: rebuilds the model; a new one is built unless ``model`` is given.
    Raises CheckpointError when the folder's run has another model, other data or another
    strength: it may have been trained on pictures that are now in the test set.
    """
    folder = task_path(settings.folder, plan.name)
    kind = model_name(config)
    with lock_run(folder):
        start = find_resume_point(folder)
        if start.checkpoint is not None and not _is_of(start.checkpoint, kind, config):
            raise CheckpointError(
                f"{folder} holds another model than the one asked for; give the same options as "
                "before, or another folder with --output."
            )
        _check_data(folder, task.fingerprint, plan.strength, resumed=start.checkpoint is not None)
        if model is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                model = build(config)
            if isinstance(model, Autoencoder) and isinstance(task, PictureTask):
                model.init_output_bias(task.mean)
        result = yield from fit(
            task,
            model,
            plan.loop_config(settings),
            RunIdentity(folder, kind, config.model_dump(mode="json")),
            Placement(settings.device),
            Session(start, begun_at=job_mark.mark_job_start(folder, start.step, start.seconds)),
        )
        return result.model


def _is_of(checkpoint: Checkpoint, kind: str, config: BaseModel) -> bool:
    """Whether a checkpoint holds the model of this kind and configuration."""
    if checkpoint.kind != kind:
        return False
    try:
        return type(config).model_validate(checkpoint.config) == config
    except ValidationError:
        return False


def scaled_steps(steps: int, shape: tuple[int, int, int]) -> int:
    """Steps on pictures of ``shape`` (C, H, W) that take about as long as ``steps`` on digits.

    Large pictures are often video frames with nearly equal neighbours, which need fewer steps;
    at least a fifth of ``steps``.
    """
    return max(steps // 5, min(steps, steps * 32 * 32 // (shape[1] * shape[2])))


class TrainingSource(BaseModel):
    """Training data of a run: fingerprint of the data, and strength of corruption or penalty."""

    fingerprint: int
    strength: float | None = None


def _check_data(folder: Path, fingerprint: int, strength: float | None, *, resumed: bool) -> None:
    """Record a run's training data; raise CheckpointError when resuming with other data."""
    path = folder / "data.json"
    if resumed and path.is_file():
        try:
            known = TrainingSource.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise CheckpointError(
                f"{path} is damaged, so the model's training data is unknown; give another folder "
                "with --output."
            ) from error
        if known.strength != strength:
            raise CheckpointError(
                f"The model in {folder} was trained with another --strength; give the same, or "
                "another folder with --output."
            )
        if known.fingerprint != fingerprint:
            raise CheckpointError(
                f"The model in {folder} was trained on other data, or with another --seed, which "
                "may include today's test pictures; give another folder with --output."
            )
        return
    make_folder(folder)
    with atomic_file(path) as part:
        learnt = TrainingSource(fingerprint=fingerprint, strength=strength)
        part.write_text(learnt.model_dump_json(), encoding="utf-8")


def load_model(path: Path, device: torch.device, kind: str | None = None) -> nn.Module:
    """Load a lab model with averaged weights (EMA) from a checkpoint file or a run's folder.

    Raises CheckpointError when it is missing, damaged, or of another kind than ``kind``.
    """
    checkpoint = read_checkpoint(newest_checkpoint(path, "faceswap lab") if path.is_dir() else path)
    if checkpoint.kind not in KINDS or kind not in (None, checkpoint.kind):
        raise CheckpointError(
            f"{path} holds a model of the kind {checkpoint.kind!r}, not "
            f"{'one of the lab' if kind is None else repr(kind)}."
        )
    try:
        model = build(KINDS[checkpoint.kind][0].model_validate(checkpoint.config))
    except ValidationError as error:
        raise CheckpointError(
            f"{path} was made by another version of faceswap; train it again with 'faceswap lab'."
        ) from error
    try:
        model.load_state_dict(checkpoint.tensors_under("ema"))
    except RuntimeError as error:
        raise CheckpointError(
            f"The weights in {path} do not fit its configuration; train it again with "
            "'faceswap lab'."
        ) from error
    return to_device(model, device).eval()


def finish(
    settings: TaskSettings,
    use: TaskName,
    blocks: list[UInt8Image],
    figures: dict[str, Any],
    sentence: str,
    each: dict[str, list[Any]] | None = None,
) -> TaskFunction:
    """Write figure and metrics, yield events for them, and return the result.

    figures: metrics, independent of the number of pictures. each: lists with an entry per
    picture; they are only in the JSON file. Raises OutputError when it cannot be written.
    """
    png, numbers = settings.folder / f"{use}.png", settings.folder / f"{use}.json"
    write_png(png, page(f"{use}: {TASKS[use].text}", blocks, sentence))
    try:
        document = {"use": use, "sentence": sentence, "figures": figures, "each": each or {}}
        text = json.dumps(document, indent=1, allow_nan=False)
        numbers.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {numbers}: {error.strerror}.") from error
    # The task is finished: its runs' training budgets start afresh next time.
    for path in settings.folder.iterdir():
        if path.is_dir():
            job_mark.clear_job_mark(path)
    yield Saved(what="figures", path=numbers)
    yield Preview(path=png, caption=use)
    return TaskResult(figures, sentence, png, numbers)
