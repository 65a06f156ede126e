"""Fit a model: start or resume a run, search for its settings, train, and return the result."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import nn

from faceswap.background import in_background
from faceswap.events import Event, Notice
from faceswap.training.distributed import Placement
from faceswap.training.job_mark import JobStart
from faceswap.training.live_tuning import Tuner
from faceswap.training.loop import TrainingLoop, TrainingTask
from faceswap.training.metrics_log import describe_progress, read_metrics
from faceswap.training.resume_point import ResumePoint, find_resume_point
from faceswap.training.run_identity import RunIdentity
from faceswap.training.run_lock import lock_run
from faceswap.training.searches import Searches
from faceswap.training.state import AuxiliaryModel, LoopConfig
from faceswap.training.threads import set_current_device


@dataclass(frozen=True)
class Session:
    """How one session of a run is trained.

    start: where the run stands, as found by a caller that has locked the run (run_lock.py); by
    default ``fit`` locks the run and finds out. searches: before training. begun_at: where the job
    began that the training is a part of, see job_mark.py. auxiliary: a model trained beside the
    main one, such as a discriminator. tuner: applies options that are changed while the run trains.
    """

    start: ResumePoint | None = None
    searches: Searches = field(default_factory=Searches)
    begun_at: JobStart | None = None
    auxiliary: AuxiliaryModel | None = None
    tuner: Tuner | None = None


@dataclass(frozen=True)
class FitResult:
    """A run at the end of a session.

    model: with averaged weights (EMA), in evaluation mode. checkpoint: its file. step, seconds: of
    training, earlier sessions included. samples_per_second: in this session, in the unit of
    ``LoopConfig``. metrics: the last value of each. trend: the run's progress in words. skipped:
    steps that were skipped because of a loss spike.
    """

    model: nn.Module
    checkpoint: Path
    step: int
    seconds: float
    samples_per_second: float
    metrics: Mapping[str, float]
    trend: str
    skipped: int


def fit(
    task: TrainingTask,
    model: nn.Module,
    config: LoopConfig,
    run: RunIdentity,
    place: Placement = Placement(),  # noqa: B008  (it is frozen)
    session: Session = Session(),
) -> Generator[Event, None, FitResult]:
    """Train ``model`` on ``task``, from where the run in ``run.folder`` stands.

    Trains until the budget of ``config`` is used up or the generator is closed; either way the
    last step is saved. Raises ProjectError when another process trains the run, CheckpointError
    when it has another architecture or optimiser, OptionsError when the model can't be computed in
    the precision asked for, TrainingError when training diverges beyond recovery or memory is too
    small, OutputError when the last save fails.
    """
    leads = place.group.is_main
    if session.start is None:
        with lock_run(run.folder, leads=leads):
            start = yield from in_background(
                "load", lambda _: find_resume_point(run.folder, leads=leads), "checkpoints"
            )
            session = replace(session, start=start)
            return (yield from fit(task, model, config, run, place, session))
    start, searches = session.start, session.searches
    for problem in start.problems:
        yield Notice(message=problem)

    def begin() -> TrainingLoop:
        set_current_device(place.device)
        loop = TrainingLoop(
            task,
            model,
            searches.apply(config),
            run,
            place,
            auxiliary=session.auxiliary,
            tuner=session.tuner,
        )
        if (checkpoint := start.take()) is not None:
            loop.resume(checkpoint)
        return loop

    loop = yield from in_background("load", lambda _: begin(), "weights")
    before = loop.state.seconds
    for events in (loop.search(searches), loop.run(session.begun_at)):
        with closing(events):
            yield from events
    speed = loop.samples_seen / max(1e-9, loop.state.seconds - before)
    return (yield from in_background("train", lambda _: _result(loop, run.folder, speed)))


def _result(loop: TrainingLoop, folder: Path, speed: float) -> FitResult:
    state, rows = loop.state, read_metrics(folder / "metrics.jsonl")
    return FitResult(
        model=state.ema_model,
        checkpoint=loop.checkpoints.path(state.step),
        step=state.step,
        seconds=state.seconds,
        samples_per_second=speed,
        metrics={name: value for row in rows for name, value in row.items()},
        trend=describe_progress(rows, loop.stepper.config.measure or ""),
        skipped=int(state.skipped),
    )
