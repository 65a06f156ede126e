"""Add, relink and remove the sources of a project."""

import shutil
from pathlib import Path
from typing import Any

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.options import Side
from faceswap.project.project import Project
from faceswap.project.source import Source, fingerprint, free_id, kind_of


def find_source(project: Project, path: Path) -> Source | None:
    """The source whose content a file or folder has, wherever it lies; None if there is none.

    Raises InputError when ``path`` cannot be read.
    """
    mark = fingerprint(path)
    return next((s for s in project.sources() if s.fingerprint == mark), None)


def source_of(project: Project, name: str) -> Source:
    """The source with the id ``name``; raises ProjectError when there is none."""
    sources = {source.id: source for source in project.sources()}
    if name not in sources:
        raise ProjectError(
            f"{project.folder} has no source {name!r}; it has {', '.join(sources) or 'none yet'}."
        )
    return sources[name]


def add_source(project: Project, path: Path, side: Side | None, *, redo: bool = False) -> Source:
    """The source of a file or folder, added if it is new; a known file only gets the new path.

    side: the side that it is for; None for one that is converted only. A file of the other side
    serves both. redo: a changed file is the source that it was. Raises InputError when ``path``
    cannot be read, or is a changed file of the project; OutputError when the project cannot be
    written.
    """
    mark, absolute = fingerprint(path), str(path.absolute())
    for known in project.sources():
        if (
            known.fingerprint == mark
            and str(known.path) == absolute
            and (side or "") in known.sides
        ):
            return known  # nothing to write: the project may be read-only
    added: list[str] = []

    def change(settings: dict[str, Any]) -> None:
        sources = settings.setdefault("sources", {})
        same = [name for name, entry in sources.items() if entry.get("fingerprint") == mark]
        if same:
            entry = sources[same[0]]
            sides = set(entry.get("sides", "")) | set(side or "")
            entry |= {"path": absolute, "sides": "".join(sorted(sides))}
            added.append(same[0])
            return
        changed = [name for name, entry in sources.items() if entry.get("path") == absolute]
        if changed and redo:
            added.append(changed[0])
            return
        if changed:
            raise InputError(
                f"{path} is no longer the file that {changed[0].upper()} was extracted from; "
                "extract it again with --redo."
            )
        name = free_id(side or "c", sources)
        sources[name] = {
            "path": absolute,
            "fingerprint": mark,
            "kind": kind_of(path),
            "sides": side or "",
        }
        added.append(name)

    project.change_settings(change)
    return source_of(project, added[0])


def relink(project: Project, name: str, path: Path) -> None:
    """Set the place of a source whose file was moved.

    Raises InputError when ``path`` is another file, ProjectError when there is no such source.
    """
    source = source_of(project, name)
    if fingerprint(path) != source.fingerprint:
        raise InputError(
            f"{path} is not the file that was {source.path.name}; give the moved file, or add the "
            "other one with 'faceswap extract'."
        )
    project.update_source(name, {"path": str(path.absolute())})


def set_points(project: Project, name: str, first: float | None, last: float | None) -> None:
    """Set the in and out point of a source, in seconds; None removes one.

    Raises ProjectError when there is no such source or the points are not in order.
    """
    source_of(project, name)
    if first is not None and last is not None and last <= first:
        raise ProjectError(f"The out point {last:g} s must come after the in point {first:g} s.")
    project.update_source(name, {"in": first, "out": last})


def remove_source(project: Project, name: str) -> None:
    """Remove a source with its rows and crops; its own file stays.

    Raises ProjectError when there is no such source or it is being extracted, OutputError when
    something cannot be removed.
    """
    source_of(project, name)

    def change(settings: dict[str, Any]) -> None:
        settings.get("sources", {}).pop(name, None)
        for person in settings.get("people", []):
            person.get("tracks", {}).pop(name, None)
        for part in ("unswapped", "by_hand"):
            entries = settings.get(part, [])
            settings[part] = [entry for entry in entries if entry.get("source") != name]

    with project.lock_source(name):
        folder = project.crops_folder(name)
        with project.open_index() as index:
            for rows in (name, *index.staged_keys(name)):
                index.delete_rows(rows)
        project.change_settings(change)
        try:
            if folder.is_dir():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(f"Cannot remove {folder}: {error.strerror or error}.") from error
