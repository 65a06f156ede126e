"""Benchmark of swap quality against the ground truth, by preset and training minutes.

The sample pair is rendered and its faces are extracted once. Each preset is trained; after each of
the given numbers of minutes the footage is converted and evaluated inside the face mask, beside
baselines without a swap. ``--plot FILE.png`` plots PSNR and SSIM.
"""

import argparse
import tempfile
from pathlib import Path

from faceswap import run as run_job
from faceswap.io.charts import line_chart
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.evaluate import EvaluateOptions, EvaluateSummary, evaluate
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.sample import SampleOptions, sample
from faceswap.jobs.train import train
from faceswap.lab.framework.figure import page, side_by_side, write_png
from faceswap.swap.model.presets import PRESETS
from faceswap.swap.training.options import TrainOptions
from faceswap.types import UInt8Image

Row = dict[str, str | int | float | None]
MINUTES = (1.0, 2.0, 4.0, 8.0)


def run(arguments: list[str]) -> dict[str, list[Row]]:
    """Train, convert and evaluate; a row per preset and number of minutes."""
    parser = argparse.ArgumentParser(prog="benchmark.py quality")
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--minutes", type=float, nargs="+", default=list(MINUTES))
    parser.add_argument("--sample", type=Path, help="an existing sample folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="draw PSNR and SSIM over minutes into this PNG")
    options = parser.parse_args(arguments)
    presets: list[str] = options.preset or list(PRESETS)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        pair = options.sample or Path(folder) / "sample"
        if options.sample is None:
            run_job(sample(SampleOptions(folder=pair)))
        project = Path(folder) / "project"
        run_job(extract(ExtractOptions(video=pair / "a.mp4", project=project, side="a")))
        run_job(extract(ExtractOptions(video=pair / "b.mp4", project=project, side="b")))
        for preset in presets:
            found = measured(pair, project, preset, sorted(options.minutes), options.seed)
            # Baselines are the same for every preset.
            rows += [row for row in found if row["minutes"] or preset == presets[0]]
    if options.plot:
        write_png(options.plot, plot(rows))
    return {"Swap against the truth, inside the face mask": rows}


def measured(pair: Path, project: Path, preset: str, minutes: list[float], seed: int) -> list[Row]:
    """Scores of ``preset`` after each of ``minutes``, and of the baselines once."""
    rows: list[Row] = []
    trained = 0.0
    for goal in minutes:
        options = TrainOptions(
            project=project, preset=preset, run=preset, minutes=goal - trained, seed=seed
        )
        run_job(train(options))
        trained = goal
        out = project / f"{preset}-{goal:g}.mp4"
        run_job(convert(ConvertOptions(project=project, run=preset, output=out, overwrite=True)))
        summary = run_job(
            evaluate(
                EvaluateOptions(
                    a=pair / "a.mp4", b=pair / "b.mp4", swapped=out, truth=pair / "truth.mp4"
                )
            )
        )
        assert isinstance(summary, EvaluateSummary)
        for answer, scores in summary.rows.items():
            if answer == "swap":
                rows.append({"answer": preset, "minutes": goal, **scores, **extras(summary)})
            elif goal == minutes[0]:
                rows.append({"answer": answer, "minutes": None, **scores})
    return rows


def extras(summary: EvaluateSummary) -> Row:
    """Further metrics of the swap: expression, pose, detail, flicker, seam."""
    names = ("expression correlation", "pose error", "detail ratio", "flicker ratio", "seam")
    return {name: summary.values.get(name) for name in names}


def plot(rows: list[Row]) -> UInt8Image:
    """Plot PSNR (left) and SSIM (right) over minutes, baselines as horizontal lines."""
    panels = []
    for metric, unit in (("PSNR", "dB"), ("SSIM", "")):
        lines: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            point = (float(row["minutes"] or 1), float(row[metric] or 0))
            lines.setdefault(str(row["answer"]), []).append(point)
        panels.append(
            line_chart(f"{metric} inside the face", lines, "minutes", unit, (620, 300), log_x=True)
        )
    return page("Swap against the truth", [side_by_side(*panels)])
