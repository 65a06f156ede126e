"""Benchmark of extraction: frames per second by crop size, and peak memory by clip length."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from footage import CLIPS, enlarged, peak_memory, repeated

from faceswap import run as run_job
from faceswap.jobs.extract import ExtractOptions, extract

SIZES = (256, 512, 1024)
"""Largest sides of a crop; smaller faces are kept at their own size."""

Rows = list[dict[str, str | int | float | None]]


def run(arguments: list[str]) -> dict[str, Rows]:
    """Time ``--repeat`` extractions of 512×512 and 1280×720; measure memory of a 10 × clip."""
    parser = argparse.ArgumentParser(prog="benchmark.py extract")
    parser.add_argument("--clip", type=Path, default=CLIPS / "address_a.mp4")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the long clip")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        wide = enlarged(options.clip, Path(folder) / "wide.mp4", 1280, 720)
        tables = {
            "Extraction with crops written": [
                speed(clip, label, size, options.repeat)
                for clip, label in ((options.clip, "as it is"), (wide, "1280×720"))
                for size in SIZES
            ]
        }
        if not options.no_memory:
            long = repeated(options.clip, Path(folder) / "long.mp4", 10)
            tables["Peak memory of extraction"] = [
                memory(options.clip, "1 ×"),
                memory(long, "10 ×"),
            ]
    return tables


def speed(clip: Path, label: str, size: int, repeat: int) -> dict[str, str | int | float | None]:
    """Median frames per second of whole extractions, including loading the networks."""
    rates = []
    frames = 0
    for _ in range(repeat + 1):
        with tempfile.TemporaryDirectory() as folder:
            job = extract(
                ExtractOptions(video=clip, project=Path(folder) / "p", side="a", size=size)
            )
            start = time.perf_counter()
            frames = run_job(job).frames
            rates.append(frames / (time.perf_counter() - start))
    warm = rates[1:]  # the first also loads libraries
    return {
        "clip": f"{clip.name} {label}",
        "largest crop": size,
        "frames": frames,
        "frames/s": statistics.median(warm),
        "slowest": min(warm),
        "runs": repeat,
    }


def memory(clip: Path, label: str) -> dict[str, str | int | float | None]:
    """Peak resident memory of one extraction in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        peak = peak_memory(
            ["extract", str(clip), "--project", f"{folder}/p", "--side", "a", "--every", "1000"]
        )
    return {"length": label, "peak MiB": peak / 2**20}
