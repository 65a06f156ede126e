"""Train a swap model: start or resume a run."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from faceswap.background import ProgressReporter, import_in_background, in_background
from faceswap.events import Event, Notice, Progress, Summary
from faceswap.notifications import with_notifications
from faceswap.options import Side
from faceswap.swap.training.option_checks import check_alone, check_end, check_masks, check_rate
from faceswap.swap.training.options import (
    TrainOptions,
    apply_tuning,
    describe_options,
    resume_options,
)
from faceswap.swap.training.run_config import (
    adversarial_trainer,
    comparable_loss_config,
    loop_config,
    objective_config,
    rename_loss_weights,
)
from faceswap.training.job_mark import JobStart

if TYPE_CHECKING:
    import torch

    from faceswap.project.project import Project
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.training.face_selection import FaceLoadConfig
    from faceswap.swap.training.face_set import FaceSet
    from faceswap.swap.training.task import SwapTask
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import ProcessGroup
    from faceswap.training.live_tuning import Tuner
    from faceswap.training.loop import TrainingLoop
    from faceswap.training.state import LoopConfig


class TrainSummary(Summary):
    """Result of a training run."""

    model: Path
    step: int
    seconds: float
    faces_per_second: float
    psnr: float | None
    ssim: float | None
    skipped: int
    state: str

    def text(self) -> str:
        """Step, speed, quality and state of the run."""
        facts = []
        if self.faces_per_second:
            speed = self.faces_per_second
            facts.append(f"{speed:.0f} faces/s" if speed >= 1 else f"{speed:.2f} faces/s")
        if self.psnr is not None and self.ssim is not None:
            facts.append(f"held-out PSNR {self.psnr:.1f} dB and SSIM {self.ssim:.3f}")
        known = f" ({', '.join(facts)})" if facts else ""
        return f"Step {self.step:,}{known}; {self.state}. Saved as {self.model}."


def train(
    options: TrainOptions, *, begun_at: JobStart | None = None
) -> Generator[Event, None, TrainSummary]:
    """Train a swap model on the faces of A and B.

    Reads the crops of both sides. Writes checkpoints, previews and loss curves (also for
    TensorBoard) to the project's model folder, in a subfolder for each --run. Stopped or killed, it
    resumes from its newest checkpoint, with the run's own options where none are given, and trains
    what is left of its budget. Preset, resolution, variant, optimizer and seed of a run are fixed:
    to change them, start another --run.

        faceswap train --project P --minutes 60
    """
    # begun_at: where the larger job that this is part of began; see training/job_mark.py.
    about = {"PROJECT": str(options.project.absolute()), "RUN": options.run}
    return (yield from with_notifications(_train(options, begun_at), options.notify, about))


def _train(
    options: TrainOptions, begun_at: JobStart | None
) -> Generator[Event, None, TrainSummary]:
    from faceswap.project.project import Project

    project = Project.open(options.project)
    check_rate(options)
    yield Progress(stage="train", done=0, unit="steps")
    yield from import_in_background(
        "load", "faceswap.training.loop", "faceswap.swap.training.adversarial"
    )
    from faceswap.training.distributed import join_process_group
    from faceswap.training.precision import pick_device
    from faceswap.training.run_lock import lock_run

    with (
        join_process_group(pick_device(options.device)) as (group, device),
        lock_run(project.runs_folder / options.run, leads=group.is_main),
    ):
        return (yield from _learn(options, project, group, device, begun_at))


def _learn(
    options: TrainOptions,
    project: "Project",
    group: "ProcessGroup",
    device: "torch.device",
    begun_at: JobStart | None,
) -> Generator[Event, None, TrainSummary]:
    """Train as one process of ``group``; the caller holds the run's lock."""
    from faceswap.device_support import TRAINING, fallback_notice

    made = yield from in_background(
        "load", lambda report: _prepare(options, project, group, device, begun_at, report), "faces"
    )
    for problem in made.problems:
        yield Notice(message=problem)
    yield from fallback_notice(device, TRAINING)
    loop = made.loop
    wanted = {"batch": made.options.batch == "auto", "rate": made.options.find_learning_rate}
    with closing(
        loop.tune(**{name: on and name not in made.found for name, on in wanted.items()})
    ) as events:
        yield from events
    seconds = loop.state.seconds
    with closing(loop.run(begun_at)) as events:
        yield from events
    rate = loop.samples_seen / max(1e-9, loop.state.seconds - seconds)
    return (yield from in_background("train", lambda _: _summary(loop, rate)))


class _Prepared(NamedTuple):
    """A run that is ready to train. found: batch size and rate found. problems: warnings."""

    loop: "TrainingLoop"
    options: TrainOptions
    found: Mapping[str, float]
    problems: Sequence[str]


def _prepare(
    options: TrainOptions,
    project: "Project",
    group: "ProcessGroup",
    device: "torch.device",
    begun_at: JobStart | None,
    report: ProgressReporter,
) -> _Prepared:
    """Load checkpoint, model and faces, and make the training loop."""
    from faceswap.swap.model.presets import KIND
    from faceswap.swap.training.adversarial import AdversarialTask
    from faceswap.swap.training.face_selection import FaceLoadConfig
    from faceswap.swap.training.task import SwapTask
    from faceswap.training.checkpoint import CheckpointFolder
    from faceswap.training.loop import TrainingLoop
    from faceswap.training.precision import choose_precision
    from faceswap.training.threads import set_current_device

    set_current_device(device)
    folder = project.runs_folder / options.run
    checkpoint, problems = CheckpointFolder(folder).load_for_resume(leads=group.is_main)
    options, found = _resumed_options(options, checkpoint)
    check_end(options, checkpoint, begun_at)
    check_alone(options, found, group)
    model, notes = _model(options, checkpoint)
    problems += notes
    loop_settings = loop_config(options, found)
    choose_precision(model, device, loop_settings.precision)  # raises early if not supported
    config = FaceLoadConfig(
        model.resolution, options.min_presence, options.min_sharpness, options.balanced_sampling
    )
    learnt = {}
    for side in ("a", "b"):
        report.begin(f"load {side.upper()}", "faces")
        learnt[side] = _faces(project, side, config, report)
    objective, adversary = objective_config(options), adversarial_trainer(options, device, group)
    report.begin("pair faces", "faces")
    if adversary is None:
        task = SwapTask(learnt, model.input_size, objective, device, report)
    else:
        task = AdversarialTask(learnt, model.input_size, objective, device, adversary, report)
    loop = TrainingLoop(
        task,
        model,
        loop_settings,
        folder,
        KIND,
        model.config.model_dump(),
        device,
        group,
        run_options=options.run_options(),
        losses=comparable_loss_config(options, objective, learnt),
        auxiliary=adversary,
        tuner=_tuner(options, task, model, learnt, group),
    )
    if checkpoint is not None:
        rename_loss_weights(checkpoint)
        loop.resume(checkpoint)
        loop.state.notes |= {"begun": options.run_options(), "found": found}
    left_out = [problem for faces in learnt.values() for problem in faces.problems]
    return _Prepared(loop, options, found, [*problems, *notes, *left_out])


def _faces(
    project: "Project", side: Side, config: "FaceLoadConfig", report: ProgressReporter
) -> "FaceSet":
    """Load a side's faces; starts over if a new extraction replaces them meanwhile."""
    from faceswap.errors import NoFaceError
    from faceswap.swap.training.face_selection import load_faces

    while True:
        before = project.generation(side), project.crops_folder(side)
        try:
            found = load_faces(before[1], side, config, report)
        except NoFaceError:
            if before == (project.generation(side), project.crops_folder(side)):
                raise
            continue
        if before == (project.generation(side), project.crops_folder(side)):
            return found


def _tuner(
    options: TrainOptions,
    task: "SwapTask",
    model: "SwapModel",
    learnt: "Mapping[str, FaceSet]",
    group: "ProcessGroup",
) -> "Tuner":
    """Function that applies requests of 'tune' to ``task``, which was made from ``options``."""
    from dataclasses import replace

    from faceswap.errors import OptionsError
    from faceswap.training.live_tuning import TuningChange

    now = options

    def tuned(values: Mapping[str, Any], config: "LoopConfig") -> TuningChange:
        nonlocal now
        values = TrainOptions.current_names(values)
        changed = apply_tuning(now, values)
        check_masks(changed, model)
        rate, batch = (
            values.get("learning_rate", config.learning_rate),
            values.get("batch", config.batch_size),
        )
        if not isinstance(rate, float) or not isinstance(batch, int) or batch % group.size:
            raise OptionsError(
                f"A rate of {rate} and a batch of {batch} can't be used; give numbers, and a batch "
                f"size that {group.size} processes can divide."
            )
        objective = objective_config(changed)
        ends = {"minutes", "steps"} & values.keys()
        new = replace(
            config,
            learning_rate=rate,
            batch_size=batch,
            minutes=changed.minutes if ends else config.minutes,
            steps=changed.steps if ends else config.steps,
            endless=config.endless and not ends,
        )
        now, task.objective = changed, objective
        compared = comparable_loss_config(changed, objective, learnt)
        return TuningChange(new, compared, changed.run_options(), describe_options(values))

    return tuned


def _resumed_options(
    options: TrainOptions, checkpoint: "Checkpoint | None"
) -> tuple[TrainOptions, dict[str, float]]:
    """The options completed by the run's own, and batch size and rate found by its searches."""
    from faceswap.swap.model.loading import config_from
    from faceswap.training.run_metadata import read_run_metadata

    if checkpoint is None:
        return options, {}
    numbers = read_run_metadata(checkpoint)
    given = {name for name in options.explicitly_set() if getattr(options, name) != "auto"}
    found = {
        name: value
        for name, value in numbers.notes.found.items()
        if TrainOptions.renamed.get(name, name) not in given
    }
    return resume_options(options, numbers, config_from(checkpoint)), found


def _model(options: TrainOptions, checkpoint: "Checkpoint | None") -> "tuple[SwapModel, list[str]]":
    """The run's model with its initial weights, and notices about them."""
    import torch

    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.model.loading import config_from, freeze_part
    from faceswap.swap.model.presets import config_of

    if checkpoint is None:
        config = config_of(options.preset, options.resolution, options.variant)
    else:
        config = config_from(checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = SwapModel(config)
    check_masks(options, model)
    notes = _if_done(options, checkpoint) if checkpoint is not None else _start(model, options)
    freeze_part(model, options.freeze)
    return model, notes


def _if_done(options: TrainOptions, checkpoint: "Checkpoint") -> list[str]:
    step = checkpoint.metadata["step"]
    if options.steps is None or step < options.steps:
        return []
    return [
        f"The run is at step {step:,}, past --steps {options.steps:,}: nothing left to do; give "
        "more --steps."
    ]


def _start(model: "SwapModel", options: TrainOptions) -> list[str]:
    """Load a new run's initial weights into ``model``; returns notices about them."""
    from faceswap.assets import asset_path
    from faceswap.swap.model.loading import load_matching_weights
    from faceswap.swap.model.presets import initial_weights
    from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint

    path = options.init
    if path is not None:
        taken = load_matching_weights(
            model, read_checkpoint(newest_checkpoint(path) if path.is_dir() else path)
        )
        return [f"Starting from {path}, with its {', '.join(taken)}."]
    asset = initial_weights(model.config)
    if asset is not None and not options.random_init:
        load_matching_weights(model, read_checkpoint(asset_path(asset)))
    return []


def _summary(loop: "TrainingLoop", faces_per_second: float) -> TrainSummary:
    from faceswap.training.metrics_log import describe_progress, read_metrics

    rows = read_metrics(loop.folder / "metrics.jsonl")
    last = {name: value for row in rows for name, value in row.items()}
    return TrainSummary(
        model=loop.checkpoints.path(loop.state.step),
        step=loop.state.step,
        seconds=loop.state.seconds,
        faces_per_second=faces_per_second,
        psnr=last.get("held-out PSNR"),
        ssim=last.get("held-out SSIM"),
        skipped=int(loop.state.skipped),
        state=describe_progress(rows),
    )
