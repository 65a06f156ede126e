"""Benchmark of extraction: frames per second, processor time by stage, and peak memory."""

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
from footage import CLIPS, enlarged, peak_memory, repeated

from benchmarks._stages import MOST_FRAMES, Busy, Row, StageClock, alone, limit, stage_rows
from faceswap import run as run_job
from faceswap.faces import crop_writer
from faceswap.faces.crop_writer import CropSettings, CropWriter
from faceswap.faces.cuts import BlockCutDetector
from faceswap.faces.detect import CenterFace
from faceswap.faces.embedding import Embedder
from faceswap.faces.index_schema import FrameRow
from faceswap.faces.landmarks import BuiltinLandmarker
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.project.frame_pass import make_tracker
from faceswap.video.color import YuvToRgb
from faceswap.video.reader import VideoReader

SIZES = (256, 512, 1024)
"""Largest sides of a crop; smaller faces are kept at their own size."""

_THREADS = {
    "decode": "reads",
    "to RGB": "reads",
    "track": "follows",
    "cuts": "follows",
    "detect": "follows",
    "landmarks": "follows",
    "embed": "follows",
    "crops written": "writes (two of them)",
}

Rows = list[Row]


def run(arguments: list[str]) -> dict[str, Rows]:
    """Time ``--repeat`` extractions of 512×512 and 1280×720; measure memory of a 10 × clip."""
    parser = argparse.ArgumentParser(prog="benchmark.py extract")
    parser.add_argument("--clip", type=Path, default=CLIPS / "address_a.mp4")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the long clip")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        wide = enlarged(options.clip, Path(folder) / "wide.mp4", 1280, 720)
        clips = ((options.clip, "as it is"), (wide, "1280×720"))
        tables = {}
        speeds: Rows = []
        for clip, label in clips:
            tables[f"Extraction by stage, crops of 256 px, {label}"] = found = by_stage(clip)
            more = bare_loop(clip) | {"limit": limit(found)}
            speeds += [speed(clip, label, size, options.repeat) | more for size in SIZES]
        tables["Extraction with crops written"] = speeds
        if not options.no_memory:
            long = repeated(options.clip, Path(folder) / "long.mp4", 10)
            tables["Peak memory of extraction"] = [
                memory(options.clip, "1 ×"),
                memory(long, "10 ×"),
            ]
    return tables


def speed(clip: Path, label: str, size: int, repeat: int) -> Row:
    """Median frames per second of whole extractions, including loading the networks."""
    rates, spent = [], []
    frames = 0
    for _ in range(repeat + 1):
        with tempfile.TemporaryDirectory() as folder:
            job = extract(
                ExtractOptions(inputs=(clip,), project=Path(folder) / "p", side="a", size=size)
            )
            busy = Busy()
            frames = run_job(job).frames
            rates.append(frames / busy.wall())
            spent.append(1000 * busy.cpu() / frames)
    warm = rates[1:]  # the first also loads libraries
    return {
        "clip": f"{clip.name} {label}",
        "largest crop": size,
        "frames": frames,
        "frames/s": statistics.median(warm),
        "slowest": min(warm),
        "runs": repeat,
        "processor ms/frame": statistics.median(spent[1:]),
    }


def by_stage(clip: Path) -> Rows:
    """Processor time of each stage: all frames go through one stage before the next begins."""
    clock = StageClock()
    with ExitStack() as stack:
        footage = stack.enter_context(VideoReader(clip))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        options = ExtractOptions(inputs=(clip,), project=folder, side="a", size=256)
        stack.enter_context(alone(crop_writer))
        tracker = make_tracker(options, still=False)
        with clock.stage("decode"):
            frames = list(footage.footage(0, MOST_FRAMES))
        for name, owner, method in (
            ("to RGB", YuvToRgb, "__call__"),
            ("cuts", BlockCutDetector, "update"),
            ("detect", CenterFace, "detect"),
            ("landmarks", BuiltinLandmarker, "locate"),
            ("embed", Embedder, "embed"),
        ):
            stack.enter_context(clock.watched(name, owner, method))
        with clock.stage("track"):
            found = [tracker.update(frame.image) for frame in frames]
        settings = CropSettings(folder=folder, side="a", size=256, every=1, footage=None)
        with clock.stage("crops written"), CropWriter(settings) as crops:
            for frame, seen in zip(frames, found, strict=True):
                time = float(frame.pts * footage.info.time_base)
                row = FrameRow(frame.index, frame.pts, time, seen.cut)
                for face in seen.faces:
                    crops.write(frame.image, row, face)
    return stage_rows({name: clock.seconds[name] for name in _THREADS}, len(frames), _THREADS)


def bare_loop(clip: Path) -> Row:
    """Frames per second of decoding ``clip`` and encoding it again, and nothing else."""
    frames, busy = 0, Busy()
    with (
        tempfile.TemporaryDirectory() as folder,
        av.open(str(clip)) as old,
        av.open(f"{folder}/bare.mp4", "w") as new,
    ):
        stream = old.streams.video[0]
        out = new.add_stream("libx264", Fraction(stream.average_rate or 25))
        out.width, out.height, out.pix_fmt = stream.width, stream.height, "yuv420p"
        for frame in old.decode(stream):
            new.mux(out.encode(frame))
            frames += 1
        new.mux(out.encode(None))
    return {
        "bare loop, frames/s": frames / busy.wall(),
        "bare, processor ms/frame": 1000 * busy.cpu() / frames,
    }


def memory(clip: Path, label: str) -> Row:
    """Peak resident memory of one extraction in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        peak = peak_memory(
            ["extract", str(clip), "--project", f"{folder}/p", "--side", "a", "--every", "1000"]
        )
    return {"length": label, "peak MiB": peak / 2**20}
