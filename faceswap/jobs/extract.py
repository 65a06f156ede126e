"""Extract faces: detection, tracking, landmarks and aligned crops of one side."""

import os
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    import_in_background,
    in_background,
    uninterruptible,
)
from faceswap.events import Event, Meter, Notice, Summary
from faceswap.faces.extract_options import DetectorName, ExtractOptions, LandmarkerName
from faceswap.options import Side

if TYPE_CHECKING:
    from faceswap.faces.crop_writer import CropSettings
    from faceswap.faces.index import ExtractionState, FaceIndex, FaceRow
    from faceswap.faces.index_recovery import KnownSide
    from faceswap.faces.tracking import Tracker
    from faceswap.project.extraction import ExtractionTarget
    from faceswap.project.project import Project
    from faceswap.video.reader import Frame, VideoReader

T = TypeVar("T")

__all__ = ["DetectorName", "ExtractOptions", "ExtractSummary", "LandmarkerName", "extract"]


class ExtractSummary(Summary):
    """Result of an extraction."""

    side: Side
    frames: int
    faces: int
    tracks: int
    crops: int
    folder: Path

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.side.upper()}: {self.faces} faces on {self.tracks} tracks in {self.frames} "
            f"frames; {self.crops} crops in {self.folder}."
        )


def extract(options: ExtractOptions) -> Generator[Event, None, ExtractSummary]:
    """Detect, track and align the faces of one video and save them as crops.

    Reads one video and creates the project folder if needed. Writes the crops (PNG) to the
    project's faces folder, and landmarks and tracks of all frames to its index. Stopped or killed,
    it resumes where it was. Delete bad crops afterwards to leave them out of training.

        faceswap extract A.mp4 --project P --side a
    """
    yield from import_in_background("extract", "faceswap.video.reader", "faceswap.project.project")
    from faceswap.errors import NoFaceError
    from faceswap.faces.downloads import download_weights
    from faceswap.project.project import Project
    from faceswap.video.reader import VideoReader

    with VideoReader(options.video, tolerate_damage=True) as video:
        yield from import_in_background("extract", "faceswap.devices")
        from faceswap.devices import pick_device

        pick_device(options.device)  # raises early if the device is not available
        yield from download_weights(options.detector, options.landmarker)
        project = Project.open_or_create(options.project)
        options = _with_stored_settings(project, options)
        if options.redo or not (yield from _is_complete(project, options)):
            with project.lock_side(options.side):
                yield from _extract(project, options, video)
        if video.damage:
            yield Notice(message=video.damage)
    with project.open_index_read_only() as index:
        frames, faces, tracks = index.count(options.side)
    if not faces:
        raise NoFaceError(_no_face_message(options))
    folder = project.crops_folder(options.side)
    return ExtractSummary(
        side=options.side,
        frames=frames,
        faces=faces,
        tracks=tracks,
        crops=len(list(folder.glob("*.png"))),
        folder=folder,
    )


_SETTINGS = (
    "every",
    "size",
    "min_face",
    "max_faces",
    "detector",
    "detect_every",
    "landmarker",
)
_BATCH = 50


def _settings(options: ExtractOptions) -> dict[str, Any]:
    return options.model_dump(include=set(_SETTINGS))


def _with_stored_settings(project: "Project", options: ExtractOptions) -> ExtractOptions:
    """Options completed with the settings that the side's extraction was started with."""
    if options.redo:
        return options
    with project.open_index_read_only() as index:
        clip = index.clip(options.side)
    old = clip.settings if clip else {}
    not_given = {name for name in _SETTINGS if name in old} - options.model_fields_set
    return options.model_copy(update={name: old[name] for name in not_given})


def _is_complete(project: "Project", options: ExtractOptions) -> Generator[Event, None, bool]:
    """Whether the side is extracted; raises ProjectError if with another video or settings."""
    # Leftovers of a killed extraction must still be cleaned up.
    if project.leftovers(options.side) and os.access(project.folder, os.W_OK):
        return False
    with (yield from _file_work(project.open_index_read_only)) as index:
        yield from _repairs(index)
        clip = index.clip(options.side)
        if clip is None or not clip.complete:
            return False
        yield from _nothing_to_do(project, index, options, clip)
    return True


def _nothing_to_do(
    project: "Project", index: "FaceIndex", options: ExtractOptions, clip: "ExtractionState"
) -> Generator[Event, None, None]:
    from faceswap.errors import OutputError
    from faceswap.project.extraction import check_same_extraction

    side, video = options.side, options.video
    check_same_extraction(project, side, video, _settings(options), clip)
    project.set_video(side, video)
    if clip.written is None and project.extraction_record(side).frames is None:
        # Missing after an older version or a kill; it is needed to rebuild a lost index.
        with suppress(OutputError):
            project.record_extraction(side, video, _record(project, options, index.count(side)))
    yield Notice(message=f"{video.name} is already extracted; nothing to do.")
    if index.staged_keys(side):
        yield Notice(message="An earlier --redo of it was stopped; resume it with --redo.")


def _extract(
    project: "Project", options: ExtractOptions, video: "VideoReader"
) -> Generator[Event, None, None]:
    """Extract or resume the side; the caller holds its lock."""
    from faceswap.project.extraction import begin_reextraction, has_foreign_crops
    from faceswap.project.reextraction import finish_reextraction

    side = options.side
    with (yield from _file_work(project.open_index)) as index:
        yield from _repairs(index)
        clip = index.clip(side)
        blocked = yield from _file_work(lambda: has_foreign_crops(project, index, side))
        redo = (options.redo and clip is not None) or blocked
        # Staged faces are kept while the old ones are complete and in use.
        keep = project.generation(side) + 1 if redo or (clip and clip.complete) else 0
        yield from _file_work(lambda: finish_reextraction(project, index, side, keep))
        if not redo:
            yield from _extract_missing(project, index, options, video)
            return
        lost = clip is not None and clip.written is not None and not clip.complete
        if clip and lost and project.is_same_video(side, options.video):
            # First restore the lost rows, to know which crops were deleted by hand.
            old = {name: v for name, v in clip.settings.items() if name in _SETTINGS}
            yield from _extract_missing(project, index, options.model_copy(update=old), video)
        work = yield from _file_work(
            lambda: begin_reextraction(project, index, side, options.video, _settings(options))
        )
        yield from _reextract(project, index, options, video, work)


def _extract_missing(
    project: "Project", index: "FaceIndex", options: ExtractOptions, video: "VideoReader"
) -> Generator[Event, None, None]:
    """Extract the missing frames of the side's current generation."""
    from faceswap.project.extraction import begin_extraction

    side = options.side
    work = yield from _file_work(
        lambda: begin_extraction(project, index, side, options.video, _settings(options), _BATCH)
    )
    if work.clip.complete:
        yield from _nothing_to_do(project, index, options, work.clip)
        return
    if work.clip.written is not None:
        yield Notice(
            message=f"The index has lost faces of {side.upper()}; they are detected again, and "
            "the crops stay as they are."
        )
    yield from _frames(index, options, video, work)
    project.record_extraction(side, options.video, _record(project, options, index.count(side)))


def _reextract(
    project: "Project",
    index: "FaceIndex",
    options: ExtractOptions,
    video: "VideoReader",
    work: "ExtractionTarget",
) -> Generator[Event, None, None]:
    """Extract a new generation of the side's faces, then replace the old one."""
    from faceswap.errors import NoFaceError, OutputError
    from faceswap.project.reextraction import (
        activate_generation,
        carry_over_exclusions,
        finish_reextraction,
    )

    side, name = options.side, options.side.upper()
    assert work.generation is not None
    yield Notice(message=f"{name}'s old faces stay in use until all new ones are there.")
    try:
        if not work.clip.complete:
            yield from _frames(index, options, video, work)
        if not index.count(work.rows)[1]:
            yield from _file_work(lambda: finish_reextraction(project, index, side))
            raise NoFaceError(f"{_no_face_message(options)} {name}'s old faces stay in use.")
        excluded = 0
        if project.is_same_video(side, options.video):
            generation = work.generation
            excluded = yield from _file_work(
                lambda: carry_over_exclusions(project, index, side, generation)
            )
        record = _record(project, options, index.count(work.rows))
        record = replace(record, folder=work.folder, generation=work.generation)
        yield from _file_work(lambda: activate_generation(project, side, options.video, record))
    except KeyboardInterrupt:
        if project.generation(side) != work.generation:
            yield Notice(message=f"{name}'s old faces are unchanged and stay in use.")
        raise
    try:
        with (yield from _file_work(project.open_index)) as reopened:
            yield from _file_work(lambda: finish_reextraction(project, reopened, side))
    except OutputError as error:
        yield Notice(message=f"{name}'s new faces are in use. {error}")
    if excluded:
        yield Notice(
            message=f"{excluded:,} faces are excluded; they were excluded or deleted before."
        )


def _record(
    project: "Project", options: ExtractOptions, count: tuple[int, int, int]
) -> "KnownSide":
    """The project's record of a complete extraction; count: frames, faces, tracks."""
    from faceswap.faces.index_recovery import KnownSide

    return KnownSide(
        project.crops_folder(options.side),
        settings=_settings(options),
        frames=count[0],
        faces=count[1],
        generation=project.generation(options.side),
    )


def _file_work(work: Callable[[], T]) -> Generator[Event, None, T]:
    """Run ``work`` on the project's files in background: slow if there are many faces."""

    def run(_: ProgressReporter) -> T:
        with uninterruptible():
            return work()

    return (yield from in_background("files", run))


def _repairs(index: "FaceIndex") -> Generator[Event, None, None]:
    for sentence in index.repairs:
        yield Notice(message=sentence)


def _no_face_message(options: ExtractOptions) -> str:
    return (
        f"No face was found in {options.video.name}; choose footage in which the face is larger "
        "or better lit, or try another --detector."
    )


def _frames(
    index: "FaceIndex", options: ExtractOptions, video: "VideoReader", work: "ExtractionTarget"
) -> Generator[Event, None, None]:
    """Process the frames from where the clip's state says, and write rows in batches."""
    from faceswap.faces.crop_writer import CropWriter
    from faceswap.faces.index import FrameRow
    from faceswap.video.prefetch import prefetch

    start = work.clip.next or 0
    meter = Meter("extract", total=video.info.frames or None, start=start)
    tracker = yield from in_background(
        "extract", lambda _: _tracker(options), heartbeat=meter.progress
    )
    if start:
        tracker.restore(work.clip.state["tracker"])
    recovery = {name: v for name, v in work.clip.state.items() if name in ("written", "sure")}
    rows: list[FrameRow] = []
    faces: list[FaceRow] = []
    crowded = 0
    with (
        closing(prefetch(video.frames(start), 8)) as frames,
        CropWriter(_crop_settings(options, work), index.last_cut(work.rows)) as crops,
        BackgroundWorker(meter.progress) as paced,
    ):

        def process(frame: "Frame") -> "tuple[FrameRow, list[FaceRow], bool]":
            seen = tracker.update(frame.image)
            row = FrameRow(frame.index, frame.pts, frame.time, seen.cut)
            found = [crops.write(frame.image, row, face) for face in seen.faces]
            return row, found, seen.dropped > 0

        for frame in frames:
            row, found, dropped = yield from paced(partial(process, frame))
            crowded += dropped
            rows.append(row)
            faces += found
            if len(rows) == _BATCH:
                yield from paced(crops.wait)
                state = {"next": frame.index + 1, "tracker": tracker.state()} | recovery
                index.add(work.rows, rows, faces, state)
                rows, faces = [], []
            progress = meter.add()
            if progress:
                yield progress
        yield from paced(crops.wait)
    index.add(work.rows, rows, faces, {"next": int(meter.done)}, complete=True)
    yield meter.finished()
    if crowded:
        yield Notice(
            message=f"{crowded} frames show more faces than --max-faces {options.max_faces}; "
            "the others were left out."
        )


def _crop_settings(options: ExtractOptions, work: "ExtractionTarget") -> "CropSettings":
    from faceswap.faces.crop_writer import CropSettings

    return CropSettings(
        work.folder,
        options.side,
        options.size,
        options.every,
        work.clip.settings.get("footage"),
        written=work.clip.written or 0,
        sure=work.clip.state.get("sure", True),
    )


def _tracker(options: ExtractOptions) -> "Tracker":
    from faceswap.faces.detect import make_detector
    from faceswap.faces.landmarks import make_landmarker
    from faceswap.faces.tracking import Tracker

    return Tracker(
        make_landmarker(options.landmarker, options.device),
        make_detector(options.detector, options.device),
        detect_every=options.detect_every,
        max_faces=options.max_faces,
        min_face=options.min_face,
    )
