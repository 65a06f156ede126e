"""Benchmark of conversion: frames per second by preset, and peak memory by clip length."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from footage import CLIPS, peak_memory, repeated

from faceswap import run as run_job
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.train import train
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS
from faceswap.swap.training.options import TrainOptions

Row = dict[str, str | int | float | None]


def run(arguments: list[str]) -> dict[str, list[Row]]:
    """Time conversions with nearly untrained models, which are as fast as trained ones."""
    parser = argparse.ArgumentParser(prog="benchmark.py convert")
    parser.add_argument("--clip", type=Path, default=CLIPS / "address_a.mp4")
    parser.add_argument("--b", type=Path, default=CLIPS / "address_b.mp4")
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the long clip")
    options = parser.parse_args(arguments)
    presets: list[str] = options.preset or [DEFAULT_PRESET]
    with tempfile.TemporaryDirectory() as folder:
        project = prepared(Path(folder) / "p", options.clip, options.b, presets)
        tables = {"Conversion": [speed(project, preset, options.repeat) for preset in presets]}
        if not options.no_memory:
            tables["Peak memory of conversion"] = memory(project, options.clip, presets[0])
    return tables


def prepared(project: Path, a: Path, b: Path, presets: list[str]) -> Path:
    """A project with both clips extracted and a model of each preset, trained for one step."""
    run_job(extract(ExtractOptions(video=a, project=project, side="a", every=8)))
    run_job(extract(ExtractOptions(video=b, project=project, side="b", every=8)))
    for preset in presets:
        options = TrainOptions(project=project, preset=preset, run=preset, steps=1, batch=2)
        run_job(train(options))
    return project


def speed(project: Path, preset: str, repeat: int) -> Row:
    """Median frames per second of whole conversions, including decoding and encoding."""
    rates = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        summary = run_job(convert(ConvertOptions(project=project, run=preset, overwrite=True)))
        rates.append(summary.model_dump()["frames"] / (time.perf_counter() - start))
    warm = rates[1:]  # the first also loads libraries
    return {
        "preset": preset,
        "frames/s": statistics.median(warm),
        "slowest": min(warm),
        "runs": repeat,
    }


def memory(project: Path, clip: Path, preset: str) -> list[Row]:
    """Peak resident memory of converting the clip, and the clip repeated ten times."""
    rows: list[Row] = []
    long = repeated(clip, project.parent / "long.mp4", 10)
    for label, video in (("1 ×", clip), ("10 ×", long)):
        run_job(
            extract(ExtractOptions(video=video, project=project, side="a", every=1000, redo=True))
        )
        arguments = ["convert", "--project", str(project), "--run", preset, "--overwrite"]
        rows.append({"length": label, "peak MiB": peak_memory(arguments) / 2**20})
    return rows
