"""Teach a model both faces."""

from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceswap.events import Event, Notice, Progress, Summary
from faceswap.jobs.train_options import LEARNING, TrainOptions, gone_on_with
from faceswap.swap.objective import CHANGES, LOSSES, Objective, strengths

if TYPE_CHECKING:
    import torch

    from faceswap.project import Project
    from faceswap.swap.adversary import Adversary
    from faceswap.swap.model import SwapModel
    from faceswap.swap.sides import FaceSet
    from faceswap.training.checkpoint import Checkpoint
    from faceswap.training.distributed import Group
    from faceswap.training.loop import Loop
    from faceswap.training.state import LoopConfig


class TrainSummary(Summary):
    """What a training run came to."""

    model: Path
    step: int
    seconds: float
    faces_per_second: float
    psnr: float | None
    ssim: float | None
    skipped: int
    state: str

    def text(self) -> str:
        """What was learnt, and how it goes on."""
        facts = []
        if self.faces_per_second:
            speed = self.faces_per_second
            facts.append(f"{speed:.0f} faces/s" if speed >= 1 else f"{speed:.2f} faces/s")
        if self.psnr is not None and self.ssim is not None:
            facts.append(f"held-out PSNR {self.psnr:.1f} dB and SSIM {self.ssim:.3f}")
        known = f" ({', '.join(facts)})" if facts else ""
        return f"Step {self.step:,}{known}; {self.state}. Saved as {self.model}."


def train(options: TrainOptions) -> Generator[Event, None, TrainSummary]:
    """Teach a model the faces of A and B.

    Stopped in any way and started again, it goes on from its last save, with the options it had
    where none are given. Nothing of an earlier run is overwritten: another preset needs another
    name.
    """
    from faceswap.project import Project
    from faceswap.training.distributed import joined
    from faceswap.training.lock import held
    from faceswap.training.precision import pick_device

    project = Project.open(options.project)
    with (
        joined(pick_device(options.device)) as (group, device),
        held(project.model / options.name, leads=group.leads),
    ):
        return (yield from _learn(options, project, group, device))


def _learn(
    options: TrainOptions, project: "Project", group: "Group", device: "torch.device"
) -> Generator[Event, None, TrainSummary]:
    """Train, as one of ``group``, the run that it holds."""
    from faceswap.swap.adversary import AdversarialTask
    from faceswap.swap.faceset import LoadConfig, load_faces
    from faceswap.swap.model import KIND
    from faceswap.swap.task import SwapTask
    from faceswap.training.checkpoint import CheckpointFolder
    from faceswap.training.loop import Loop

    folder = project.model / options.name
    _check_rate(options)
    checkpoint, problems = CheckpointFolder(folder).go_on(leads=group.leads)
    options, found = _gone_on(options, checkpoint)
    _check_end(options)
    _check_alone(options, found, group)
    model, told = _model(options, checkpoint)
    problems += told
    config = LoadConfig(
        model.resolution, options.min_presence, options.min_sharpness, options.balanced
    )
    yield Progress(stage="train", done=0, unit="steps")
    a, b = load_faces(project.faces("a"), "a", config), load_faces(project.faces("b"), "b", config)
    for problem in (*problems, *a.problems, *b.problems):
        yield Notice(message=problem)
    learnt, objective = {"a": a, "b": b}, _objective(options)
    adversary = _adversary(options, device, group)
    if adversary is None:
        task = SwapTask(learnt, model.input_size, objective, device)
    else:
        task = AdversarialTask(learnt, model.input_size, objective, device, adversary)
    loop = Loop(
        task,
        model,
        _loop_config(options, found),
        folder,
        KIND,
        model.config.model_dump(),
        device,
        group,
        begun=options.remembered(),
        losses=_compared(options, objective, learnt),
        companion=adversary,
    )
    if checkpoint is not None:
        loop.resume(checkpoint)
        loop.state.notes |= {"begun": options.remembered(), "found": found}
    wanted = {"batch": options.batch == "auto", "rate": options.find_rate}
    with closing(
        loop.tune(**{name: on and name not in found for name, on in wanted.items()})
    ) as events:
        yield from events
    step, seconds = loop.state.step, loop.state.seconds
    with closing(loop.run()) as events:
        yield from events
    faces = (loop.state.step - step) * loop.config.batch * loop.config.per_unit
    return _summary(loop, faces / max(1e-9, loop.state.seconds - seconds))


def _gone_on(
    options: TrainOptions, checkpoint: "Checkpoint | None"
) -> tuple[TrainOptions, dict[str, float]]:
    """The options as the run has them, and the batch and rate that it found for itself."""
    from faceswap.swap.model import config_from
    from faceswap.training.begun import run_numbers

    if checkpoint is None:
        return options, {}
    numbers = run_numbers(checkpoint)
    asked = {name for name in options.given() if getattr(options, name) != "auto"}
    found = {name: value for name, value in numbers.notes.found.items() if name not in asked}
    return gone_on_with(options, numbers, config_from(checkpoint)), found


def _model(options: TrainOptions, checkpoint: "Checkpoint | None") -> "tuple[SwapModel, list[str]]":
    """The run's model before it goes on, and what to tell of that."""
    import torch

    from faceswap.errors import OptionsError
    from faceswap.swap.model import SwapModel, config_from, config_of, freeze

    if checkpoint is None:
        config = config_of(options.preset, options.resolution, options.variant)
    else:
        config = config_from(checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = SwapModel(config)
    if "mask" in strengths(options.losses, LOSSES) and not model.learns_masks:
        raise OptionsError(
            f"The preset {config.preset} learns no mask; leave mask out of --losses."
        )
    told = _done(options, checkpoint) if checkpoint is not None else _start(model, options)
    freeze(model, options.freeze)
    return model, told


def _done(options: TrainOptions, checkpoint: "Checkpoint") -> list[str]:
    step = checkpoint.numbers["step"]
    if options.steps is None or step < options.steps:
        return []
    return [
        f"The run has done {step:,} steps, and {options.steps:,} were asked for: there is nothing "
        "left to do; ask for more by --steps."
    ]


def _start(model: "SwapModel", options: TrainOptions) -> list[str]:
    """Give a new run's model the weights that it starts from; what to tell of that."""
    from faceswap.assets import asset_path
    from faceswap.swap.model import PRESETS, reuse
    from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint

    path = options.start_from
    if path is not None:
        taken = reuse(model, read_checkpoint(newest_checkpoint(path) if path.is_dir() else path))
        return [f"Starting from {path}: {', '.join(taken)} taken over."]
    if not options.fresh and model.config == PRESETS["quick"]:
        reuse(model, read_checkpoint(asset_path("quick.safetensors")))
    return []


def _check_end(options: TrainOptions) -> None:
    from faceswap.errors import OptionsError

    if options.adversarial > 0 and options.minutes is None and options.steps is None:
        raise OptionsError(
            "--adversarial begins late in a run, and this one has no end; add --minutes or --steps."
        )


def _check_rate(options: TrainOptions) -> None:
    from faceswap.errors import OptionsError

    if options.rate is not None and options.find_rate:
        raise OptionsError("--rate names the rate that --find-rate is to find; give one of them.")


def _check_alone(options: TrainOptions, found: Mapping[str, float], group: "Group") -> None:
    from faceswap.errors import OptionsError

    if options.batch == "auto" and "batch" not in found and group.size > 1:
        raise OptionsError("--batch auto needs a single process; give several ones a number.")


def _adversary(options: TrainOptions, device: "torch.device", group: "Group") -> "Adversary | None":
    from faceswap.swap.adversary import Adversary, AdversaryConfig

    if options.adversarial == 0:
        return None
    config = AdversaryConfig(options.adversarial, options.adversarial_begin, seed=options.seed)
    return Adversary(config, device, group)


def _objective(options: TrainOptions) -> Objective:
    plain = {
        "warp": options.warp,
        "features": options.features,
        "flip": 0.5 * options.flip,
        "pairs": options.pairs,
        "occlusion": options.occlusion,
        "blur": options.degrade,
        "noise": 0.05 * options.degrade,
        "compression": 0.1 * options.degrade,
    }
    changes = strengths(options.changes, CHANGES)
    return Objective.model_validate(plain | changes | strengths(options.losses, LOSSES))


def _compared(
    options: TrainOptions, objective: Objective, learnt: "Mapping[str, FaceSet]"
) -> dict[str, Any]:
    """What losses depend on besides the model: those of other values can't be compared."""
    return {
        "objective": objective.model_dump(mode="json"),
        "adversarial": options.adversarial,
        "faces": {side: len(faces.training) for side, faces in learnt.items()},
    }


def _loop_config(options: TrainOptions, found: Mapping[str, float]) -> "LoopConfig":
    from faceswap.training.state import LoopConfig

    rate, faces = LEARNING[options.preset]
    batch = faces if options.batch in (None, "auto") else options.batch
    return LoopConfig(
        steps=options.steps,
        minutes=options.minutes,
        batch=int(found.get("batch", batch)),
        optimiser=options.optimiser,
        rate=found.get("rate", options.rate or rate),
        seed=options.seed,
        precision=None if options.precision == "auto" else options.precision,
        compile=options.compile,
        preview_seconds=options.preview_seconds,
        save_seconds=60 * options.save_minutes,
        save_steps=options.save_steps,
        keep=options.keep,
        measure="held-out SSIM",
        noun="faces",
        per_unit=2,
    )


def _summary(loop: "Loop", faces_per_second: float) -> TrainSummary:
    from faceswap.training.records import read_metrics, state_sentence

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
        state=state_sentence(rows),
    )
