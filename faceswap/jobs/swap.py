"""Swap in one command: extract both sides, train and convert."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from faceswap.background import ReportProgress, import_in_background, in_background, no_report
from faceswap.errors import InputError, OutputError
from faceswap.events import Event, Notice, Preview, Progress, Summary, as_stage
from faceswap.jobs.convert import ConvertOptions, convert_one
from faceswap.jobs.extract import DetectorName, ExtractOptions, LandmarkerName, extract
from faceswap.jobs.train import train
from faceswap.notifications import with_notifications
from faceswap.options import Device, Notify, Presentation, ResumeAndOverwrite, Side, Steps
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.model.presets import DEFAULT_PRESET
from faceswap.swap.training.option_fields import PresetName
from faceswap.swap.training.options import TrainOptions
from faceswap.video.output_options import OutputOptions

SHEET_FRAMES = 8
RUN = "main"
"""The training run of a swap."""


class SwapOptions(OutputOptions, BlendOptions):
    """Put the face of B on the footage of A: extract, train and convert in one."""

    renamed: ClassVar[Mapping[str, str]] = {
        **BlendOptions.renamed,
        **OutputOptions.renamed,
        "landmarks": "landmarker",
    }

    a: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="A: the footage to change."),
    ]
    b: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="B: footage of the face to put on it."),
    ]
    output: Annotated[
        Path, Presentation(short="-o", common=True), Field(description="The video to write.")
    ]
    minutes: Annotated[
        float,
        Presentation(common=True),
        Field(
            gt=0,
            description="Training budget in minutes; you can train more later. With --steps too, "
            "whichever ends first; with --steps alone there is no limit in time.",
        ),
    ] = 30
    steps: Steps = None
    project: Annotated[
        Path | None,
        Field(
            description="Project folder for faces and model, to resume training later; by default "
            "beside the output, OUTPUT.faceswap."
        ),
    ] = None
    preset: PresetName = DEFAULT_PRESET
    detector: DetectorName = "centerface"
    landmarker: LandmarkerName = "builtin"
    device: Device = "auto"
    seed: Annotated[int, Field(ge=0, description="Random seed.")] = 0
    notify: Notify = None
    overwrite: ResumeAndOverwrite = False


class SwapSummary(Summary):
    """Result of a swap."""

    output: Path
    sheet: Path
    project: Path
    frames: int
    swapped: int

    def text(self) -> str:
        """What was written, and how to improve it."""
        return (
            f"{self.output}: {self.swapped} of {self.frames} frames swapped; labeled as "
            f"synthetic in its metadata.\nLook at {self.sheet}. To improve the swap, run the same "
            f"command with --overwrite: it resumes the training in {self.project}."
        )


def swap(options: SwapOptions) -> Generator[Event, None, SwapSummary]:
    """Put the face of B on the footage of A: extract, train and convert in one.

    Reads two videos; writes the swapped video, a contact sheet (OUTPUT_sheet.png) and a project
    folder with faces and model. Stopped or killed, the same command resumes where it was; with
    --overwrite a finished one trains for another budget.

        faceswap swap A.mp4 B.mp4 -o out.mp4 --minutes 30
    """
    project = options.project or options.output.with_suffix(".faceswap")
    about = {"PROJECT": str(project.absolute()), "RUN": RUN}
    return (yield from with_notifications(_swap(options, project), options.notify, about))


def _swap(options: SwapOptions, project: Path) -> Generator[Event, None, SwapSummary]:
    from faceswap.training import job_mark

    yield Progress(stage="extract A", done=0)
    yield from import_in_background("extract A", "faceswap.video.writer", "faceswap.training.loop")
    sheet = options.output.with_name(f"{options.output.stem}_sheet.png")
    made = job_mark.job_output(project)
    for told in (
        yield from in_background("extract A", lambda _: _check(options, project, sheet, made))
    ):
        yield Notice(message=told)
    sides: tuple[tuple[Side, Path], ...] = (("a", options.a), ("b", options.b))
    for side, video in sides:
        yield from as_stage(
            f"extract {side.upper()}",
            extract(
                ExtractOptions(
                    inputs=(video,),
                    project=project,
                    side=side,
                    detector=options.detector,
                    landmarker=options.landmarker,
                    device=options.device,
                )
            ),
        )
    yield from as_stage("train", _train(options, project))
    shared = {*BlendOptions.model_fields, *OutputOptions.model_fields}
    blend = options.model_dump(include=shared)
    converted = yield from as_stage(
        "convert",
        convert_one(
            ConvertOptions(
                project=project,
                output=options.output,
                device=options.device,
                overwrite=options.overwrite
                or job_mark.job_output(project) == options.output.absolute(),
                **blend,
            ),
        ),
    )
    job_mark.set_job_output(project, options.output)
    yield from in_background(
        "convert",
        lambda report: _write_sheet(
            options.a, options.output, _frames_with_faces(project), sheet, report
        ),
    )
    job_mark.clear_job_mark(project)
    yield Preview(path=sheet, caption="A and the swap, side by side")
    return SwapSummary(
        output=options.output,
        sheet=sheet,
        project=project,
        frames=converted.frames,
        swapped=converted.swapped,
    )


def _check(options: SwapOptions, folder: Path, sheet: Path, made: Path | None) -> list[str]:
    """Raise early for unusable inputs or outputs; returns what to tell, as what the output loses.

    made: output of this job before it stopped.
    """
    from faceswap.project.early_checks import check_count, first_faces, no_face_notice
    from faceswap.project.source import fingerprint
    from faceswap.video.output_file import check_output
    from faceswap.video.output_plan import plan_output
    from faceswap.video.reader import open_footage

    if fingerprint(options.a) == fingerprint(options.b):
        raise InputError("A and B are the same footage; choose two different videos.")
    told = []
    # B is needed late: if it is not usable, fail before A is extracted.
    with open_footage(options.a) as a, open_footage(options.b) as b:
        if a.info.still:
            raise InputError(
                f"A, {options.a.name}, is a picture, and a swap changes a video; give a video as A."
            )
        if not (folder / "project.toml").is_file():
            check_count([b], 0)
            if not b.info.still and not any(first_faces(b, options.detector)):
                told.append(no_face_notice(options.b))
        told += plan_output(options.output.absolute(), a.info, options.encoding()).notices
    _check_project(options, folder)
    overwrite = options.overwrite or made == options.output.absolute()
    check_output(options.output, overwrite=overwrite, source=options.a)
    if sheet.exists() and not overwrite:
        raise OutputError(f"{sheet} exists already; use --overwrite or choose another output.")
    return told


def _check_project(options: SwapOptions, folder: Path) -> None:
    """Raise ProjectError when the project has other footage, which would be trained on, too."""
    from faceswap.errors import ProjectError
    from faceswap.project.project import Project
    from faceswap.project.source import fingerprint

    if not (folder / "project.toml").is_file():
        return
    given = {"a": fingerprint(options.a), "b": fingerprint(options.b)}
    for source in Project.open(folder).sources():
        for side, mark in given.items():
            if side in source.sides and source.fingerprint != mark:
                raise ProjectError(
                    f"{side.upper()} in {folder} is different footage, {source.path.name}; use "
                    "another project, or 'faceswap extract', 'train' and 'convert' for several "
                    "files."
                )


def _train(options: SwapOptions, project: Path) -> Generator[Event, None, None]:
    """Train what is left of this job's budget; nothing if the job was stopped after training."""
    from faceswap.training import job_mark
    from faceswap.training.run_metadata import read_newest_header
    from faceswap.training.training_budget import BudgetRequest, next_budget

    numbers = read_newest_header(project / "model" / RUN).get("numbers", {})
    step, seconds = numbers.get("step", 0), numbers.get("seconds", 0.0)
    begun = job_mark.mark_job_start(project, step, seconds)
    given = options.model_fields_set
    end = BudgetRequest(options.minutes if "minutes" in given else None, options.steps)
    budget, _ = next_budget(numbers.get("notes", {}), end, step, seconds, begun)
    if budget is None:
        end = BudgetRequest(options.minutes)
    elif budget.progress(step, seconds) >= 1:
        yield Notice(message=f"The training is complete, at step {step:,}; now converting.")
        return
    # Options that were not given stay unset: a resumed run then keeps its own.
    more = options.model_dump(include={"preset", "seed"} & given)
    training = TrainOptions(
        project=project, minutes=end.minutes, steps=end.steps, device=options.device, **more
    )
    yield from train(training, begun_at=begun)


def _frames_with_faces(project: Path) -> list[int]:
    from faceswap.project.project import Project
    from faceswap.swap.evaluation.contact_sheet import pick_frames

    with Project.open(project).open_index_read_only() as index:
        return pick_frames(sorted({face.frame for face in index.faces("a")}), SHEET_FRAMES)


def _write_sheet(
    a: Path, out: Path, frames: Sequence[int], sheet: Path, report: ReportProgress = no_report
) -> None:
    from faceswap.io.provenance import SHEET, save_picture
    from faceswap.swap.evaluation.contact_sheet import contact_sheet
    from faceswap.video.reader import VideoReader

    before, after, times = [], [], []
    with VideoReader(a, tolerate_damage=True) as old, VideoReader(out) as new:
        for done, number in enumerate(frames):
            report(done, len(frames))
            for left, right in zip(
                old.frames(number, number + 1), new.frames(number, number + 1), strict=False
            ):
                before.append(left.image)
                after.append(right.image)
                times.append(left.time)
    try:
        save_picture(contact_sheet(before, after, times), sheet, SHEET)
    except OSError as error:
        raise OutputError(f"Cannot write {sheet}: {error.strerror or error}.") from error
