"""Extract faces: detection, tracking, landmarks and aligned crops of a side's sources."""

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from faceswap.background import import_in_background, in_background
from faceswap.events import Event, Notice, Summary, as_stage
from faceswap.faces.extract_options import DetectorName, ExtractOptions, LandmarkerName
from faceswap.options import Side

if TYPE_CHECKING:
    from faceswap.project.project import Project
    from faceswap.project.source_extraction import SourceExtraction

__all__ = ["DetectorName", "ExtractOptions", "ExtractSummary", "LandmarkerName", "extract"]


class ExtractSummary(Summary):
    """Result of an extraction: totals of the sources that were given.

    folder: of the crops; of several sources, the one that has their folders.
    """

    side: Side
    frames: int
    faces: int
    tracks: int
    crops: int
    folder: Path
    sources: int = 1

    def text(self) -> str:
        """One sentence for a person."""
        of = "" if self.sources == 1 else f" of {self.sources} sources"
        return (
            f"{self.side.upper()}: {self.faces} faces on {self.tracks} tracks in {self.frames} "
            f"frames{of}; {self.crops} crops in {self.folder}."
        )


def extract(options: ExtractOptions) -> Generator[Event, None, ExtractSummary]:
    """Detect, track and align the faces of videos and pictures and save them as crops.

    Reads videos, folders of pictures and pictures, and creates the project folder if needed. Writes
    the crops (PNG) to the project's faces folder, landmarks and tracks of all frames to its index,
    and groups the tracks into people, see 'faceswap people'. Stopped or killed, it resumes where it
    was. Delete bad crops afterwards to leave them out of training.

        faceswap extract A.mp4 --project P --side a
    """
    yield from import_in_background("extract", "faceswap.video.reader", "faceswap.project.project")
    from faceswap.faces.downloads import download_weights
    from faceswap.project.project import Project
    from faceswap.video.reader import open_footage

    with ExitStack() as stack:
        inputs = [stack.enter_context(open_footage(path)) for path in options.inputs]
        yield from import_in_background(
            "extract", "faceswap.devices", "faceswap.project.source_extraction"
        )
        from faceswap.devices import pick_device
        from faceswap.project.early_checks import check_inputs
        from faceswap.project.grouping import group_people
        from faceswap.project.source_extraction import SourceExtraction, extract_source

        pick_device(options.device)  # raises early if the device is not available
        yield from download_weights(options.detector, options.landmarker)
        for notice in (yield from in_background("check", lambda _: check_inputs(options, inputs))):
            yield Notice(message=notice)
        project = Project.open_or_create(options.project)
        works = []
        for path, footage in zip(options.inputs, inputs, strict=True):
            source = _source_for(project, options, path)
            works.append(SourceExtraction(project, source, path, footage, options))
        for number, work in enumerate(works, 1):
            stage = f"extract {number} of {len(works)}"
            events = extract_source(work)
            yield from events if len(works) == 1 else as_stage(stage, events)
        if os.access(project.folder, os.W_OK):  # where it is not, nothing was extracted
            yield from in_background("group", lambda report: group_people(project, report))
    return (yield from _summary(options, project, works))


def _source_for(project: "Project", options: ExtractOptions, path: Path) -> str:
    """Id of the source for ``path``, added to the project if it is new."""
    from faceswap.project.source_list import add_source, find_source

    of_side = [source for source in project.sources() if options.side in source.sides]
    replaced = options.redo and len(options.inputs) == len(of_side) == 1
    if replaced and find_source(project, path) is None:
        return of_side[0].id  # its footage is replaced when its new faces are
    return add_source(project, path, options.side, redo=options.redo).id


def _summary(
    options: ExtractOptions, project: "Project", works: "list[SourceExtraction]"
) -> Generator[Event, None, ExtractSummary]:
    from faceswap.errors import NoFaceError

    names = list(dict.fromkeys(work.source for work in works))
    with project.open_index_read_only() as index:
        counts = {name: index.count(name) for name in names}
    empty = [work for work in works if not counts[work.source][1]]
    if len(empty) == len(works):
        raise NoFaceError(works[0].no_face_message())
    for work in empty:
        yield Notice(message=work.no_face_message())
    folders = [project.crops_folder(name) for name in names]
    totals = [sum(column) for column in zip(*counts.values(), strict=True)]
    return ExtractSummary(
        side=options.side,
        frames=totals[0],
        faces=totals[1],
        tracks=totals[2],
        crops=sum(len(list(folder.glob("*.png"))) for folder in folders),
        folder=folders[0] if len(folders) == 1 else project.folder / "faces",
        sources=len(names),
    )
