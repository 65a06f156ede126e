"""Benchmark of conversion: frames per second, processor time by stage, and peak memory."""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from footage import CLIPS, enlarged, peak_memory, repeated

from benchmarks._stages import MOST_FRAMES, Busy, Row, StageClock, alone, limit, stage_rows
from faceswap import run as run_job
from faceswap.faces.segmenter import Segmenter
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.train import train
from faceswap.project.project import Project
from faceswap.swap.compositing import seen_faces, swapper
from faceswap.swap.compositing.film_setup import Film, load_models, open_footage_of, span_to_convert
from faceswap.swap.compositing.segment_pass import SegmentWork
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS
from faceswap.swap.training.options import TrainOptions
from faceswap.video.color import YuvToRgb
from faceswap.video.planes import PatchBlender
from faceswap.video.planned_output import plan_conversion
from faceswap.video.reader import Footage
from faceswap.video.segment_journal import SegmentJournal

_THREADS = {
    "decode": "reads",
    "to RGB": "reads",
    "align": "swaps",
    "network": "swaps",
    "segment": "swaps",
    "blend": "swaps",
    "into the picture": "encodes",
    "encode": "encodes",
}

Tables = dict[str, list[Row]]


def run(arguments: list[str]) -> Iterator[Tables]:
    """Time conversions with nearly untrained models, which are as fast as trained ones."""
    parser = argparse.ArgumentParser(prog="benchmark.py convert")
    parser.add_argument("--clip", type=Path, default=CLIPS / "address_a.mp4")
    parser.add_argument("--b", type=Path, default=CLIPS / "address_b.mp4")
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-memory", action="store_true", help="leave out the long clip")
    parser.add_argument("--no-wide", action="store_true", help="leave out 1280×720")
    options = parser.parse_args(arguments)
    presets: list[str] = options.preset or [DEFAULT_PRESET]
    tables: Tables = {}
    with tempfile.TemporaryDirectory() as folder:
        clips = {"as it is": options.clip}
        if not options.no_wide:
            wide = Path(folder) / "wide.mp4"
            clips["1280×720"] = enlarged(options.clip, wide, 1280, 720)
        for label, clip in clips.items():
            project = prepared(Path(folder) / label, clip, options.b, presets)
            for preset in presets:
                stages, rows = by_stage(project, preset)
                found = speed(project, preset, options.repeat) | {"limit": limit(stages)}
                tables.setdefault("Conversion", []).append({"clip": label} | found | rows)
                tables[f"Conversion by stage, {label}, {preset}"] = stages
                yield tables
        if not options.no_memory:
            project = Path(folder) / "as it is"
            tables["Peak memory of conversion"] = memory(project, options.clip, presets[0])
            yield tables


def prepared(project: Path, a: Path, b: Path, presets: list[str]) -> Path:
    """A project with both clips extracted and a model of each preset, trained for one step."""
    run_job(extract(ExtractOptions(inputs=(a,), project=project, side="a", every=8)))
    run_job(extract(ExtractOptions(inputs=(b,), project=project, side="b", every=8)))
    for preset in presets:
        options = TrainOptions(project=project, preset=preset, run=preset, steps=1, batch=2)
        run_job(train(options))
    return project


def speed(project: Path, preset: str, repeat: int) -> Row:
    """Median frames per second of whole conversions, including decoding and encoding."""
    rates, spent = [], []
    # Without the cache, which would have the network's results the second time.
    options = ConvertOptions(project=project, run=preset, overwrite=True, cache=0)
    for _ in range(repeat + 1):
        busy = Busy()
        frames = run_job(convert(options)).frames
        rates.append(frames / busy.wall())
        spent.append(1000 * busy.cpu() / frames)
    warm = rates[1:]  # the first also loads libraries
    return {
        "preset": preset,
        "frames/s": statistics.median(warm),
        "slowest": min(warm),
        "runs": repeat,
        "processor ms/frame": statistics.median(spent[1:]),
    }


def by_stage(project: Path, preset: str) -> tuple[list[Row], Row]:
    """Processor time of each stage, and the rate of a bare loop of decoding and encoding."""
    opened = Project.open(project)
    options = ConvertOptions(project=project, run=preset, output=project / "stages.mp4", cache=0)
    assert options.output is not None
    with ExitStack() as stack:
        footage = stack.enter_context(open_footage_of(options, opened, None))
        span = span_to_convert(options, opened, footage)
        planned = plan_conversion(options, options.output, footage, span, overwrite=True)
        loaded = load_models(options, opened, opened.main_source("a"), "cpu", lambda *_: None)
        quality = planned.find_quality(options, footage)
        film = Film(options, footage, planned, loaded, "").with_quality(quality)
        journal = SegmentJournal(options.output)
        stack.enter_context(journal.locked())
        stack.enter_context(alone(swapper))
        work = stack.enter_context(film.work(journal, quality, resumed=False))
        busy = Busy()
        frames = encoded(work, work.footage.footage(0, MOST_FRAMES), "bare")
        bare = busy.wall(), busy.cpu()
        seconds = stages(work)
    rows = stage_rows(seconds, frames, _THREADS)
    return rows, {
        "bare loop, frames/s": frames / bare[0],
        "bare, processor ms/frame": 1000 * bare[1] / frames,
    }


def stages(work: SegmentWork) -> dict[str, float]:
    """Processor seconds by stage: all frames go through one stage before the next begins."""
    clock = StageClock()
    with clock.stage("decode"):
        frames = list(work.footage.footage(0, MOST_FRAMES))
    with ExitStack() as stack:
        stack.enter_context(clock.watched("to RGB", YuvToRgb, "__call__"))
        stack.enter_context(clock.watched("align", swapper, "warp_crop"))
        stack.enter_context(clock.watched("align", seen_faces, "warp_crop"))
        stack.enter_context(clock.watched("network", SwapModel, "swap"))
        stack.enter_context(clock.watched("segment", Segmenter, "segment"))
        with clock.stage("blend"):
            patches = []
            for first in range(0, len(frames), work.batch):
                patches += work.swapper.patches(frames[first : first + work.batch])
    with clock.stage("into the picture"):
        blender = PatchBlender(work.footage.info)
        for frame, found in zip(frames, patches, strict=True):
            blender(frame.picture, found)
    with clock.stage("encode"):
        encoded(work, frames, "stages")
    return {name: clock.seconds[name] for name in _THREADS}


def encoded(work: SegmentWork, frames: "Iterator[Footage] | list[Footage]", name: str) -> int:
    """Encode frames as they are to a segment that is thrown away; returns how many."""
    data = work.journal.folder / name
    writer, count = work.planned.segment(data, 0), 0
    for frame in frames:
        writer.write_footage(frame)
        count += 1
    writer.finish()
    data.unlink()
    return count


def memory(project: Path, clip: Path, preset: str) -> list[Row]:
    """Peak resident memory of converting the clip, and the clip repeated ten times."""
    rows: list[Row] = []
    long = repeated(clip, project.parent / "long.mp4", 10)
    for label, video in (("1 ×", clip), ("10 ×", long)):
        run_job(
            extract(
                ExtractOptions(inputs=(video,), project=project, side="a", every=1000, redo=True)
            )
        )
        arguments = ["convert", "--project", str(project), "--run", preset, "--overwrite"]
        rows.append({"length": label, "peak MiB": peak_memory(arguments) / 2**20})
    return rows
