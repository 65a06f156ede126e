"""Extracting a side anew: the old faces are there until all new ones are, whenever it breaks off.

The new crops are made in a folder and the new rows under a name of their own. What makes them
the side's is one write of ``project.toml``, which names their generation and their footage;
whoever opens the project finds them from then on. Moving them to the place of the old ones comes
after, and is finished by the next extraction where it broke off.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.faces.crops import crop_files, parse_crop_name
from faceswap.faces.exclusion import EXCLUDED, exclude, restore
from faceswap.faces.exclusion_carry_over import previously_excluded
from faceswap.faces.index import FaceIndex, staged_key
from faceswap.faces.index_recovery import ExtractionRecord
from faceswap.io.atomic import fsync_files, fsync_folder, remove_partial_files
from faceswap.options import Side
from faceswap.project.project import OLD, STAGING, Project


def carry_over_exclusions(project: Project, index: FaceIndex, side: Side, generation: int) -> int:
    """Exclude those new faces that were excluded or deleted before; how many.

    Raises OutputError when the folder cannot be written.
    """
    old, new = project.crops_folder(side), project.staging_folder(side, generation)
    clip = index.clip(side)
    every = int(clip.settings.get("every", 1)) if clip else 1
    kept = {path.name for path in crop_files(old)}
    if not kept and not crop_files(old / EXCLUDED):
        return 0  # all of them are lost, which says nothing of any
    again = [path.name for path in crop_files(new / EXCLUDED)]
    if again:  # of a try that broke off
        restore(new, again)
    names = previously_excluded(
        index.faces(side), every, kept, index.faces(staged_key(side, generation))
    )
    return len(exclude(new, names)) if names else 0


def activate_generation(project: Project, side: Side, video: Path, known: ExtractionRecord) -> None:
    """Make the generation that is ready in ``known.folder`` the side's own; see ``settle``.

    Raises OutputError when the project cannot be written; then the old one stays.
    """
    try:
        fsync_files(known.folder)  # the old crops are not deleted before the new ones are safe
        fsync_folder(known.folder)
    except OSError as error:
        raise OutputError(f"Cannot write {known.folder}: {error.strerror or error}.") from error
    project.record_extraction(side, video, known)


def finish_reextraction(project: Project, index: FaceIndex, side: Side, keep: int = 0) -> None:
    """Move a side's new generation to its place, and remove what is left of broken off work.

    keep: a generation that is being made. What was put among the old crops by hand is put among
    the new ones. Raises OutputError when a file cannot be moved or removed; the new faces are
    found all the same, and the next call goes on.
    """
    generation = project.generation(side)
    faces = project.folder / "faces"
    here, new = faces / side, project.staging_folder(side, generation)
    old = faces / OLD / f"{side}-{generation}"
    rows = staged_key(side, generation)
    project.remove_leftovers()
    try:
        if new.is_dir():
            if here.exists():
                old.parent.mkdir(exist_ok=True)
                os.rename(here, _free(old))
            os.rename(new, here)
        for gone in sorted((faces / OLD).glob(f"{side}-*")):
            _keep_others(gone, here, _made_by_us(index, side, rows))
            _remove(gone)
        if index.key(side) == rows:
            index.promote_staged(side, rows)
        _discard(faces, index, side, keep)
        for folder in (here, here / EXCLUDED, faces / STAGING / f"{side}-{keep}"):
            remove_partial_files(folder)
    except OSError as error:
        raise OutputError(f"Cannot tidy up {faces}: {error.strerror or error}.") from error


def _discard(faces: Path, index: FaceIndex, side: Side, keep: int) -> None:
    """Remove what was made of generations that never came to their end."""
    for name in index.stages(side):
        if name != staged_key(side, keep):
            index.delete_rows(name)
    for folder in (faces / STAGING).glob(f"{side}-*"):
        if folder.name != f"{side}-{keep}":
            shutil.rmtree(folder)
    for empty in (faces / STAGING, faces / OLD):
        with suppress(OSError):  # the other side's
            empty.rmdir()


def _made_by_us(index: FaceIndex, side: Side, rows: str) -> Callable[[str], bool]:
    """Whether a file among the old crops is one that extraction made."""
    if index.key(side) != rows:  # the old rows were lost
        return lambda name: name.endswith(".part") or parse_crop_name(name) is not None
    names, clip = index.crop_names(side), index.clip_of(side)
    first = None if clip is None or clip.complete else clip.next

    def ours(name: str) -> bool:
        place = parse_crop_name(name)
        beyond = place is not None and first is not None and place[0] >= first
        return name in names or beyond or name.endswith(".part")

    return ours


def _keep_others(folder: Path, goal: Path, ours: Callable[[str], bool]) -> None:
    """Move what extraction did not make from ``folder`` to ``goal``, under a name that is free."""
    for path in sorted(folder.iterdir()) if not folder.is_symlink() else ():
        if path.name == EXCLUDED and path.is_dir():
            _keep_others(path, goal / EXCLUDED, ours)
        elif not ours(path.name):
            goal.mkdir(exist_ok=True)
            os.rename(path, _free(goal / path.name))


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1
    return free


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
