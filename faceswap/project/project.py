"""The project folder.

::

    project.toml        footage of A and B, and their extraction settings
    index.sqlite        frames and faces (faces/index.py)
    faces/a, faces/b    aligned crops, each with its face record (faces/crops.py)
    model/              one folder per training run
    out/                converted videos, by default

Several processes may work on one project: writes to ``project.toml`` are locked, training locks
its run, and extraction locks its side.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index import FaceIndex, staged_key
from faceswap.faces.index_recovery import KnownSide, open_index
from faceswap.io.atomic import file_lock
from faceswap.options import Side
from faceswap.project.settings_file import NAME, SettingsFile, is_project_file

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

    def crops_folder(self, side: Side) -> Path:
        """Folder of the crops of one side."""
        generation = self.generation(side)
        if generation > 1:
            # A complete re-extraction that is not moved into place yet.
            new = self.staging_folder(side, generation)
            if new.is_dir():
                return new
        return self.folder / "faces" / side

    def staging_folder(self, side: str, generation: int) -> Path:
        """Folder for the crops of a generation while it is being extracted."""
        return self.folder / "faces" / STAGING / f"{side}-{generation}"

    def generation(self, side: str) -> int:
        """Number of the side's extraction: 1, plus one for each re-extraction."""
        entry = self._file.side(side)
        return int(entry.get("generation", 1)) if entry else 1

    def index_key(self, side: str) -> str:
        """Index key of a side's current rows; a staged key until they are promoted."""
        generation = self.generation(side)
        return staged_key(side, generation) if generation > 1 else side

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

    def extraction_record(self, side: Side) -> KnownSide:
        """What is known of a side's extraction apart from the index."""
        return self._known()[side]

    @contextmanager
    def lock_side(self, side: Side) -> Iterator[None]:
        """Lock a side, so that no other process extracts it at the same time.

        The system releases the lock when the process ends. Blocks nothing but extraction. Raises
        ProjectError when another process holds it, OutputError when the folder cannot be written.
        """
        busy = (
            f"The faces of {side.upper()} in {self.folder} are already being extracted; wait for "
            "that or stop it."
        )
        with file_lock(self.folder / f".extract-{side}.lock", 0, busy):
            yield

    def leftovers(self, side: Side) -> bool:
        """Whether there are remains of a killed process (or of one running now) to clean up."""
        faces, generation = self.folder / "faces", self.generation(side)
        return (
            bool(self._file.leftovers())
            or self.staging_folder(side, generation).is_dir()
            or any(faces.glob(f"{OLD}/{side}-*"))
            or any(faces.glob(f"{side}/*.part"))
        )

    def remove_leftovers(self) -> None:
        """Remove partial writes of the settings by killed processes.

        Raises OutputError when the folder cannot be written.
        """
        self._file.remove_leftovers()

    def video(self, side: Side) -> Path:
        """Path of the footage of one side.

        Raises ProjectError when none was set yet, InputError when the file is missing or its
        content has changed.
        """
        entry = self._file.side(side)
        if entry is None:
            raise ProjectError(
                f"The project {self.folder} has no footage for {side.upper()} yet; run "
                f"'faceswap extract VIDEO --project {self.folder} --side {side}'."
            )
        path = Path(entry["video"])
        if not path.is_file():
            raise InputError(f"{side.upper()}'s footage {path} is missing; put it back.")
        if fingerprint(path) != entry["fingerprint"]:
            raise InputError(
                f"{path} is no longer the file that {side.upper()} was extracted from; "
                "extract it again with --redo."
            )
        return path

    def set_video(self, side: Side, path: Path) -> None:
        """Set the footage of one side; resets its extraction settings if it is different."""
        values: dict[str, Any] = {"video": str(path.absolute()), "fingerprint": fingerprint(path)}
        entry = self._file.side(side) or {}
        if entry.get("fingerprint") != values["fingerprint"]:
            values |= dict.fromkeys(("settings", "frames", "faces"))  # of the previous footage
        if any(entry.get(name) != value for name, value in values.items()):
            self._file.update_side(side, values)

    def record_extraction(self, side: Side, path: Path, known: KnownSide) -> None:
        """Set footage and extraction record of a side in one atomic write."""
        values: dict[str, Any] = {
            "video": str(path.absolute()),
            "fingerprint": fingerprint(path),
            "settings": dict(known.settings),
            "frames": known.frames,
            "faces": known.faces,
            "generation": known.generation if known.generation > 1 else None,
        }
        self._file.update_side(side, values)

    def is_same_video(self, side: Side, path: Path) -> bool:
        """Whether ``path`` has the same content as the footage of ``side``; it may be elsewhere."""
        entry = self._file.side(side)
        return entry is not None and bool(entry["fingerprint"] == fingerprint(path))

    def extraction_warnings(
        self, index: FaceIndex, side: Side, *, require_complete: bool = False
    ) -> list[str]:
        """Warnings to show before using the faces of a side.

        Raises ProjectError when there are none, they are of different footage or, where all are
        needed (``require_complete``), some were lost with the index.
        """
        clip, entry = index.clip(side), self._file.side(side)
        name = side.upper()
        warnings = list(index.repairs)
        if clip is None or entry is None:
            raise ProjectError(
                f"The faces of {name} are not extracted yet; run 'faceswap extract' first."
            )
        if clip.footage not in (None, entry["fingerprint"]):
            raise ProjectError(
                f"The faces of {name} are of different footage than {entry['video']}; extract them "
                "again with --redo."
            )
        if clip.complete:
            return warnings
        command = f"'faceswap extract {entry['video']} --project {self.folder} --side {side}'"
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

    def _known(self) -> dict[str, KnownSide]:
        sides: tuple[Side, ...] = ("a", "b")
        return {side: self._known_of(side) for side in sides}

    def _known_of(self, side: Side) -> KnownSide:
        entry = self._file.side(side) or {}
        return KnownSide(
            self.crops_folder(side),
            entry.get("fingerprint"),
            dict(entry.get("settings", {})),
            entry.get("frames"),
            entry.get("faces"),
            int(entry.get("generation", 1)),
        )


def fingerprint(path: Path) -> str:
    """Hash of a file's content: SHA-256 of its size and its first and last MiB, shortened.

    Of a folder: of the names and sizes of its files.

    Raises InputError when the file cannot be read.
    """
    part = 1 << 20
    try:
        if path.is_dir():
            names = [f"{p.name} {p.stat().st_size}" for p in sorted(path.iterdir()) if p.is_file()]
            return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
        size = path.stat().st_size
        with open(path, "rb") as file:
            digest = hashlib.sha256(str(size).encode() + file.read(part))
            file.seek(max(part, size - part))
            digest.update(file.read(part))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    return digest.hexdigest()[:32]
