"""What all uses of the lab share: their settings, one trained model, and the result."""

import json
import os
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel, ValidationError
from torch import nn

from faceswap.autoencoder.interface import Autoencoder
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import to_device
from faceswap.errors import CheckpointError, OutputError
from faceswap.events import Event, Notice, Preview, Saved
from faceswap.lab.framework.data import PictureSet, load_pictures
from faceswap.lab.framework.figure import page, write_png
from faceswap.lab.framework.models import KINDS, build, model_name
from faceswap.lab.framework.training_task import PictureTask
from faceswap.lab.registry import TASKS, TaskName
from faceswap.training import job_mark
from faceswap.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    newest_checkpoint,
    read_checkpoint,
)
from faceswap.training.loop import TrainingLoop, TrainingTask
from faceswap.training.precision import Precision
from faceswap.training.run_lock import hold_run
from faceswap.training.state import LoopConfig
from faceswap.types import UInt8Image

TaskFunction = Generator[Event, None, "TaskResult"]
"""What every use is: it yields events and returns its result."""


@dataclass(frozen=True)
class TaskSettings:
    """What a use is told. data: its inputs. folder: where models, figure and numbers go. None
    leaves a choice to the use: code, the length of the code; size, the side of the pictures;
    steps or minutes, how long each of its models trains; strength, of what spoils the pictures;
    text, what is to be made. report: hears how far reading is.
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
        """The pictures of the first input, or the bundled digits; see ``data.load``."""
        return load_pictures(
            self.data[0] if self.data else None, self.size, channels, report=self.report
        )


@dataclass(frozen=True)
class TaskResult:
    """What a use found: numbers by name, one sentence, and where figure and numbers lie.

    json: also holds what was found of each picture, which may be many.
    """

    figures: dict[str, Any]
    sentence: str
    figure: Path
    json: Path


def notices(*found: PictureSet) -> Generator[Event, None, None]:
    """What was done to the pictures when they were read."""
    for pictures in found:
        for message in pictures.notices:
            yield Notice(message=message)


class DataTask(TrainingTask, Protocol):
    """A task that knows what it learns from."""

    fingerprint: int


def train(
    task: DataTask,
    config: BaseModel,
    settings: TaskSettings,
    name: str,
    steps: int,
    batch: int = 64,
    rate: float = 2e-3,
    model: nn.Module | None = None,
    precision: Precision | None = "fp32",
    strength: float | None = None,
) -> Generator[Event, None, nn.Module]:
    """A model trained on ``task``, or what is left of its training; its averaged weights.

    config: what rebuilds the model; it is made anew unless ``model`` is given. name: of the run,
    a folder in the settings'. steps: of the run, where the settings don't say. precision: None
    takes the fastest, which small nets gain little from, and nats want the digits. strength: of
    what the model learns under, where its config doesn't tell.
    Raises CheckpointError when the run there is of another model, or learnt from other data or
    under another strength: what is set aside now to measure on, it may have learnt then.
    """
    folder = settings.folder / name
    kind = model_name(config)
    with hold_run(folder):
        checkpoint, problems = CheckpointFolder(folder).load_for_resume()
        for problem in problems:
            yield Notice(message=problem)
        if checkpoint is not None and not _is_of(checkpoint, kind, config):
            raise CheckpointError(
                f"{folder} holds another model than the one asked for; ask for the same, or give "
                "another folder with --output."
            )
        _check_data(folder, task.fingerprint, strength, resumed=checkpoint is not None)
        if model is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                model = build(config)
            if isinstance(model, Autoencoder) and isinstance(task, PictureTask):
                model.init_output_bias(task.mean)
        total = None if settings.minutes is not None else settings.steps or steps
        loop = TrainingLoop(
            task,
            model,
            LoopConfig(
                steps=total,
                minutes=settings.minutes,
                batch_size=batch,
                learning_rate=rate,
                seed=settings.seed,
                precision=precision,
                ema_decay=0.999,
                preview_seconds=30,
                keep_checkpoints=1,
            ),
            folder,
            kind,
            config.model_dump(mode="json"),
            settings.device,
        )
        if checkpoint is not None:
            loop.resume(checkpoint)
        checkpoint = None  # which maps a file that later saves remove
        with closing(
            loop.run(job_mark.mark_job_start(folder, loop.state.step, loop.state.seconds))
        ) as events:
            yield from events
        return loop.state.averaged


def _is_of(checkpoint: Checkpoint, kind: str, config: BaseModel) -> bool:
    """Whether a checkpoint holds the model of this kind and configuration."""
    if checkpoint.kind != kind:
        return False
    try:
        return type(config).model_validate(checkpoint.config) == config
    except ValidationError:
        return False


def scaled_steps(steps: int, shape: tuple[int, int, int]) -> int:
    """Steps for pictures of ``shape`` (C, H, W) that take about as long as ``steps`` of digits'.

    Large pictures come with nearly equal neighbours and need fewer; never less than a fifth.
    """
    return max(steps // 5, min(steps, steps * 32 * 32 // (shape[1] * shape[2])))


class TrainingSource(BaseModel):
    """What a run learns from: a number that tells data apart, and what spoils or restrains it."""

    fingerprint: int
    strength: float | None = None


def _check_data(folder: Path, fingerprint: int, strength: float | None, *, resumed: bool) -> None:
    """Remember what a run learns from, and refuse to go on with something else."""
    path = folder / "data.json"
    if resumed and path.is_file():
        try:
            known = TrainingSource.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise CheckpointError(
                f"{path} is damaged, and so nobody knows what the model has learnt from; give "
                "another folder with --output."
            ) from error
        if known.strength != strength:
            raise CheckpointError(
                f"The model in {folder} was trained under another --strength; give the same, or "
                "another folder with --output."
            )
        if known.fingerprint != fingerprint:
            raise CheckpointError(
                f"The model in {folder} has learnt from other data, or with another --seed, and "
                "may know what it would now be measured on; give another folder with --output."
            )
        return
    part = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        learnt = TrainingSource(fingerprint=fingerprint, strength=strength)
        part.write_text(learnt.model_dump_json(), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error


def load_model(path: Path, device: torch.device, kind: str | None = None) -> nn.Module:
    """The averaged weights of a model that the lab trained: a file, or the folder of its run.

    Raises CheckpointError when it is missing, damaged, or of another kind than asked for.
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
        raise CheckpointError(f"{path} holds another architecture than it says.") from error
    return to_device(model, device).eval()


def finish(
    settings: TaskSettings,
    use: TaskName,
    blocks: list[UInt8Image],
    figures: dict[str, Any],
    sentence: str,
    each: dict[str, list[Any]] | None = None,
) -> TaskFunction:
    """Write the figure and the numbers, tell of them, and return the result.

    figures: as many for few pictures as for many. each: lists that grow with the pictures; they
    are written with the numbers and told nowhere else.
    """
    png, numbers = settings.folder / f"{use}.png", settings.folder / f"{use}.json"
    write_png(png, page(f"{use}: {TASKS[use].text}", blocks, sentence))
    try:
        document = {"use": use, "sentence": sentence, "figures": figures, "each": each or {}}
        text = json.dumps(document, indent=1, allow_nan=False)
        numbers.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {numbers}: {error.strerror}.") from error
    # What was trained for this is told of now: the next time is another.
    for path in settings.folder.iterdir():
        if path.is_dir():
            job_mark.clear_job_mark(path)
    yield Saved(what="figures", path=numbers)
    yield Preview(path=png, caption=use)
    return TaskResult(figures, sentence, png, numbers)
