"""``project.toml``: what A and B are, and how they were extracted.

Several processes may change it at once: each change reads it anew, under a lock that is held for
as long as that takes.
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
_WAIT = 20.0
"""Seconds to wait for another write, of which each takes milliseconds."""


def is_project_file(path: Path) -> bool:
    """Whether a file is one that making a project begins with."""
    return path.name.startswith(NAME) or path.name == _LOCK


@dataclass(frozen=True)
class SettingsFile:
    """The settings of the project in ``folder``."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / NAME

    def make(self) -> None:
        """Write the settings of a new project, unless another process has.

        Raises OutputError when they cannot be written.
        """
        with self._writing():
            if not self.path.is_file():
                self._write({"format": FORMAT})

    def read(self) -> dict[str, Any]:
        """All settings; raises ProjectError when they are damaged or a newer version's."""
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
        """What is said of one side: its video and fingerprint, and what else was noted.

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
            raise ProjectError(f"{self.path} is damaged: what it says of {side} cannot be read.")
        return entry

    def update_side(self, side: Side, values: dict[str, Any]) -> None:
        """Change what is said of one side, whatever others change meanwhile; None removes.

        Raises OutputError when it cannot be written, ProjectError as ``read`` and when another
        program does not let go of the file.
        """

        def change(settings: dict[str, Any]) -> None:
            entry = settings.get(side, {}) | values
            settings[side] = {name: value for name, value in entry.items() if value is not None}

        self._change(change)

    def leftovers(self) -> list[Path]:
        """What killed processes, or ones that write now, had begun to write."""
        return list(self.folder.glob(f"{NAME}.*.part"))

    def remove_leftovers(self) -> None:
        """Remove what killed processes had begun to write; raises as ``note``."""
        if self.leftovers():
            with self._writing():
                remove_partial_files(self.folder, f"{NAME}.*.part")

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._writing():
            settings = self.read()
            change(settings)
            self._write(settings)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        busy = (
            f"{self.path} is being written by another program, which does not come to an end; "
            "try again."
        )
        with file_lock(self.folder / _LOCK, _WAIT, busy):
            yield

    def _write(self, settings: dict[str, Any]) -> None:
        write_atomically(self.path, tomli_w.dumps(settings).encode())
