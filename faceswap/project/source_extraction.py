"""Extract the faces of one source of a project, or resume that."""

import os
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from faceswap.background import ProgressReporter, in_background, uninterruptible
from faceswap.errors import NoFaceError, OutputError
from faceswap.events import Event, Notice
from faceswap.faces.extract_options import ExtractOptions
from faceswap.faces.index import ExtractionState, FaceIndex
from faceswap.faces.index_recovery import KnownSource
from faceswap.project import frame_pass
from faceswap.project.by_hand import Place
from faceswap.project.deleting import delete_recovered
from faceswap.project.extraction import (
    ExtractionTarget,
    begin_extraction,
    begin_reextraction,
    check_same_extraction,
    has_foreign_crops,
)
from faceswap.project.frame_pass import process_frames
from faceswap.project.mending import mend_again
from faceswap.project.people_carry_over import carry_over_people
from faceswap.project.project import Project
from faceswap.project.reextraction import (
    activate_generation,
    carry_over_exclusions,
    finish_reextraction,
)
from faceswap.video.reader import VideoReader

T = TypeVar("T")

_SETTINGS = (
    "every",
    "size",
    "min_face",
    "max_faces",
    "detector",
    "detect_every",
    "landmarker",
)


@dataclass(frozen=True)
class SourceExtraction:
    """What is extracted: the file or folder ``path``, opened as ``footage``, as ``source``."""

    project: Project
    source: str
    path: Path
    footage: VideoReader
    options: ExtractOptions

    def settings(self) -> dict[str, Any]:
        """The settings that the faces depend on."""
        return self.options.model_dump(include=set(_SETTINGS))

    def with_stored_settings(self) -> "SourceExtraction":
        """With the options completed by those that the extraction was started with."""
        if self.options.redo:
            return self
        with self.project.open_index_read_only() as index:
            clip = index.clip(self.source)
        old = clip.settings if clip else {}
        not_given = {n for n in _SETTINGS if n in old} - self.options.model_fields_set
        options = self.options.model_copy(update={name: old[name] for name in not_given})
        return replace(self, options=options)

    def record(self, count: tuple[int, int, int]) -> KnownSource:
        """The project's record of a complete extraction; count: frames, faces, tracks."""
        return KnownSource(
            self.project.crops_folder(self.source),
            settings=self.settings(),
            frames=count[0],
            faces=count[1],
            generation=self.project.generation(self.source),
        )

    def no_face_message(self) -> str:
        """What to say when there is no face."""
        return (
            f"No face was found in {self.path.name}; choose footage in which the face is larger "
            "or better lit, or try another --detector."
        )


def extract_source(work: SourceExtraction) -> Generator[Event, None, None]:
    """Extract all faces of a source, or those that are missing.

    Raises ProjectError when it was extracted with other settings or is being extracted,
    NoFaceError when it is extracted again and shows no face.
    """
    work = work.with_stored_settings()
    if work.options.redo or not (yield from _is_complete(work)):
        with work.project.lock_source(work.source):
            yield from _extract(work)
    if work.footage.damage:
        yield Notice(message=work.footage.damage)


def _is_complete(work: SourceExtraction) -> Generator[Event, None, bool]:
    """Whether the source is extracted; raises ProjectError if with other settings."""
    project = work.project
    # Leftovers of a killed extraction must still be cleaned up.
    if project.leftovers(work.source) and os.access(project.folder, os.W_OK):
        return False
    with (yield from _file_work(project.open_index_read_only)) as index:
        yield from _repairs(index)
        clip = index.clip(work.source)
        if clip is None or not clip.complete:
            return False
        yield from _nothing_to_do(work, index, clip)
    return True


def _nothing_to_do(
    work: SourceExtraction, index: FaceIndex, clip: ExtractionState
) -> Generator[Event, None, None]:
    project, source, path = work.project, work.source, work.path
    check_same_extraction(project, source, path, work.settings(), clip)
    project.set_video(source, path)
    if clip.written is None and project.extraction_record(source).frames is None:
        # Missing after an older version or a kill; it is needed to rebuild a lost index.
        with suppress(OutputError):
            project.record_extraction(source, path, work.record(index.count(source)))
    yield Notice(message=f"{path.name} is already extracted; nothing to do.")
    if index.staged_keys(source):
        yield Notice(message="An earlier --redo of it was stopped; resume it with --redo.")


def _extract(work: SourceExtraction) -> Generator[Event, None, None]:
    """Extract or resume the source; the caller holds its lock."""
    project, source = work.project, work.source
    with (yield from _file_work(project.open_index)) as index:
        yield from _repairs(index)
        clip = index.clip(source)
        blocked = yield from _file_work(lambda: has_foreign_crops(project, index, source))
        redo = (work.options.redo and clip is not None) or blocked
        # Staged faces are kept while the old ones are complete and in use.
        keep = project.generation(source) + 1 if redo or (clip and clip.complete) else 0
        yield from _file_work(lambda: finish_reextraction(project, index, source, keep))
        if not redo:
            yield from _extract_missing(work, index)
            return
        lost = clip is not None and clip.written is not None and not clip.complete
        if clip and lost and project.is_same_video(source, work.path):
            # First restore the lost rows, to know which crops were deleted by hand.
            old = {name: v for name, v in clip.settings.items() if name in _SETTINGS}
            earlier = replace(work, options=work.options.model_copy(update=old))
            yield from _extract_missing(earlier, index)
        target = yield from _file_work(
            lambda: begin_reextraction(project, index, source, work.path, work.settings())
        )
        yield from _reextract(work, index, target)


def _extract_missing(work: SourceExtraction, index: FaceIndex) -> Generator[Event, None, None]:
    """Extract the missing frames of the source's current generation."""
    project, source = work.project, work.source
    batch = frame_pass.BATCH
    target = yield from _file_work(
        lambda: begin_extraction(project, index, source, work.path, work.settings(), batch)
    )
    if target.clip.complete:
        yield from _nothing_to_do(work, index, target.clip)
        return
    if target.clip.written is not None:
        yield Notice(
            message=f"The index has lost faces of {source.upper()}; they are detected again, and "
            "the crops stay as they are."
        )
    yield from process_frames(index, work.options, work.footage, target, source)
    every = work.options.every
    yield from _file_work(lambda: delete_recovered(project, index, source, every))
    project.record_extraction(source, work.path, work.record(index.count(source)))


def _reextract(
    work: SourceExtraction, index: FaceIndex, target: ExtractionTarget
) -> Generator[Event, None, None]:
    """Extract a new generation of the source's faces, then replace the old one."""
    project, source, name = work.project, work.source, work.source.upper()
    generation = target.generation
    assert generation is not None
    yield Notice(message=f"{name}'s old faces stay in use until all new ones are there.")
    try:
        if not target.clip.complete:
            yield from process_frames(index, work.options, work.footage, target, source)
        if not index.count(target.rows)[1]:
            yield from _file_work(lambda: finish_reextraction(project, index, source))
            raise NoFaceError(f"{work.no_face_message()} {name}'s old faces stay in use.")
        excluded = 0
        if project.is_same_video(source, work.path):
            yield from _mend_again(work, index, target)
            excluded = yield from _file_work(
                lambda: carry_over_exclusions(project, index, source, generation)
            )
            yield from _file_work(lambda: carry_over_people(project, index, source, target.rows))
        record = work.record(index.count(target.rows))
        record = replace(record, folder=target.folder, generation=generation)
        yield from _file_work(lambda: activate_generation(project, source, work.path, record))
    except KeyboardInterrupt:
        if project.generation(source) != generation:
            yield Notice(message=f"{name}'s old faces are unchanged and stay in use.")
        raise
    try:
        with (yield from _file_work(project.open_index)) as reopened:
            yield from _file_work(lambda: finish_reextraction(project, reopened, source))
    except OutputError as error:
        yield Notice(message=f"{name}'s new faces are in use. {error}")
    if excluded:
        yield Notice(
            message=f"{excluded:,} faces are excluded; they were excluded or deleted before."
        )


def _mend_again(
    work: SourceExtraction, index: FaceIndex, target: ExtractionTarget
) -> Generator[Event, None, None]:
    """Add to the new faces what was added to the old ones by hand."""
    assert target.generation is not None
    place = Place(work.source, target.rows, target.generation, target.folder)
    told = yield from in_background(
        "mend",
        lambda report: mend_again(work.project, index, work.footage, place, report),
        "places",
    )
    for sentence in told:
        yield Notice(message=sentence)


def _file_work(work: Callable[[], T]) -> Generator[Event, None, T]:
    """Run ``work`` on the project's files in background: slow if there are many faces."""

    def run(_: ProgressReporter) -> T:
        with uninterruptible():
            return work()

    return (yield from in_background("files", run))


def _repairs(index: FaceIndex) -> Generator[Event, None, None]:
    for sentence in index.repairs:
        yield Notice(message=sentence)
