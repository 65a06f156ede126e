"""How far a side is extracted, and where what is still to be extracted goes."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceswap.errors import OutputError, ProjectError
from faceswap.faces.crop_recovery import named_crops
from faceswap.faces.crops import parse_crop_name
from faceswap.faces.index import Clip, FaceIndex, staged_key
from faceswap.faces.index_recovery import ExtractionRecord, first_unwritten_frame
from faceswap.options import Side
from faceswap.project.project import Project, fingerprint


@dataclass(frozen=True)
class ExtractionWork:
    """What is to be extracted: the rows and the folder it goes to, and the clip as it is so far.

    generation: the one that takes the place of the side's own at the end; None where the rows
    and the folder are the side's own.
    """

    rows: str
    folder: Path
    clip: Clip
    generation: int | None = None


def check_same_extraction(
    project: Project, side: Side, video: Path, settings: Mapping[str, Any], clip: Clip
) -> None:
    """Raise ProjectError when ``clip`` is of other footage or was made with other settings."""
    name = side.upper()
    if clip.footage not in (None, fingerprint(video)) or not project.is_same_video(side, video):
        raise ProjectError(
            f"{name} in {project.folder} is other footage; replace it by "
            f"'faceswap extract --side {side} --redo', or name another project."
        )
    changed = [key for key, value in settings.items() if clip.settings.get(key, value) != value]
    if changed:
        names = ", ".join(f"--{key.replace('_', '-')} {clip.settings[key]}" for key in changed)
        raise ProjectError(
            f"{name} was extracted with {names}; give the same, or begin anew by "
            f"'faceswap extract --side {side} --redo'."
        )


def begin_extraction(
    project: Project,
    index: FaceIndex,
    side: Side,
    video: Path,
    settings: Mapping[str, Any],
    batch: int,
) -> ExtractionWork:
    """Begin to extract a side, or go on with it.

    batch: frames whose crops may have been written without their rows. Raises ProjectError as
    ``check_same_extraction``, OutputError when the project cannot be written.
    """
    clip, folder = index.clip(side), project.crops_folder(side)
    noted = {**settings, "footage": fingerprint(video)}
    if clip is None:
        known = ExtractionRecord(folder, settings=settings, generation=project.generation(side))
        project.record_extraction(side, video, known)
        _make(folder)
        index.reset_side(side, noted)
        return ExtractionWork(side, folder, Clip(noted, {}, complete=False))
    check_same_extraction(project, side, video, settings, clip)
    project.set_video(side, video)
    if clip.complete:
        return ExtractionWork(side, folder, clip)
    lost = _lost(project.extraction_record(side), clip, batch)
    if lost and clip.next is None:
        index.reset_side(side, noted, lost)
        clip = Clip(noted, {}, complete=False)
    return ExtractionWork(side, folder, replace(clip, state=clip.state | lost))


def begin_reextraction(
    project: Project, index: FaceIndex, side: Side, video: Path, settings: Mapping[str, Any]
) -> ExtractionWork:
    """Begin to extract a side's next generation, or go on with it where that broke off.

    Raises OutputError when the project cannot be written.
    """
    generation = project.generation(side) + 1
    rows, folder = staged_key(side, generation), project.staging_folder(side, generation)
    noted = {**settings, "footage": fingerprint(video)}
    clip = index.clip_of(rows)
    if clip is None or clip.settings != noted or not folder.is_dir():
        # In this order: whatever a kill leaves of it is begun anew again.
        index.delete_rows(rows)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"Cannot remove {folder}: {error.strerror or error}.") from error
        _make(folder)
        index.reset_side(rows, noted)
        clip = Clip(noted, {}, complete=False)
    return ExtractionWork(rows, folder, clip, generation)


def has_foreign_crops(project: Project, index: FaceIndex, side: Side) -> bool:
    """Whether crops of other footage, named as ours would be, lie where a side is to begin."""
    return index.clip(side) is None and any(named_crops(project.crops_folder(side)))


def _lost(known: ExtractionRecord, clip: Clip, batch: int) -> dict[str, Any]:
    """What must be known to go on with a clip of which rows were lost; empty if none were.

    written: see ``Clip``. sure: the crops were made with the settings that are known.
    """
    if clip.written is not None:
        return {"written": clip.written, "sure": clip.state.get("sure", "every" in clip.settings)}
    places = (parse_crop_name(path.name) for path in named_crops(known.folder))
    last = max((place[0] for place in places if place), default=-1)
    if known.frames is None and last < (clip.next or 0) + batch:
        return {}
    return {"written": first_unwritten_frame(known, last), "sure": True}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make {folder}: {error.strerror}.") from error
