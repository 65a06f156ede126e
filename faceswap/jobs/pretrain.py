"""Pretrain a model on faces of many people; new runs start from its weights."""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    import_in_background,
    in_background,
    uninterruptible,
)
from faceswap.errors import InputError, OptionsError, OutputError
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.notifications import with_notifications
from faceswap.options import Device, Notify, Options, Overwrite, Presentation, Steps
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS
from faceswap.swap.training.option_fields import VARIED, OptimizerName, PresetName

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.training.face_set import FaceSet
    from faceswap.swap.training.task import SwapTask
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.fit import FitResult
    from faceswap.training.searches import Searches
    from faceswap.training.state import LoopConfig

_CROP = 256
_MIN_FACE = 48  # pixels; smaller faces show no detail


class PretrainOptions(Options):
    """Pretrain a model on faces of many people, for 'train --init'."""

    renamed: ClassVar[Mapping[str, str]] = {"optimiser": "optimizer"}

    folders: Annotated[
        list[Path],
        Presentation(positional=True, common=True),
        Field(
            min_length=1,
            description="Folders with crops from 'extract', or with any pictures, in which faces "
            "are then detected.",
        ),
    ]
    output: Annotated[
        Path, Presentation(short="-o", common=True), Field(description="The model file to write.")
    ]
    run: Annotated[
        Path | None,
        Field(
            description="Folder for the run's checkpoints, to resume it later; by default beside "
            "the output."
        ),
    ] = None
    preset: PresetName = DEFAULT_PRESET
    minutes: Annotated[
        float | None,
        Presentation(common=True),
        Field(gt=0, description="Training budget in minutes; this or --steps is needed."),
    ] = None
    steps: Steps = None
    batch: Annotated[
        Annotated[int, Field(ge=1)] | Literal["auto"],
        Field(description="Batch size: faces per step; auto finds it, as in 'train --batch'."),
    ] = 32
    resolution: Annotated[
        int | None,
        Field(ge=64, le=512, description="Model resolution in pixels; the preset's by default."),
    ] = None
    variant: Annotated[
        str | None, Field(description=f"Variant of {VARIED}, as in 'train --variant'.")
    ] = None
    optimizer: OptimizerName = "adamw"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Random seed.")] = 0
    notify: Notify = None
    overwrite: Overwrite = False


class PretrainSummary(Summary):
    """Result of pretraining."""

    output: Path
    faces: int
    step: int

    def text(self) -> str:
        """What was trained, and how to use it."""
        return (
            f"{self.output}: trained on {self.faces:,} faces for {self.step:,} steps. Start runs "
            f"from it with 'faceswap train --init {self.output}'."
        )


def pretrain(options: PretrainOptions) -> Generator[Event, None, PretrainSummary]:
    """Pretrain a model on faces of many people, for 'train --init'.

    Reads folders of faces and writes one model file at the end of the training budget. All people
    share one decoder, so the model learns faces in general. Stopped or killed, it resumes from its
    last checkpoint.

        faceswap pretrain FACES -o faces.safetensors --minutes 600
    """
    about = {"RUN": str((options.run or options.output).absolute())}
    return (yield from with_notifications(_pretrain(options), options.notify, about))


def _pretrain(options: PretrainOptions) -> Generator[Event, None, PretrainSummary]:
    _check(options)
    yield Progress(stage="pretrain", done=0, unit="steps")
    yield from import_in_background(
        "load", "faceswap.training.fit", "faceswap.swap.training.task", "faceswap.faces.finder"
    )
    from faceswap.training.run_lock import lock_run

    folder = options.run or options.output.with_suffix(".pretrain")
    with lock_run(folder):
        return (yield from _learn(options, folder))


def _learn(options: PretrainOptions, folder: Path) -> Generator[Event, None, PretrainSummary]:
    """Pretrain in the run's ``folder``; the caller holds its lock."""
    from faceswap.device_support import TRAINING
    from faceswap.devices import resolve_device
    from faceswap.swap.model.presets import KIND
    from faceswap.training import job_mark
    from faceswap.training.distributed import Placement
    from faceswap.training.fit import Session, fit
    from faceswap.training.resume_point import find_resume_point
    from faceswap.training.run_identity import RunIdentity

    device = yield from resolve_device(options.device, TRAINING)
    start = yield from in_background("load", lambda _: find_resume_point(folder), "checkpoints")
    model, searches = yield from in_background(
        "load", lambda _: _model(options, folder, start.checkpoint), "models"
    )
    folders = yield from _cropped(options.folders, folder / "faces")
    task, people = yield from in_background(
        "load", lambda report: _task(folders, model, device, report), "faces"
    )
    for problem in people.problems:
        yield Notice(message=problem)
    result = yield from fit(
        task,
        model,
        _config(options),
        RunIdentity(folder, KIND, model.config.model_dump()),
        Placement(device),
        Session(start, searches, job_mark.mark_job_start(folder, start.step, start.seconds)),
    )
    faces = len(people.training)
    yield from in_background("pretrain", lambda _: _write(options.output, result, faces))
    job_mark.clear_job_mark(folder)
    yield Saved(what="model", path=options.output)
    return PretrainSummary(output=options.output, faces=faces, step=result.step)


def _task(
    folders: Sequence[Path], model: "SwapModel", device: "torch.device", report: ProgressReporter
) -> "tuple[SwapTask, FaceSet]":
    from faceswap.swap.training.face_selection import FaceLoadConfig, load_face_folders
    from faceswap.swap.training.objective import ObjectiveConfig
    from faceswap.swap.training.task import SwapTask

    people = load_face_folders(folders, "b", FaceLoadConfig(model.resolution), report)
    report.begin("load", "faces")
    # Many people: flips do no harm, and photographs differ in white balance and exposure.
    objective = ObjectiveConfig(flip=0.5, brightness=0.1, tint=0.08)
    return SwapTask({"b": people}, model.input_size, objective, device, report), people


def _config(options: PretrainOptions) -> "LoopConfig":
    from faceswap.training.state import LoopConfig

    return LoopConfig(
        steps=options.steps,
        minutes=options.minutes,
        batch_size=32 if options.batch == "auto" else options.batch,
        optimiser=options.optimizer,
        learning_rate=PRESETS[options.preset].learning_rate,
        seed=options.seed,
        measure="held-out SSIM",
        unit_name="faces",
    )


def _write(path: Path, result: "FitResult", faces: int) -> None:
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.model.loading import shareable_weights
    from faceswap.swap.model.presets import KIND
    from faceswap.training.checkpoint import write_checkpoint

    model = result.model
    assert isinstance(model, SwapModel)
    numbers = {"step": result.step, "faces": faces}
    with uninterruptible():
        write_checkpoint(path, KIND, model.config.model_dump(), numbers, shareable_weights(model))


def _check(options: PretrainOptions) -> None:
    path = options.output
    if options.minutes is None and options.steps is None:
        raise OptionsError("The model is written when the budget ends; add --minutes or --steps.")
    if path.suffix != ".safetensors":
        raise OutputError(f"{path.name} does not end in .safetensors; choose a name that does.")
    if path.exists() and not options.overwrite:
        raise OutputError(f"{path} exists already; use --overwrite or another name.")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"There is no folder {path.absolute().parent}; create it first.")


def _model(
    options: PretrainOptions, folder: Path, checkpoint: "Checkpoint | None"
) -> "tuple[SwapModel, Searches]":
    """The model with random weights, and the search that --batch auto asks for."""
    import torch

    from faceswap.errors import CheckpointError
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.model.loading import config_from
    from faceswap.swap.model.presets import config_of
    from faceswap.training.run_metadata import read_run_metadata
    from faceswap.training.searches import Searches

    config = config_of(options.preset, options.resolution, options.variant)
    automatic = options.batch == "auto"
    found: dict[str, float] = {}
    if checkpoint is not None:
        if config_from(checkpoint) != config:
            raise CheckpointError(
                f"The run in {folder} has another model; choose another folder with --run."
            )
        # A given batch size takes precedence over one that was found.
        found = read_run_metadata(checkpoint).notes.found if automatic else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        return SwapModel(config), Searches(batch=automatic, found=found)


def _cropped(folders: Sequence[Path], into: Path) -> Generator[Event, None, list[Path]]:
    """Folders of crops: those in ``folders``, and ``into`` with the faces found in the others."""
    from faceswap.faces.crops import crop_face, read_crop, write_crop
    from faceswap.faces.detect import make_detector
    from faceswap.faces.finder import find_faces
    from faceswap.faces.landmarks import make_landmarker
    from faceswap.io.file_types import picture_files

    found: list[Path] = []
    pictures: list[Path] = []
    yield Progress(stage="find faces", done=0, unit="pictures")
    for folder in folders:
        files = picture_files(folder)
        if not files:
            raise InputError(f"There are no pictures in {folder}; choose another folder.")
        try:
            read_crop(files[0])
        except InputError:
            pictures += files
        else:
            found.append(folder)
    if not pictures:
        return found
    landmarker, detector = yield from in_background(
        "find faces", lambda _: (make_landmarker(), make_detector()), "models"
    )
    into.mkdir(parents=True, exist_ok=True)
    meter = Meter("find faces", len(pictures), "pictures")
    look = partial(find_faces, landmarker=landmarker, detector=detector, min_face=_MIN_FACE)
    with BackgroundWorker(meter.progress) as paced:
        for number, path in enumerate(pictures):
            done = into / f"{number:06d}.done"
            if not done.exists():
                image = yield from paced(partial(_read, path))
                if image is None:
                    yield Notice(message=f"{path} cannot be read and is skipped.")
                else:
                    for face in (yield from paced(partial(look, image))):
                        crop, record = crop_face(image, face, _CROP, side="b", frame=number)
                        write_crop(into / f"{number:06d}_{face.track}.png", crop, record)
                done.touch()
            if progress := meter.add():
                yield progress
    yield meter.progress()
    return [*found, into]


def _read(path: Path) -> "NDArray[np.uint8] | None":
    import numpy as np

    from faceswap.io.pictures import read_picture

    picture = read_picture(path)
    return np.stack([picture] * 3, 2) if picture is not None and picture.ndim == 2 else picture
