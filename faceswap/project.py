"""The project folder.

::

    project.toml        what A and B are
    index.sqlite        frames and faces (faces/index.py)
    faces/a, faces/b    aligned crops, each with its own record (faces/crops.py)
    model/              one folder for each training run
    out/                what conversion made, where no other place was named
"""

import hashlib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index import FaceIndex
from faceswap.options import Side

FORMAT = 1
_SETTINGS = "project.toml"


@dataclass(frozen=True)
class Project:
    """A project folder that exists."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> "Project":
        """The project in ``folder``.

        Raises ProjectError when there is none, it is damaged or a newer version made it.
        """
        if not (folder / _SETTINGS).is_file():
            raise ProjectError(
                f"There is no project in {folder}; make one with "
                f"'faceswap extract VIDEO --project {folder} --side a'."
            )
        project = cls(folder)
        project._settings()
        return project

    @classmethod
    def open_or_make(cls, folder: Path) -> "Project":
        """The project in ``folder``, made when the folder is missing or empty.

        Raises OutputError when it cannot be made, ProjectError as ``open``; a folder that
        holds other things is refused, so that nothing of the user's is mixed with ours.
        """
        if (folder / _SETTINGS).is_file():
            return cls.open(folder)
        if folder.is_file():
            raise ProjectError(f"{folder} is a file; name a folder for the project.")
        try:
            if folder.is_dir() and any(folder.iterdir()):
                raise ProjectError(
                    f"{folder} holds other files and no project; name a new or an empty folder."
                )
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {folder}: {error.strerror}.") from error
        project = cls(folder)
        project._write({"format": FORMAT})
        return project

    def faces(self, side: Side) -> Path:
        """Folder of one side's crops."""
        return self.folder / "faces" / side

    @property
    def model(self) -> Path:
        """Folder of the training runs."""
        return self.folder / "model"

    @property
    def out(self) -> Path:
        """Folder of conversions for which no other place was named."""
        return self.folder / "out"

    def index(self) -> FaceIndex:
        """The index, opened; the caller closes it."""
        return FaceIndex(self.folder / "index.sqlite")

    def video(self, side: Side) -> Path:
        """The footage of one side.

        Raises ProjectError when none was named yet, InputError when it is gone or another
        file stands in its place.
        """
        entry = self._settings().get(side)
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
        settings = self._settings()
        settings[side] = {"video": str(path.absolute()), "fingerprint": fingerprint(path)}
        self._write(settings)

    def is_video(self, side: Side, path: Path) -> bool:
        """Whether ``path`` holds the footage that was named for ``side``, wherever it lies."""
        entry = self._settings().get(side)
        return entry is not None and bool(entry["fingerprint"] == fingerprint(path))

    def _settings(self) -> dict[str, Any]:
        path = self.folder / _SETTINGS
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
            newer = settings["format"] > FORMAT
        except (tomllib.TOMLDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ProjectError(f"{path} is damaged: {error}.") from error
        except OSError as error:
            raise ProjectError(f"Cannot read {path}: {error.strerror}.") from error
        if newer:
            raise ProjectError(
                f"{self.folder} was made by a newer version of faceswap; update faceswap first."
            )
        return settings

    def _write(self, settings: dict[str, Any]) -> None:
        path = self.folder / _SETTINGS
        part = path.with_suffix(".part")
        try:
            with open(part, "wb") as file:
                tomli_w.dump(settings, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror}.") from error


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
