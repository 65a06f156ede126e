"""The project folder.

::

    project.toml        sources, their extraction settings, what was said of people
    index.sqlite        frames, faces and tracks (faces/index.py)
    faces/SOURCE        aligned crops, each with its face record (faces/crops.py)
    model/              one folder per training run
    out/                converted videos, by default
    cache/              what models made of crops (swap/compositing/network_cache.py)

Several processes may work on one project: writes to ``project.toml`` are locked, training locks
its run, and extraction locks its source.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index import FaceIndex, staged_key
from faceswap.faces.index_recovery import KnownSource, open_index
from faceswap.io.atomic import file_lock
from faceswap.project.settings_file import NAME, SettingsFile, is_project_file
from faceswap.project.source import Source, fingerprint, kind_of

__all__ = ["OLD", "STAGING", "Project", "fingerprint"]

STAGING = ".new"
"""Folder in ``faces`` for the new crops of a re-extraction until it is complete."""
OLD = ".old"
"""Folder in ``faces`` for the replaced crops until they are deleted."""


@dataclass(frozen=True)
class Project:
    """An existing project folder."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> "Project":
        """Open the project in ``folder``.

        Raises ProjectError when there is none, or it is damaged or of a newer version.
        """
        if not (folder / NAME).is_file():
            raise ProjectError(
                f"There is no project in {folder}; create one with "
                f"'faceswap extract VIDEO --project {folder} --side a'."
            )
        project = cls(folder)
        project._file.read()
        return project

    @classmethod
    def open_or_create(cls, folder: Path) -> "Project":
        """Open the project in ``folder``; create it when the folder is missing or empty.

        Raises OutputError when it cannot be created, ProjectError as ``open`` and when the folder
        holds other files, which must not be mixed with ours.
        """
        if (folder / NAME).is_file():
            return cls.open(folder)
        if folder.is_file():
            raise ProjectError(f"{folder} is a file; give a folder for the project.")
        project = cls(folder)
        try:
            # Another process that creates the same project writes its settings first.
            if folder.is_dir() and any(not is_project_file(path) for path in folder.iterdir()):
                if (folder / NAME).is_file():
                    return cls.open(folder)
                raise ProjectError(
                    f"{folder} holds other files and no project; use a new or an empty folder."
                )
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot create {folder}: {error.strerror}.") from error
        project._file.create()
        return cls.open(folder)

    def sources(self) -> list[Source]:
        """All sources, in the order in which they were added."""
        return [Source.from_entry(name, entry) for name, entry in self._file.sources().items()]

    def main_source(self, side: str) -> str:
        """Id of the first source of a side; the side's own name while there is none."""
        of_side = [source.id for source in self.sources() if side in source.sides]
        return side if side in of_side or not of_side else of_side[0]

    def settings(self) -> dict[str, Any]:
        """All of ``project.toml``, in the current format."""
        return self._file.read()

    def change_settings(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Apply ``change`` to the content of ``project.toml`` under its lock.

        Raises OutputError when it cannot be written, ProjectError when it stays locked.
        """
        self._file.change(change)

    def crops_folder(self, source: str) -> Path:
        """Folder of the crops of a source."""
        return self._folder_of(source, self.generation(source))

    def _folder_of(self, source: str, generation: int) -> Path:
        if generation > 1:
            # A complete re-extraction that is not moved into place yet.
            new = self.staging_folder(source, generation)
            if new.is_dir():
                return new
        return self.folder / "faces" / source

    def staging_folder(self, source: str, generation: int) -> Path:
        """Folder for the crops of a generation while it is being extracted."""
        return self.folder / "faces" / STAGING / f"{source}-{generation}"

    def generation(self, source: str) -> int:
        """Number of the source's extraction: 1, plus one for each re-extraction."""
        entry = self._file.source(source)
        return int(entry.get("generation", 1)) if entry else 1

    def index_key(self, source: str) -> str:
        """Index key of a source's current rows; a staged key until they are promoted."""
        generation = self.generation(source)
        return staged_key(source, generation) if generation > 1 else source

    @property
    def _file(self) -> SettingsFile:
        return SettingsFile(self.folder)

    @property
    def runs_folder(self) -> Path:
        """Folder of the training runs."""
        return self.folder / "model"

    @property
    def output_folder(self) -> Path:
        """Default folder of converted videos."""
        return self.folder / "out"

    def open_index(self) -> FaceIndex:
        """Open the index to write; the caller closes it.

        A lost or damaged index is rebuilt; its ``repairs`` then say so.
        """
        return open_index(self.folder / "index.sqlite", self._known(), write=True)

    def open_index_read_only(self) -> FaceIndex:
        """As ``open_index``, without changing anything; the folder may be read-only."""
        return open_index(self.folder / "index.sqlite", self._known(), write=False)

    def extraction_record(self, source: str) -> KnownSource:
        """What is known of a source's extraction apart from the index."""
        return self._known_of(source, self._file.source(source) or {})

    @contextmanager
    def lock_source(self, source: str) -> Iterator[None]:
        """Lock a source, so that no other process extracts it at the same time.

        The system releases the lock when the process ends. Blocks nothing but extraction. Raises
        ProjectError when another process holds it, OutputError when the folder cannot be written.
        """
        busy = (
            f"The faces of {source.upper()} in {self.folder} are already being extracted; wait for "
            "that or stop it."
        )
        with file_lock(self.folder / f".extract-{source}.lock", 0, busy):
            yield

    def leftovers(self, source: str) -> bool:
        """Whether there are remains of a killed process (or of one running now) to clean up."""
        faces, generation = self.folder / "faces", self.generation(source)
        return (
            bool(self._file.leftovers())
            or self.staging_folder(source, generation).is_dir()
            or any(faces.glob(f"{OLD}/{source}-*"))
            or any(faces.glob(f"{source}/*.part"))
        )

    def remove_leftovers(self) -> None:
        """Remove partial writes of the settings by killed processes.

        Raises OutputError when the folder cannot be written.
        """
        self._file.remove_leftovers()

    def video(self, source: str) -> Path:
        """Path of a source's file or folder.

        Raises ProjectError when there is no such source, InputError when the file is missing or
        its content has changed.
        """
        entry = self._file.source(source)
        name = source.upper()
        if entry is None:
            raise ProjectError(
                f"The project {self.folder} has no footage for {name} yet; run "
                f"'faceswap extract VIDEO --project {self.folder} --side {source[:1]}'."
            )
        path = Path(entry["path"])
        if not path.exists():
            raise InputError(
                f"{name}'s footage {path} is missing; put it back, or say where it is with "
                f"'faceswap sources --project {self.folder} --relink {source} PATH'."
            )
        if fingerprint(path) != entry["fingerprint"]:
            raise InputError(
                f"{path} is no longer the file that {name} was extracted from; "
                "extract it again with --redo."
            )
        return path

    def set_video(self, source: str, path: Path) -> None:
        """Set the footage of a source; resets its extraction settings if it is different.

        A source that does not exist yet is added to the side that its id begins with.
        """
        entry = self._file.source(source) or {"sides": source[:1]}
        values: dict[str, Any] = {
            "path": str(path.absolute()),
            "fingerprint": fingerprint(path),
            "kind": kind_of(path),
            "sides": entry.get("sides", ""),
        }
        if entry.get("fingerprint") != values["fingerprint"]:
            # They are of the previous footage.
            values |= dict.fromkeys(("settings", "frames", "faces", "in", "out"))
        if any(entry.get(name) != value for name, value in values.items()):
            self._file.update_source(source, values)

    def update_source(self, source: str, values: dict[str, Any]) -> None:
        """Change values of a source's entry; None removes one. Raises OutputError, ProjectError."""
        self._file.update_source(source, values)

    def record_extraction(self, source: str, path: Path, known: KnownSource) -> None:
        """Set footage and extraction record of a source in one atomic write."""
        entry = self._file.source(source) or {"sides": source[:1]}
        values: dict[str, Any] = {
            "path": str(path.absolute()),
            "fingerprint": fingerprint(path),
            "kind": kind_of(path),
            "sides": entry.get("sides", ""),
            "settings": dict(known.settings),
            "frames": known.frames,
            "faces": known.faces,
            "generation": known.generation if known.generation > 1 else None,
        }
        self._file.update_source(source, values)

    def is_same_video(self, source: str, path: Path) -> bool:
        """Whether ``path`` has the same content as a source; it may be elsewhere."""
        entry = self._file.source(source)
        return entry is not None and bool(entry["fingerprint"] == fingerprint(path))

    def extraction_warnings(
        self, index: FaceIndex, source: str, *, require_complete: bool = False
    ) -> list[str]:
        """Warnings to show before using the faces of a source.

        Raises ProjectError when there are none, they are of different footage or, where all are
        needed (``require_complete``), some were lost with the index.
        """
        clip, entry = index.clip(source), self._file.source(source)
        name = source.upper()
        warnings = list(index.repairs)
        if clip is None or entry is None:
            raise ProjectError(
                f"The faces of {name} are not extracted yet; run 'faceswap extract' first."
            )
        if clip.footage not in (None, entry["fingerprint"]):
            raise ProjectError(
                f"The faces of {name} are of different footage than {entry['path']}; extract them "
                "again with --redo."
            )
        if clip.complete:
            return warnings
        side = (entry.get("sides") or "a")[0]
        command = f"'faceswap extract {entry['path']} --project {self.folder} --side {side}'"
        if clip.written is not None or entry.get("frames") is not None:
            lost = (
                f"The index has lost faces of {name} that have no crop; run {command} to "
                "detect them again (existing crops are kept)."
            )
            if require_complete:
                raise ProjectError(" ".join([*warnings, lost]))
            return [*warnings, lost]
        if require_complete:
            warnings.append(f"The faces of {name} are not all extracted yet; {command} resumes.")
        return warnings

    def _known(self) -> dict[str, KnownSource]:
        entries: dict[str, dict[str, Any]] = {"a": {}, "b": {}} | self._file.sources()
        return {source: self._known_of(source, entry) for source, entry in entries.items()}

    def _known_of(self, source: str, entry: dict[str, Any]) -> KnownSource:
        generation = int(entry.get("generation", 1))
        return KnownSource(
            self._folder_of(source, generation),
            entry.get("fingerprint"),
            dict(entry.get("settings", {})),
            entry.get("frames"),
            entry.get("faces"),
            generation,
        )
