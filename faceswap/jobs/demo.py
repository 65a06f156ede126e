"""The whole path on rendered heads, measured against the perfect swap."""

from collections.abc import Generator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from faceswap.errors import OutputError
from faceswap.events import Event, Notice, Preview, Summary
from faceswap.jobs.evaluate import EvaluateOptions, evaluate
from faceswap.jobs.sample import NAMES, SampleOptions, sample
from faceswap.jobs.stages import stage
from faceswap.jobs.swap import SwapOptions, swap
from faceswap.jobs.train_options import PresetName
from faceswap.options import Device, Options, Overwrite, Show


class DemoOptions(Options):
    """Render two heads, swap them, and measure how good the swap is."""

    folder: Annotated[
        Path,
        Show(positional=True, common=True),
        Field(description="Where clips, project, swap and report go; made when missing."),
    ] = Path("demo")
    minutes: Annotated[
        float, Show(common=True), Field(gt=0, description="Time to train, in minutes.")
    ] = 5
    preset: PresetName = "quick"
    seconds: Annotated[float, Field(ge=0.2, le=60, description="Length of each clip.")] = 6
    size: Annotated[
        int, Field(ge=64, le=1024, multiple_of=2, description="Width and height of the clips.")
    ] = 384
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Seed of the clips and of the training.")] = 1
    overwrite: Overwrite = False


class DemoSummary(Summary):
    """What the demo made and measured."""

    output: Path
    sheet: Path
    report: Path
    rows: dict[str, dict[str, float]]
    table: str

    def text(self) -> str:
        """The figures, and what to look at."""
        return (
            f"{self.table}\n\nLook at {self.sheet} (A and the swap, side by side), at "
            f"{self.report} (curves and worst frames), and play {self.output}.\n"
            "Now with your own clips: faceswap swap A.mp4 B.mp4 -o out.mp4 --minutes 30"
        )


def demo(options: DemoOptions) -> Generator[Event, None, DemoSummary]:
    """Render two heads, swap them, and measure how good the swap is.

    Nobody's face is needed for it. Run again it keeps the clips, and with --overwrite it trains
    on and replaces the swap.
    """
    folder = options.folder
    output, report = folder / "swap.mp4", folder / "report.png"
    if output.exists() and not options.overwrite:
        raise OutputError(f"{output} exists; add --overwrite to train on and replace it.")
    if all((folder / name).is_file() for name in NAMES):
        yield Notice(message=f"The clips in {folder} are taken as they are.")
    else:
        rendering = SampleOptions(
            folder=folder, seconds=options.seconds, size=options.size, seed=options.seed
        )
        yield from stage("render", sample(rendering))
    a, b, truth = (folder / name for name in NAMES[:3])
    swapped = yield from swap(
        SwapOptions(
            a=a,
            b=b,
            output=output,
            minutes=options.minutes,
            project=folder / "project",
            preset=options.preset,
            device=options.device,
            seed=options.seed,
            overwrite=True,
        )
    )
    measured = yield from stage(
        "evaluate",
        evaluate(
            EvaluateOptions(
                a=a,
                b=b,
                out=output,
                truth=truth,
                report=report,
                json_file=folder / "report.json",
                overwrite=True,
            )
        ),
    )
    yield Preview(path=report, caption="How good the swap is, over time")
    return DemoSummary(
        output=output,
        sheet=swapped.sheet,
        report=report,
        rows=measured.rows,
        table=measured.table,
    )
