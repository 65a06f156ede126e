"""Re-extraction of a source (``--redo``): the old faces stay until all new ones are complete.

The new crops go to a staging folder, the new rows under a staged key in the index. One atomic
write of ``project.toml``, with the new generation and footage, activates them. Then they replace
the old ones on disk; if that is interrupted, the next extraction finishes it.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.faces.crops import crop_files, parse_crop_name
from faceswap.faces.exclusion_carry_over import previously_excluded
from faceswap.faces.index import FaceIndex, staged_key
from faceswap.faces.index_recovery import KnownSource
from faceswap.faces.manual_exclusion import DELETED, EXCLUDED, exclude, restore
from faceswap.io.atomic import free_name, fsync_files, fsync_folder, remove_partial_files
from faceswap.project.project import OLD, STAGING, Project


def carry_over_exclusions(project: Project, index: FaceIndex, source: str, generation: int) -> int:
    """Exclude the new faces that were excluded or deleted before; returns their number.

    Raises OutputError when the folder cannot be written.
    """
    old, new = project.crops_folder(source), project.staging_folder(source, generation)
    clip = index.clip(source)
    every = int(clip.settings.get("every", 1)) if clip else 1
    kept = {path.name for path in crop_files(old)}
    if not kept and not crop_files(old / EXCLUDED):
        return 0  # all crops are lost, which excludes none of them
    restored = [path.name for path in crop_files(new / EXCLUDED)]
    if restored:  # by an interrupted attempt
        restore(new, restored)
    names = previously_excluded(
        index.faces(source), every, kept, index.faces(staged_key(source, generation))
    )
    return len(exclude(new, names)) if names else 0


def activate_generation(project: Project, source: str, video: Path, known: KnownSource) -> None:
    """Make the complete generation in ``known.folder`` the source's current one.

    ``finish_reextraction`` then moves it into place.

    Raises OutputError when the project cannot be written; the old generation then stays.
    """
    try:
        fsync_files(known.folder)  # the old crops are not deleted before the new ones are safe
        fsync_folder(known.folder)
    except OSError as error:
        raise OutputError(f"Cannot write {known.folder}: {error.strerror or error}.") from error
    project.record_extraction(source, video, known)


def finish_reextraction(project: Project, index: FaceIndex, source: str, keep: int = 0) -> None:
    """Move a source's new generation into place, and remove the remains of interrupted ones.

    keep: a generation that is still being extracted. Files of the user among the old crops are
    moved to the new ones. Raises OutputError when a file cannot be moved or removed; the new faces
    are in use all the same, and the next call continues.
    """
    generation = project.generation(source)
    faces = project.folder / "faces"
    current, new = faces / source, project.staging_folder(source, generation)
    old = faces / OLD / f"{source}-{generation}"
    rows = staged_key(source, generation)
    project.remove_leftovers()
    try:
        if new.is_dir():
            if current.exists():
                old.parent.mkdir(exist_ok=True)
                os.rename(current, free_name(old))
            os.rename(new, current)
        for replaced in sorted((faces / OLD).glob(f"{source}-*")):
            _move_foreign_files(replaced, current, _written_by_extraction(index, source, rows))
            _remove(replaced)
        if index.key(source) == rows:
            index.promote_staged(source, rows)
        _remove_incomplete(faces, index, source, keep)
        for folder in (current, current / EXCLUDED, faces / STAGING / f"{source}-{keep}"):
            remove_partial_files(folder)
    except OSError as error:
        raise OutputError(f"Cannot clean up {faces}: {error.strerror or error}.") from error


def _remove_incomplete(faces: Path, index: FaceIndex, source: str, keep: int) -> None:
    """Remove rows and crops of generations that were never completed."""
    for name in index.staged_keys(source):
        if name != staged_key(source, keep):
            index.delete_rows(name)
    for folder in (faces / STAGING).glob(f"{source}-*"):
        if folder.name != f"{source}-{keep}":
            shutil.rmtree(folder)
    for empty in (faces / STAGING, faces / OLD):
        with suppress(OSError):  # in use by the other source
            empty.rmdir()


def _written_by_extraction(index: FaceIndex, source: str, rows: str) -> Callable[[str], bool]:
    """A predicate on names of old crops: whether extraction wrote the file."""
    if index.key(source) != rows:  # the old rows were lost
        return lambda name: name.endswith(".part") or parse_crop_name(name) is not None
    names, clip = index.crop_names(source), index.clip_of(source)
    first = None if clip is None or clip.complete else clip.next

    def ours(name: str) -> bool:
        position = parse_crop_name(name)
        beyond = position is not None and first is not None and position[0] >= first
        return name in names or beyond or name.endswith(".part")

    return ours


def _move_foreign_files(folder: Path, goal: Path, ours: Callable[[str], bool]) -> None:
    """Move files not written by extraction from ``folder`` to ``goal``, under free names."""
    for path in sorted(folder.iterdir()) if not folder.is_symlink() else ():
        if path.name == EXCLUDED and path.is_dir():
            _move_foreign_files(path, goal / EXCLUDED, ours)
        elif path.name == DELETED and path.is_dir():
            continue  # what lies where these did is deleted from the new ones
        elif not ours(path.name):
            goal.mkdir(exist_ok=True)
            os.rename(path, free_name(goal / path.name))


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
