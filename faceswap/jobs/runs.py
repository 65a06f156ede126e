"""Manage a project's training runs: list them, roll back, and free disk space."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from faceswap.background import import_in_background, in_background
from faceswap.errors import CheckpointError, OptionsError, ProjectError
from faceswap.events import Event, Notice, Summary
from faceswap.options import Options, Presentation, ProjectFolder
from faceswap.swap.training.option_fields import RunName

if TYPE_CHECKING:
    from faceswap.training.run_folder import RunFolder


class RunsOptions(Options):
    """List a project's training runs, roll one back, and free disk space."""

    renamed: ClassVar[Mapping[str, str]] = {"name": "run"}

    project: ProjectFolder
    run: Annotated[
        RunName | None, Field(description="Name of the run; by default all are listed or cleaned.")
    ] = None
    roll_back: Annotated[
        str | None,
        Presentation(common=True),
        Field(
            pattern=r"^(best|\d+)$",
            description="Roll back to the checkpoint or snapshot of this step, or to the best one. "
            "Newer ones are moved to aside/ in the run's folder; roll back to their step to undo.",
        ),
    ] = None
    clean: Annotated[
        bool,
        Presentation(common=True),
        Field(
            description="Delete what roll back moved aside, all previews but ten, and all "
            "checkpoints but the newest, the best and the last good one. Snapshots stay."
        ),
    ] = False
    remove_snapshot: Annotated[
        int | None, Field(ge=0, description="Delete the snapshot of this step.")
    ] = None


class RunFacts(BaseModel):
    """One run. seconds: training time. quality: held-out SSIM of the best checkpoint. left: rest
    of the training budget, in words. saves: steps of its checkpoints. disk: bytes by part."""

    model_config = ConfigDict(frozen=True)

    name: str
    preset: str
    step: int
    seconds: float
    quality: float | None
    left: str
    saves: list[int]
    snapshots: list[int]
    disk: dict[str, int]


class RunsSummary(Summary):
    """All runs, and the bytes that were freed."""

    runs: list[RunFacts]
    freed: int = 0

    def text(self) -> str:
        """A table."""
        from faceswap.training.snapshots import format_bytes

        wide = max([10, *(len(run.name) for run in self.runs)]) + 2
        head = f"{'run':<{wide}}{'preset':<9}{'step':>10}{'trained':>10}{'SSIM':>9}"
        lines = [f"{head}{'checkpoints':>13}{'disk':>10}"]
        for run in self.runs:
            quality = "" if run.quality is None else f"{run.quality:.3f}"
            hours, minutes = divmod(round(run.seconds / 60), 60)
            lines.append(
                f"{run.name:<{wide}}{run.preset:<9}{run.step:>10,}{f'{hours}:{minutes:02} h':>10}"
                f"{quality:>9}{len(run.saves):>13}{format_bytes(sum(run.disk.values())):>10}"
            )
            parts = ", ".join(
                f"{name} {format_bytes(size)}" for name, size in run.disk.items() if size
            )
            lines.append(f"  {parts or 'nothing on the disk'}")
            if run.snapshots:
                lines.append(f"  snapshots of the steps {', '.join(map(str, run.snapshots))}")
            if run.left:
                lines.append(f"  left to train: {run.left}")
        if self.freed:
            lines.append(f"{format_bytes(self.freed)} were freed.")
        return "\n".join(lines)


def runs(options: RunsOptions) -> Generator[Event, None, RunsSummary]:
    """List a project's training runs, roll one back, and free disk space.

    Shows step, training time, held-out SSIM and disk use of each run. A run that is training can be
    listed and cleaned (its checkpoints stay), but not rolled back.

        faceswap runs --project P --run main --roll-back best
    """
    from faceswap.project.project import Project

    model = Project.open(options.project).runs_folder
    yield from import_in_background("runs", "faceswap.training.run_folder")
    folders = _folders(model, options)
    if options.roll_back is not None:
        yield from _roll_back(_single(folders), options.roll_back)
    freed = 0
    if options.remove_snapshot is not None:
        freed += _remove_snapshot(_single(folders), options.remove_snapshot)
    if options.clean:
        for run in folders:
            freed += yield from _clean(run)
    facts = yield from in_background("runs", lambda _: [_facts(run) for run in folders])
    return RunsSummary(runs=facts, freed=freed)


def _folders(model: Path, options: RunsOptions) -> "list[RunFolder]":
    from faceswap.training.run_folder import RunFolder

    found = sorted(p for p in model.iterdir() if p.is_dir()) if model.is_dir() else []
    if options.run is not None:
        found = [path for path in found if path.name == options.run]
        if not found:
            raise CheckpointError(f"There is no run {options.run!r} in {options.project}.")
    return [RunFolder(path) for path in found]


def _single(folders: "list[RunFolder]") -> "RunFolder":
    if len(folders) == 1:
        return folders[0]
    if not folders:
        raise CheckpointError("There is no run yet; start one with 'faceswap train'.")
    names = ", ".join(run.folder.name for run in folders)
    raise OptionsError(f"There are several runs ({names}); choose one with --run.")


def _roll_back(run: "RunFolder", where: str) -> Generator[Event, None, None]:
    from faceswap.training.run_lock import lock_run

    with lock_run(run.folder):
        if where == "best":
            best = run.best()
            if best is None:
                raise CheckpointError(
                    f"No checkpoint of the run {run.folder.name!r} was measured; give a step."
                )
            step = int(best.stem.removeprefix("step-"))
        else:
            step = int(where)
        yield from in_background("roll back", lambda _: run.roll_back(step))
    yield Notice(
        message=f"The run {run.folder.name!r} is at step {step:,}; newer checkpoints are in aside/."
    )


def _remove_snapshot(run: "RunFolder", step: int) -> int:
    from faceswap.training.run_lock import lock_run

    with lock_run(run.folder):
        return run.remove_snapshot(step)


def _clean(run: "RunFolder") -> Generator[Event, None, int]:
    from faceswap.training.run_lock import lock_run

    with ExitStack() as stack:
        saves = True
        try:
            stack.enter_context(lock_run(run.folder))
        except ProjectError:
            saves = False
            yield Notice(message=f"The run {run.folder.name!r} is training; its checkpoints stay.")
        return (yield from in_background("clean", lambda _: run.clean(saves=saves)))


def _facts(run: "RunFolder") -> RunFacts:
    from faceswap.training.run_folder import score_of
    from faceswap.training.run_metadata import read_newest_header
    from faceswap.training.training_budget import stored_budget

    header = read_newest_header(run.folder)
    numbers: dict[str, Any] = header.get("numbers", {})
    step, seconds = int(numbers.get("step", 0)), float(numbers.get("seconds", 0.0))
    budget = stored_budget(numbers.get("notes", {}))
    unfinished = budget is not None and budget.progress(step, seconds) < 1
    best = run.best()
    return RunFacts(
        name=run.folder.name,
        preset=str(header.get("config", {}).get("preset", "")),
        step=step,
        seconds=seconds,
        quality=None if best is None else score_of(best),
        left=budget.left(step, seconds) if budget is not None and unfinished else "",
        saves=run.saves.steps(),
        snapshots=[int(p.stem.removeprefix("step-")) for p in run.snapshots()],
        disk=run.disk_use(),
    )
