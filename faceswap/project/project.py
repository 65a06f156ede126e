"""The project folder.

::

    project.toml        what A and B are, and how they were extracted
    index.sqlite        frames and faces (faces/index.py)
    faces/a, faces/b    aligned crops, each with its own record (faces/crops.py)
    model/              one folder for each training run
    out/                what conversion made, where no other place was named

Several processes may work on one project: a write to ``project.toml`` holds a lock for as long
as it takes, and nothing else is held but a run by its training and a side by its extraction.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index import FaceIndex, staged_key
from faceswap.faces.index_recovery import ExtractionRecord, open_index
from faceswap.io.atomic import file_lock
from faceswap.options import Side
from faceswap.project.settings_file import NAME, SettingsFile, is_project_file

STAGING = ".new"
"""Folder in ``faces`` in which a side is extracted anew until all of it is there."""
OLD = ".old"
"""Folder in ``faces`` in which the crops are that new ones took the place of."""


@dataclass(frozen=True)
class Project:
    """A project folder that exists."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> "Project":
        """The project in ``folder``.

        Raises ProjectError when there is none, it is damaged or a newer version made it.
        """
        if not (folder / NAME).is_file():
            raise ProjectError(
                f"There is no project in {folder}; make one with "
                f"'faceswap extract VIDEO --project {folder} --side a'."
            )
        project = cls(folder)
        project._file.read()
        return project

    @classmethod
    def open_or_make(cls, folder: Path) -> "Project":
        """The project in ``folder``, made when the folder is missing or empty.

        Raises OutputError when it cannot be made, ProjectError as ``open``; a folder that
        holds other things is refused, so that nothing of the user's is mixed with ours.
        """
        if (folder / NAME).is_file():
            return cls.open(folder)
        if folder.is_file():
            raise ProjectError(f"{folder} is a file; name a folder for the project.")
        project = cls(folder)
        try:
            # Another process that makes the same project puts its settings there first.
            if folder.is_dir() and any(not is_project_file(path) for path in folder.iterdir()):
                if (folder / NAME).is_file():
                    return cls.open(folder)
                raise ProjectError(
                    f"{folder} holds other files and no project; name a new or an empty folder."
                )
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {folder}: {error.strerror}.") from error
        project._file.make()
        return cls.open(folder)

    def crops_folder(self, side: Side) -> Path:
        """Folder of one side's crops."""
        generation = self.generation(side)
        if generation > 1:
            # New ones that are complete, but not yet moved to their place.
            new = self.staging_folder(side, generation)
            if new.is_dir():
                return new
        return self.folder / "faces" / side

    def staging_folder(self, side: str, generation: int) -> Path:
        """Where the crops of a side's next generation are made."""
        return self.folder / "faces" / STAGING / f"{side}-{generation}"

    def generation(self, side: str) -> int:
        """1, and one more for each time that the side was extracted anew."""
        entry = self._file.side(side)
        return int(entry.get("generation", 1)) if entry else 1

    def index_key(self, side: str) -> str:
        """The name of a side's rows in the index until they are moved to the side's own."""
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
        """Folder of conversions for which no other place was named."""
        return self.folder / "out"

    def open_index(self) -> FaceIndex:
        """The index, opened to be written; the caller closes it.

        Where it was lost or damaged it was made anew, of which its ``repairs`` tell.
        """
        return open_index(self.folder / "index.sqlite", self._known(), write=True)

    def open_index_read_only(self) -> FaceIndex:
        """As ``index``, but nothing is changed, and the folder may be read-only."""
        return open_index(self.folder / "index.sqlite", self._known(), write=False)

    def extraction_record(self, side: Side) -> ExtractionRecord:
        """What is known of a side besides its index."""
        return self._known()[side]

    @contextmanager
    def hold_side(self, side: Side) -> Iterator[None]:
        """Hold a side, so that no other process extracts it meanwhile.

        The system lets go of it with the process. All else can be done with the project. Raises
        ProjectError when another process holds it, OutputError when the folder cannot be written.
        """
        busy = (
            f"The faces of {side.upper()} in {self.folder} are being extracted already; wait for "
            "that or stop it."
        )
        with file_lock(self.folder / f".extract-{side}.lock", 0, busy):
            yield

    def leftovers(self, side: Side) -> bool:
        """Whether a killed process, or one that works now, left something to be tidied up."""
        faces, generation = self.folder / "faces", self.generation(side)
        return (
            bool(self._file.leftovers())
            or self.staging_folder(side, generation).is_dir()
            or any(faces.glob(f"{OLD}/{side}-*"))
            or any(faces.glob(f"{side}/*.part"))
        )

    def remove_leftovers(self) -> None:
        """Remove what killed processes had begun to write to the settings.

        Raises OutputError when the folder cannot be written.
        """
        self._file.remove_leftovers()

    def video(self, side: Side) -> Path:
        """The footage of one side.

        Raises ProjectError when none was named yet, InputError when it is gone or another
        file stands in its place.
        """
        entry = self._file.side(side)
        if entry is None:
            raise ProjectError(
                f"The project {self.folder} has no footage for {side.upper()} yet; run "
                f"'faceswap extract VIDEO --project {self.folder} --side {side}'."
            )
        path = Path(entry["video"])
        if not path.is_file():
            raise InputError(f"{side.upper()}'s footage {path} is gone; put it back.")
        if fingerprint(path) != entry["fingerprint"]:
            raise InputError(
                f"{path} is no longer the file that {side.upper()} was extracted from; "
                "extract it anew with --redo."
            )
        return path

    def set_video(self, side: Side, path: Path) -> None:
        """Say what the footage of one side is."""
        named: dict[str, Any] = {"video": str(path.absolute()), "fingerprint": fingerprint(path)}
        entry = self._file.side(side) or {}
        if entry.get("fingerprint") != named["fingerprint"]:
            named |= dict.fromkeys(("settings", "frames", "faces"))  # they were the other's
        if any(entry.get(name) != value for name, value in named.items()):
            self._file.update_side(side, named)

    def record_extraction(self, side: Side, path: Path, known: ExtractionRecord) -> None:
        """Say of what footage a side is and what is known of it, all or nothing."""
        noted: dict[str, Any] = {
            "video": str(path.absolute()),
            "fingerprint": fingerprint(path),
            "settings": dict(known.settings),
            "frames": known.frames,
            "faces": known.faces,
            "generation": known.generation if known.generation > 1 else None,
        }
        self._file.update_side(side, noted)

    def is_same_video(self, side: Side, path: Path) -> bool:
        """Whether ``path`` holds the footage that was named for ``side``, wherever it lies."""
        entry = self._file.side(side)
        return entry is not None and bool(entry["fingerprint"] == fingerprint(path))

    def extraction_warnings(
        self, index: FaceIndex, side: Side, *, whole: bool = False
    ) -> list[str]:
        """What to say of the faces that ``index`` knows of a side, as they are to be used.

        Raises ProjectError when there are none, they are of other footage than the side's or,
        if all are needed (``whole``), some were lost with the index.
        """
        clip, entry = index.clip(side), self._file.side(side)
        name = side.upper()
        said = list(index.repairs)
        if clip is None or entry is None:
            raise ProjectError(f"The faces of {name} are not extracted yet; do that first.")
        if clip.footage not in (None, entry["fingerprint"]):
            raise ProjectError(
                f"The faces of {name} are of other footage than {entry['video']}; extract them "
                "anew with --redo."
            )
        if clip.complete:
            return said
        again = f"'faceswap extract {entry['video']} --project {self.folder} --side {side}'"
        if clip.written is not None or entry.get("frames") is not None:
            lost = (
                f"The index has lost faces of {name} that no crop shows; run {again}, which finds "
                "them again and leaves the crops as they are."
            )
            if whole:
                raise ProjectError(" ".join([*said, lost]))
            return [*said, lost]
        if whole:
            said.append(f"The faces of {name} are not all extracted yet; {again} goes on.")
        return said

    def _known(self) -> dict[str, ExtractionRecord]:
        sides: tuple[Side, ...] = ("a", "b")
        return {side: self._known_of(side) for side in sides}

    def _known_of(self, side: Side) -> ExtractionRecord:
        entry = self._file.side(side) or {}
        return ExtractionRecord(
            self.crops_folder(side),
            entry.get("fingerprint"),
            dict(entry.get("settings", {})),
            entry.get("frames"),
            entry.get("faces"),
            int(entry.get("generation", 1)),
        )


def fingerprint(path: Path) -> str:
    """A name for the content of a file, from its size and its first and last mebibyte.

    Raises InputError when the file cannot be read.
    """
    part = 1 << 20
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            digest = hashlib.sha256(str(size).encode() + file.read(part))
            file.seek(max(part, size - part))
            digest.update(file.read(part))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    return digest.hexdigest()[:32]
