"""The settings file ``project.toml``: footage and extraction settings of A and B.

Several processes may change it at once: each change reads and rewrites the file under a lock.
"""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from faceswap.errors import ProjectError
from faceswap.io.atomic import file_lock, remove_partial_files, write_atomically
from faceswap.options import Side

FORMAT = 1
NAME = "project.toml"
_LOCK = ".project.lock"
_LOCK_TIMEOUT = 20.0
"""Seconds to wait for another process to write, which takes milliseconds."""


def is_project_file(path: Path) -> bool:
    """Whether a file is the settings file, a partial write of it, or its lock."""
    return path.name.startswith(NAME) or path.name == _LOCK


@dataclass(frozen=True)
class SettingsFile:
    """The settings file of the project in ``folder``."""

    folder: Path

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self.folder / NAME

    def create(self) -> None:
        """Create the settings of a new project, unless another process has.

        Raises OutputError when they cannot be written.
        """
        with self._locked():
            if not self.path.is_file():
                self._write({"format": FORMAT})

    def read(self) -> dict[str, Any]:
        """Read all settings; raises ProjectError when they are damaged or of a newer version."""
        try:
            settings = tomllib.loads(self.path.read_text(encoding="utf-8"))
            newer = settings["format"] > FORMAT
        except (tomllib.TOMLDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ProjectError(f"{self.path} is damaged: {error}.") from error
        except OSError as error:
            raise ProjectError(f"Cannot read {self.path}: {error.strerror}.") from error
        if newer:
            raise ProjectError(
                f"{self.folder} was made by a newer version of faceswap; update faceswap first."
            )
        return settings

    def side(self, side: str) -> dict[str, Any] | None:
        """Settings of one side: video, fingerprint, extraction settings; None if not set.

        Raises ProjectError as ``read``.
        """
        entry = self.read().get(side)
        if entry is None:
            return None
        texts, numbers = ("video", "fingerprint"), ("frames", "faces", "generation")
        if (
            not isinstance(entry, dict)
            or not all(isinstance(entry.get(name), str) for name in texts)
            or not all(isinstance(entry.get(name, 1), int) for name in numbers)
            or not isinstance(entry.get("settings", {}), dict)
        ):
            raise ProjectError(f"{self.path} is damaged: its entry {side} is invalid.")
        return entry

    def update_side(self, side: Side, values: dict[str, Any]) -> None:
        """Update settings of one side under the lock; None removes a value.

        Raises OutputError when it cannot be written, ProjectError as ``read`` and when another
        program keeps the file locked.
        """

        def change(settings: dict[str, Any]) -> None:
            entry = settings.get(side, {}) | values
            settings[side] = {name: value for name, value in entry.items() if value is not None}

        self._change(change)

    def leftovers(self) -> list[Path]:
        """Partial files of killed processes, or of ones that are writing now."""
        return list(self.folder.glob(f"{NAME}.*.part"))

    def remove_leftovers(self) -> None:
        """Remove partial files of killed processes; raises as ``update_side``."""
        if self.leftovers():
            with self._locked():
                remove_partial_files(self.folder, f"{NAME}.*.part")

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._locked():
            settings = self.read()
            change(settings)
            self._write(settings)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        busy = f"{self.path} is being written by another program; wait or stop it, then retry."
        with file_lock(self.folder / _LOCK, _LOCK_TIMEOUT, busy):
            yield

    def _write(self, settings: dict[str, Any]) -> None:
        write_atomically(self.path, tomli_w.dumps(settings).encode())
