"""Demo: the whole pipeline on two rendered characters, evaluated against the ground truth."""

from collections.abc import Generator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from faceswap.background import import_in_background
from faceswap.errors import OutputError
from faceswap.events import Event, Notice, Preview, Summary, as_stage
from faceswap.jobs.evaluate import EvaluateOptions, evaluate
from faceswap.jobs.sample import NAMES, SampleOptions, sample
from faceswap.jobs.swap import RUN, SwapOptions, swap
from faceswap.options import Device, Options, Presentation, ResumeAndOverwrite
from faceswap.swap.model.presets import DEFAULT_PRESET
from faceswap.swap.training.option_fields import PresetName


class DemoOptions(Options):
    """Render two characters, swap their faces and evaluate the swap."""

    folder: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="Folder for clips, project, swap and report; created if missing."),
    ] = Path("demo")
    steps: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, description="Training steps; 1,200 are enough for mouth, eyes and gaze."),
    ] = 1200
    minutes: Annotated[
        float,
        Presentation(common=True),
        Field(gt=0, description="Time limit of the training, for slow machines."),
    ] = 10
    preset: PresetName = DEFAULT_PRESET
    seconds: Annotated[
        float, Field(ge=0.2, le=60, description="Length of each clip in seconds.")
    ] = 6
    size: Annotated[
        int, Field(ge=64, le=1024, multiple_of=2, description="Width and height in pixels.")
    ] = 384
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Random seed of clips and training.")] = 1
    overwrite: ResumeAndOverwrite = False


class DemoSummary(Summary):
    """Files and figures of the demo."""

    output: Path
    sheet: Path
    report: Path
    trained: str
    rows: dict[str, dict[str, float]]
    table: str

    def text(self) -> str:
        """The figures, and which files to look at."""
        return (
            f"{self.table}\n\n{self.trained}\n"
            f"Look at {self.sheet} (A and the swap, side by side), at {self.report} (curves and "
            f"worst frames), and play {self.output}.\n"
            "Next, use your own clips: faceswap swap A.mp4 B.mp4 -o out.mp4 --minutes 30"
        )


def demo(options: DemoOptions) -> Generator[Event, None, DemoSummary]:
    """Render two characters, swap their faces and evaluate the swap.

    Needs no footage. Writes the clips and their ground truth, a project, the swap, a contact sheet
    and a report with curves. A second run reuses the clips; once the demo is finished it needs
    --overwrite, which resumes training and replaces the swap.

        faceswap demo
    """
    from faceswap.training import job_mark

    folder = options.folder
    output, report = folder / "swap.mp4", folder / "report.png"
    if output.exists() and not options.overwrite and not job_mark.has_unfinished_job(folder):
        raise OutputError(f"{output} exists; add --overwrite to resume training and replace it.")
    if all((folder / name).is_file() for name in NAMES):
        yield Notice(message=f"Using the clips that are already in {folder}.")
    else:
        rendering = SampleOptions(
            folder=folder, seconds=options.seconds, size=options.size, seed=options.seed
        )
        yield from as_stage("render", sample(rendering))
    a, b, truth = (folder / name for name in NAMES[:3])
    project = folder / "project"
    yield from import_in_background("extract A", "faceswap.training.run_metadata")
    goal = _goal(options, project)
    yield Notice(
        message=f"Training until step {goal:,}, but for {options.minutes:g} minutes at most."
    )
    swapped = yield from swap(
        SwapOptions(
            a=a,
            b=b,
            output=output,
            minutes=options.minutes,
            steps=goal,
            project=project,
            preset=options.preset,
            device=options.device,
            seed=options.seed,
            overwrite=True,
        )
    )
    measured = yield from as_stage(
        "evaluate",
        evaluate(
            EvaluateOptions(
                a=a,
                b=b,
                swapped=output,
                truth=truth,
                report=report,
                json_file=folder / "report.json",
                overwrite=True,
            )
        ),
    )
    job_mark.clear_job_mark(folder)
    yield Preview(path=report, caption="Evaluation of the swap over time")
    return DemoSummary(
        output=output,
        sheet=swapped.sheet,
        report=report,
        trained=_describe_training(project, goal),
        rows=measured.rows,
        table=measured.table,
    )


def _goal(options: DemoOptions, project: Path) -> int:
    """The step to train until, counted from where this demo started, also if it was stopped."""
    from faceswap.training.job_mark import mark_job_start
    from faceswap.training.run_metadata import read_newest_header

    numbers = read_newest_header(project / "model" / RUN).get("numbers", {})
    step, seconds = int(numbers.get("step", 0)), float(numbers.get("seconds", 0.0))
    begun = mark_job_start(options.folder, step, seconds)
    if seconds - begun.seconds >= 60 * options.minutes:
        return step  # the time limit is reached
    return begun.step + options.steps


def _describe_training(project: Path, goal: int) -> str:
    """One sentence about steps, time and quality of the training."""
    from faceswap.training.metrics_log import read_metrics
    from faceswap.training.run_metadata import read_newest_header

    run = project / "model" / RUN
    numbers = read_newest_header(run)["numbers"]
    rows = [row for row in read_metrics(run / "metrics.jsonl") if "held-out SSIM" in row]
    quality = f"; held-out SSIM {rows[-1]['held-out SSIM']:.3f}" if rows else ""
    text = f"Trained {numbers['step']:,} steps in {numbers['seconds'] / 60:.1f} minutes{quality}."
    if numbers["step"] < goal:
        text += f" The time limit came before step {goal:,}: resume with --overwrite."
    return text
