"""The source of a conversion: one of the project, or a new file whose faces are extracted."""

from collections.abc import Generator
from pathlib import Path

from faceswap.background import in_background
from faceswap.events import Event
from faceswap.faces.extract_options import ExtractOptions
from faceswap.options import Device
from faceswap.project.grouping import group_people
from faceswap.project.project import Project
from faceswap.project.source_extraction import SourceExtraction, extract_source
from faceswap.project.source_list import add_source, find_source
from faceswap.video.reader import open_footage

_CROPS_EVERY = 25  # frames: a few crops are enough, as the source is not trained on


def source_to_convert(
    project: Project, path: Path | None, device: Device = "auto"
) -> Generator[Event, None, str]:
    """Id of the source at ``path``, or of A's first one.

    A new file is added to no side, its faces are extracted and grouped into people.
    """
    if path is None:
        return project.main_source("a")
    source = find_source(project, path) or add_source(project, path, None)
    with project.open_index_read_only() as index:
        clip = index.clip(source.id)
    if clip is None or not clip.complete:
        options = ExtractOptions(
            inputs=(path,),
            project=project.folder,
            side="a",
            every=_CROPS_EVERY,
            size=256,
            device=device,
        )
        with open_footage(path) as footage:
            yield from extract_source(SourceExtraction(project, source.id, path, footage, options))
        yield from in_background("group", lambda report: group_people(project, report), "sources")
    return source.id
