"""Evaluate a swap: metrics, a table, and a report with curves and the worst frames."""

import json
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    import_in_background,
    in_background,
)
from faceswap.errors import InputError, OutputError
from faceswap.events import Event, Meter, Notice, Preview, Progress, Saved, Summary
from faceswap.options import Options, Overwrite, Presentation

if TYPE_CHECKING:
    from faceswap.swap.evaluation.evaluator import AverageFace, SwapEvaluator
    from faceswap.types import UInt8Image
    from faceswap.video.reader import VideoReader

WORST = 4
"""Number of the worst frames that the report shows."""


class EvaluateOptions(Options):
    """Evaluate a swap against A and, where known, the ground truth."""

    renamed: ClassVar[Mapping[str, str]] = {"out": "swapped"}

    a: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="A: the original footage."),
    ]
    b: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="B: the footage of the face that was put on A."),
    ]
    swapped: Annotated[
        Path, Presentation(positional=True, common=True), Field(description="The swapped video.")
    ]
    truth: Annotated[
        Path | None,
        Presentation(common=True),
        Field(description="The ground truth, which 'faceswap sample' renders."),
    ] = None
    json_file: Annotated[
        Path | None, Field(description="Also write all figures to this JSON file.")
    ] = None
    report: Annotated[
        Path | None,
        Presentation(common=True),
        Field(
            description="Also draw curves over time, the worst frames and the worst places into "
            "this PNG."
        ),
    ] = None
    overwrite: Overwrite = False


class EvaluateSummary(Summary):
    """Result of an evaluation; ``table`` is the figures as text.

    values: figures over all frames, by name. rows: PSNR, SSIM and MS-SSIM against the ground truth,
    of the swap and of the trivial baselines. checks: size, frames, timestamps and sound unchanged.
    """

    frames: int
    values: dict[str, float]
    rows: dict[str, dict[str, float]]
    checks: dict[str, bool]
    table: str
    report: Path | None = None
    json_file: Path | None = None

    def text(self) -> str:
        return self.table


def evaluate(options: EvaluateOptions) -> Generator[Event, None, EvaluateSummary]:
    """Evaluate a swap against A and, where known, the ground truth.

    Reads the videos and prints a table: expression and pose of the swap compared with A, noise,
    detail, flicker, what an eye sees at once (dark patches, odd colors, another tone or contrast,
    an edge), and whether size, timestamps and sound are unchanged. With --truth
    also PSNR, SSIM and MS-SSIM inside the face.

        faceswap evaluate A.mp4 B.mp4 out.mp4 --report report.png
    """
    # Raises InputError for an unreadable video, OutputError for an existing or unwritable file.
    for path, suffix in ((options.json_file, ".json"), (options.report, ".png")):
        _check_output(path, suffix, options.overwrite)
    yield Progress(stage="measure", done=0)
    yield from import_in_background(
        "load", "faceswap.swap.evaluation.evaluator", "faceswap.swap.evaluation.report"
    )
    from contextlib import ExitStack

    from faceswap.swap.evaluation.evaluator import SwapEvaluator
    from faceswap.swap.evaluation.report import metrics_table
    from faceswap.video.reader import VideoReader

    with ExitStack() as stack:
        paths = {"A": options.a, "the swap": options.swapped, "the truth": options.truth}
        readers = {
            name: stack.enter_context(VideoReader(path, tolerate_damage=True))
            for name, path in paths.items()
            if path is not None
        }
        VideoReader(options.b).close()
        # Counts packets, usually without decoding.
        counts = yield from in_background("load", lambda _: _counts(readers), "packets")
        yield from _mismatches(readers, counts)
        evaluator = yield from in_background("load", lambda _: SwapEvaluator(), "models")
        if options.truth is not None:
            yield from _tell_truth(evaluator, options.truth, options.b)
        yield from _measure(evaluator, readers, min(counts.values()))
        checks = yield from in_background(
            "compare", lambda report: _checks(options, readers, report), "packets"
        )
        values, rows = evaluator.compute(), evaluator.rows()
        text = metrics_table(values, rows, checks)
        if options.report is not None:
            yield from in_background(
                "draw", lambda report: _draw(options, evaluator, text, report), "frames"
            )
            yield Saved(what="report", path=options.report)
            yield Preview(path=options.report, caption="Curves over time and the worst frames")
    summary = EvaluateSummary(
        frames=evaluator.frames,
        values=values,
        rows=rows,
        checks=checks,
        table=text,
        report=options.report,
        json_file=options.json_file,
    )
    if (path := options.json_file) is not None:
        yield from in_background(
            "write", lambda _: _write_json(path, summary, evaluator), "figures"
        )
        yield Saved(what="figures", path=path)
    return summary


def _tell_truth(evaluator: "SwapEvaluator", truth: Path, b: Path) -> Generator[Event, None, None]:
    from faceswap.swap.evaluation.evaluator import read_ground_truth

    evaluator.known = yield from in_background("load", lambda _: read_ground_truth(truth), "frames")
    evaluator.average = yield from _average(b)


def _check_output(path: Path | None, suffix: str, overwrite: bool) -> None:
    if path is None:
        return
    if path.suffix.lower() != suffix:
        raise OutputError(f"{path.name} does not end in {suffix}; choose a name that does.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; add --overwrite to replace it.")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"The folder of {path} does not exist; create it first.")


def _counts(readers: "dict[str, VideoReader]") -> dict[str, int]:
    return {name: len(reader.timestamps()) for name, reader in readers.items()}


def _mismatches(
    readers: "dict[str, VideoReader]", counts: Mapping[str, int]
) -> Generator[Event, None, None]:
    """Warn where lengths or sizes differ."""
    first, count = readers["A"], counts["A"]
    for name, reader in readers.items():
        if counts[name] != count:
            yield Notice(
                message=f"A has {count} frames and {name} has {counts[name]}; only the frames "
                "that both have are compared."
            )
        size, other = (first.info.width, first.info.height), (reader.info.width, reader.info.height)
        if size != other:
            yield Notice(
                message=f"A is {size[0]}×{size[1]} and {name} {other[0]}×{other[1]}; {name} is "
                "scaled to A's size, so its detail and noise are less comparable."
            )


def _average(video: Path) -> "Generator[Event, None, AverageFace | None]":
    from faceswap.swap.evaluation.evaluator import average_face

    def find(report: ProgressReporter) -> "AverageFace | None":
        for number, found in enumerate(average_face(video)):
            if found is not None:
                return found
            report(number + 1)
        return None

    found = yield from in_background("faces of B", find, "frames")
    if found is None:
        yield Notice(
            message=f"No face was found in {video.name}; the mean-face baseline is left out."
        )
    return found


def _measure(
    evaluator: "SwapEvaluator", readers: "dict[str, VideoReader]", frames: int
) -> Generator[Event, None, None]:
    from contextlib import ExitStack, closing

    size = (readers["A"].info.width, readers["A"].info.height)
    meter = Meter("measure", frames)
    with ExitStack() as stack:
        paced = stack.enter_context(BackgroundWorker(meter.progress))
        passes = [stack.enter_context(closing(reader.frames())) for reader in readers.values()]
        for together in zip(*passes, strict=False):
            pictures = [_fitted(frame.image, size) for frame in together]
            yield from paced(partial(evaluator.update, *pictures))
            if event := meter.add():
                yield event
    yield meter.finished()
    if not evaluator.frames:
        raise InputError("The videos have no frame in common; nothing could be compared.")


def _fitted(picture: "UInt8Image", size: tuple[int, int]) -> "UInt8Image":
    import cv2
    import numpy as np

    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    shrinks = picture.shape[1] > size[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _checks(
    options: EvaluateOptions, readers: "dict[str, VideoReader]", report: ProgressReporter
) -> dict[str, bool]:
    from faceswap.video.compare import audio_digests, same_timestamps

    a, out = readers["A"], readers["the swap"]
    return {
        "same size": (a.info.width, a.info.height) == (out.info.width, out.info.height),
        "same number of frames": len(a.timestamps()) == len(out.timestamps()),
        "same timestamps": same_timestamps(a, out),
        "same sound": audio_digests(options.a, report) == audio_digests(options.swapped, report),
    }


def _draw(
    options: EvaluateOptions, evaluator: "SwapEvaluator", text: str, report: ProgressReporter
) -> None:
    from faceswap.io.provenance import REPORT, save_picture
    from faceswap.swap.evaluation.evaluator import MEAN_FACE, SWAP, UNCHANGED
    from faceswap.swap.evaluation.report import draw_report, worst_frames

    against = {n: evaluator.curve(f"PSNR of {n}") for n in (SWAP, UNCHANGED, MEAN_FACE)}
    plots = [("PSNR against the ground truth inside the face, dB", against)]
    for name in ("mouth opening", "mouth width", "left eye", "left brow", "yaw", "pitch"):
        plots.append((name, {n: evaluator.curve(f"{n} {name}") for n in ("A", "swap")}))
    plots.append(("seam, color difference (CIE 1976)", {"swap": evaluator.curve("seam")}))
    if options.truth is not None:
        measure, lowest, unit = evaluator.curve(f"PSNR of {SWAP}"), True, "dB against the truth"
    else:
        measure, lowest, unit = evaluator.curve("seam"), False, "color difference at the seam"
    shown = worst_frames(measure, WORST, max(2, evaluator.frames // 12), lowest=lowest)
    rows = []
    for number, pictures in zip(shown, _frames(options, shown, report), strict=True):
        names = ("A", "the swap", "the truth")[: len(pictures)]
        rows.append(
            (f"frame {number}: {measure[number]:.1f} {unit}   ({', '.join(names)})", pictures)
        )
    rows += _worst_places(options, evaluator, report)
    page = draw_report(f"{options.swapped.name}: evaluation", text, plots, rows)
    assert options.report is not None
    try:
        save_picture(page, options.report, REPORT)
    except OSError as error:
        raise OutputError(
            f"{options.report} cannot be written ({error.strerror or error})."
        ) from error


def _worst_places(
    options: EvaluateOptions, evaluator: "SwapEvaluator", report: ProgressReporter
) -> "list[tuple[str, list[UInt8Image]]]":
    """The face where it has most of each fault: A, the swap, and where it is marked in the swap."""
    from faceswap.swap.evaluation.report import worst_frames
    from faceswap.swap.evaluation.visible_faults import marked, visible_faults

    worst = {}
    for name in ("dark patches", "odd colors", "edge"):
        for number in worst_frames(evaluator.curve(name), 1, 1, lowest=False):
            worst[name] = number
    rows = []
    frames = _frames(options, list(worst.values()), report)
    for (name, number), (a, out, *_) in zip(worst.items(), frames, strict=True):
        place = evaluator.places[number]
        found = visible_faults(a, out, place)
        if found is not None:
            box = place.box(*a.shape[:2])
            caption = f"frame {number}: {name} {found.values[name]:.3f}   (A, the swap, where)"
            rows.append((caption, [a[box], out[box], marked(out[box], found.places[name])]))
    return rows


def _frames(
    options: EvaluateOptions, numbers: Sequence[int], report: ProgressReporter
) -> "list[list[UInt8Image]]":
    """Frames ``numbers`` of A, the swap and, where known, the ground truth, in A's size."""
    from faceswap.video.reader import VideoReader

    found: list[list[UInt8Image]] = [[] for _ in numbers]
    size: tuple[int, int] | None = None
    # Own readers: if this job is closed, the other ones are closed while this thread still runs.
    for path in (options.a, options.swapped, options.truth):
        if path is None:
            continue
        with VideoReader(path, tolerate_damage=True) as reader:
            size = size or (reader.info.width, reader.info.height)
            for done, (number, pictures) in enumerate(zip(numbers, found, strict=True)):
                report(done, len(numbers))
                pictures += [_fitted(f.image, size) for f in reader.frames(number, number + 1)]
    return found


def _write_json(path: Path, summary: EvaluateSummary, evaluator: "SwapEvaluator") -> None:
    document: dict[str, Any] = summary.model_dump(mode="json", exclude={"table"})
    document["curves"] = {
        name: [None if value != value else round(value, 5) for value in curve]
        for name, curve in sorted(evaluator.curves.items())
    }
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror or error}).") from error
