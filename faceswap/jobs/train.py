"""Train a swap model: start or resume a run."""

from collections.abc import Generator
from pathlib import Path

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Notice, Progress, Summary
from faceswap.notifications import with_notifications
from faceswap.swap.training.option_checks import check_rate
from faceswap.swap.training.options import TrainOptions
from faceswap.training.job_mark import JobStart


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
    yield from import_in_background("load", "faceswap.swap.training.swap_run")
    from faceswap.device_support import TRAINING
    from faceswap.devices import resolve_device
    from faceswap.swap.training.swap_run import prepare_swap_run
    from faceswap.training.distributed import join_process_group
    from faceswap.training.fit import fit
    from faceswap.training.run_lock import lock_run

    device = yield from resolve_device(options.device, TRAINING)
    with (
        join_process_group(device) as place,
        lock_run(project.runs_folder / options.run, leads=place.group.is_main),
    ):
        run = yield from in_background(
            "load",
            lambda report: prepare_swap_run(options, project, place, begun_at, report),
            "faces",
        )
        for message in run.notices:
            yield Notice(message=message)
        result = yield from fit(run.task, run.model, run.config, run.identity, place, run.session)
    return TrainSummary(
        model=result.checkpoint,
        step=result.step,
        seconds=result.seconds,
        faces_per_second=result.samples_per_second,
        psnr=result.metrics.get("held-out PSNR"),
        ssim=result.metrics.get("held-out SSIM"),
        skipped=result.skipped,
        state=result.trend,
    )
