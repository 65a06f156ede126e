"""Begin or resume the extraction of a source: checks, and where rows and crops go."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faceswap.errors import OutputError, ProjectError
from faceswap.faces.crop_recovery import named_crops
from faceswap.faces.crops import parse_crop_name
from faceswap.faces.index import ExtractionState, FaceIndex, staged_key
from faceswap.faces.index_recovery import KnownSource, first_unwritten_frame
from faceswap.project.project import Project, fingerprint


@dataclass(frozen=True)
class ExtractionTarget:
    """An extraction to run: index key of the rows, folder of the crops, and the clip so far.

    generation: the staged generation that replaces the source's current one at the end; None when
    extracting into the source's own rows and folder.
    """

    rows: str
    folder: Path
    clip: ExtractionState
    generation: int | None = None


def check_same_extraction(
    project: Project, source: str, video: Path, settings: Mapping[str, Any], clip: ExtractionState
) -> None:
    """Raise ProjectError when ``clip`` has different footage or extraction settings."""
    name = source.upper()
    if clip.footage not in (None, fingerprint(video)) or not project.is_same_video(source, video):
        raise ProjectError(
            f"{name} in {project.folder} is different footage; replace it with "
            f"'faceswap extract --side {source[:1]} --redo', or use another project."
        )
    changed = [key for key, value in settings.items() if clip.settings.get(key, value) != value]
    if changed:
        names = ", ".join(f"--{key.replace('_', '-')} {clip.settings[key]}" for key in changed)
        raise ProjectError(
            f"{name} was extracted with {names}; use the same, or start over with "
            f"'faceswap extract --side {source[:1]} --redo'."
        )


def begin_extraction(
    project: Project,
    index: FaceIndex,
    source: str,
    video: Path,
    settings: Mapping[str, Any],
    batch: int,
) -> ExtractionTarget:
    """Begin or resume the extraction of a source.

    batch: frames whose crops may be on disk without their rows. Raises ProjectError as
    ``check_same_extraction``, OutputError when the project cannot be written.
    """
    clip, folder = index.clip(source), project.crops_folder(source)
    clip_settings = {**settings, "footage": fingerprint(video)}
    if clip is None:
        known = KnownSource(folder, settings=settings, generation=project.generation(source))
        project.record_extraction(source, video, known)
        _make_folder(folder)
        index.reset_source(source, clip_settings)
        return ExtractionTarget(source, folder, ExtractionState(clip_settings, {}, complete=False))
    check_same_extraction(project, source, video, settings, clip)
    project.set_video(source, video)
    if clip.complete:
        return ExtractionTarget(source, folder, clip)
    recovery = _recovery_state(project.extraction_record(source), clip, batch)
    if recovery and clip.next is None:
        index.reset_source(source, clip_settings, recovery)
        clip = ExtractionState(clip_settings, {}, complete=False)
    return ExtractionTarget(source, folder, replace(clip, state=clip.state | recovery))


def begin_reextraction(
    project: Project, index: FaceIndex, source: str, video: Path, settings: Mapping[str, Any]
) -> ExtractionTarget:
    """Begin or resume the re-extraction of a source as its next, staged generation.

    Raises OutputError when the project cannot be written.
    """
    generation = project.generation(source) + 1
    rows, folder = staged_key(source, generation), project.staging_folder(source, generation)
    clip_settings = {**settings, "footage": fingerprint(video)}
    clip = index.clip_of(rows)
    if clip is None or clip.settings != clip_settings or not folder.is_dir():
        # In this order: if killed in between, the next call starts over, too.
        index.delete_rows(rows)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"Cannot remove {folder}: {error.strerror or error}.") from error
        _make_folder(folder)
        index.reset_source(rows, clip_settings)
        clip = ExtractionState(clip_settings, {}, complete=False)
    return ExtractionTarget(rows, folder, clip, generation)


def has_foreign_crops(project: Project, index: FaceIndex, source: str) -> bool:
    """Whether the folder of a source not extracted yet holds crops with names like ours."""
    return index.clip(source) is None and any(named_crops(project.crops_folder(source)))


def _recovery_state(known: KnownSource, clip: ExtractionState, batch: int) -> dict[str, Any]:
    """State to resume a clip that has recovery rows; empty if it has not.

    written: see ``ExtractionState``. sure: the crops are known to be made with these settings.
    """
    if clip.written is not None:
        return {"written": clip.written, "sure": clip.state.get("sure", "every" in clip.settings)}
    positions = (parse_crop_name(path.name) for path in named_crops(known.folder))
    last = max((position[0] for position in positions if position), default=-1)
    if known.frames is None and last < (clip.next or 0) + batch:
        return {}
    return {"written": first_unwritten_frame(known, last), "sure": True}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot create {folder}: {error.strerror}.") from error
