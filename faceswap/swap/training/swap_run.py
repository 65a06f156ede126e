"""A run of training a swap model, made from its options, its project and its checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from faceswap.background import ProgressReporter
from faceswap.devices import choose_precision
from faceswap.options import Side
from faceswap.project.project import Project
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.loading import config_from
from faceswap.swap.model.presets import KIND
from faceswap.swap.training.adversarial import AdversarialTask
from faceswap.swap.training.face_selection import FaceLoadConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.initial_model import initial_model
from faceswap.swap.training.live_options import LiveOptions
from faceswap.swap.training.option_checks import check_alone, check_end
from faceswap.swap.training.options import TrainOptions, resume_options
from faceswap.swap.training.person_faces import choose_people, load_person
from faceswap.swap.training.run_config import (
    adversarial_trainer,
    comparable_loss_config,
    loop_config,
    objective_config,
    rename_loss_weights,
)
from faceswap.swap.training.task import SwapTask
from faceswap.training.checkpoint import Checkpoint
from faceswap.training.distributed import Placement
from faceswap.training.fit import Session
from faceswap.training.job_mark import JobStart
from faceswap.training.resume_point import find_resume_point
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_metadata import read_run_metadata
from faceswap.training.searches import Searches
from faceswap.training.state import LoopConfig
from faceswap.training.threads import set_current_device


@dataclass(frozen=True)
class SwapRun:
    """All that ``fit`` needs to train a swap model. notices: for the user, before that."""

    task: SwapTask
    model: SwapModel
    config: LoopConfig
    identity: RunIdentity
    session: Session
    notices: list[str]


def prepare_swap_run(
    options: TrainOptions,
    project: Project,
    place: Placement,
    begun_at: JobStart | None,
    report: ProgressReporter,
) -> SwapRun:
    """Load the run's checkpoint, model and faces, and check them against ``options``.

    The caller holds the run's lock. begun_at: see job_mark.py. Raises CheckpointError, OptionsError
    or NoFaceError, with what to do.
    """
    set_current_device(place.device)
    folder = project.runs_folder / options.run
    start = find_resume_point(folder, leads=place.group.is_main)
    options, found = _resumed_options(options, start.checkpoint)
    people, choices = choose_people(project, {"a": options.person_a, "b": options.person_b})
    options = options.model_copy(update={"person_a": people["a"], "person_b": people["b"]})
    check_end(options, start.checkpoint, begun_at)
    check_alone(options, found, place.group)
    model, notices = initial_model(options, start.checkpoint)
    notices += choices
    if start.checkpoint is not None:
        notices += _nothing_left(options, start.step)
        rename_loss_weights(start.checkpoint)
    config = loop_config(options)
    choose_precision(model, place.device, config.precision)  # raises early if not supported
    faces = _load_sides(options, project, model.resolution, place.device, report)
    objective = objective_config(options)
    adversary = adversarial_trainer(options, place)
    report.begin("pair faces", "faces")
    known = faces, model.input_size, objective, place.device
    if adversary is None:
        task = SwapTask(*known, report)
    else:
        task = AdversarialTask(*known, adversary, report)
    losses = comparable_loss_config(options, objective, faces)
    return SwapRun(
        task,
        model,
        config,
        RunIdentity(folder, KIND, model.config.model_dump(), options.run_options(), losses),
        Session(
            start,
            Searches(options.batch == "auto", options.find_learning_rate, found),
            begun_at,
            adversary,
            LiveOptions(options, task, model, faces, place.group),
        ),
        [*notices, *(problem for side in faces.values() for problem in side.problems)],
    )


def _resumed_options(
    options: TrainOptions, checkpoint: Checkpoint | None
) -> tuple[TrainOptions, dict[str, float]]:
    """The options completed by the run's own, and what its searches found that still holds."""
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


def _nothing_left(options: TrainOptions, step: int) -> list[str]:
    if options.steps is None or step < options.steps:
        return []
    return [
        f"The run is at step {step:,}, past --steps {options.steps:,}: nothing left to do; give "
        "more --steps."
    ]


def _load_sides(
    options: TrainOptions,
    project: Project,
    resolution: int,
    device: torch.device,
    report: ProgressReporter,
) -> Mapping[str, FaceSet]:
    config = FaceLoadConfig(
        resolution, options.min_presence, options.min_sharpness, options.balanced_sampling, device
    )
    faces: dict[str, FaceSet] = {}
    people: Mapping[Side, str | None] = {"a": options.person_a, "b": options.person_b}
    for side, person in people.items():
        report.begin(f"load {side.upper()}", "faces")
        faces[side] = load_person(project, side, person, config, report)
    return faces
