"""The settings file ``project.toml``: sources, corrections of people, unswapped faces.

It holds what the user decided; what can be computed again is in the index. Several processes may
change it at once: each change reads and rewrites the file under a lock. A file of format 1, with
one video for each side, is read as it is and carried over by the first change, which keeps the
earlier file as ``project-1.toml``.
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

FORMAT = 2
NAME = "project.toml"
KEPT = "project-1.toml"
"""The file of format 1, kept when it is carried over."""
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
        """Read all settings, in the current format.

        Raises ProjectError when they are damaged or of a newer version.
        """
        return self._read()[0]

    def _read(self) -> tuple[dict[str, Any], bytes | None]:
        """All settings, and the content of a file of format 1 that they are from."""
        try:
            content = self.path.read_bytes()
            settings = tomllib.loads(content.decode("utf-8"))
            version = int(settings["format"])
        except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as error:
            raise ProjectError(f"{self.path} is damaged: {error}.") from error
        except OSError as error:
            raise ProjectError(f"Cannot read {self.path}: {error.strerror}.") from error
        if version > FORMAT:
            raise ProjectError(
                f"{self.folder} was made by a newer version of faceswap; update faceswap first."
            )
        return (settings, None) if version == FORMAT else (_carried_over(settings), content)

    def sources(self) -> dict[str, dict[str, Any]]:
        """Entries of all sources by id, in the order in which they were added.

        Raises ProjectError as ``read``.
        """
        entries = self.read().get("sources", {})
        if not isinstance(entries, dict):
            raise ProjectError(f"{self.path} is damaged: its sources are invalid.")
        for name, entry in entries.items():
            self._check(name, entry)
        return entries

    def source(self, name: str) -> dict[str, Any] | None:
        """Entry of one source: path, fingerprint, sides, extraction; None if there is none.

        Raises ProjectError as ``read``.
        """
        entries = self.read().get("sources", {})
        entry = entries.get(name) if isinstance(entries, dict) else None
        if entry is None:
            return None
        self._check(name, entry)
        return dict(entry)

    def _check(self, name: str, entry: Any) -> None:
        texts, numbers = ("path", "fingerprint"), ("frames", "faces", "generation")
        if (
            not isinstance(entry, dict)
            or not all(isinstance(entry.get(key), str) for key in texts)
            or not all(isinstance(entry.get(key, 1), int) for key in numbers)
            or not all(isinstance(entry.get(key, ""), str) for key in ("kind", "sides"))
            or not all(isinstance(entry.get(key, 0), int | float) for key in ("in", "out"))
            or not isinstance(entry.get("settings", {}), dict)
        ):
            raise ProjectError(f"{self.path} is damaged: its entry {name} is invalid.")

    def update_source(self, name: str, values: dict[str, Any]) -> None:
        """Update the entry of one source under the lock; None removes a value.

        Raises OutputError when it cannot be written, ProjectError as ``read`` and when another
        program keeps the file locked.
        """

        def update(settings: dict[str, Any]) -> None:
            sources = settings.setdefault("sources", {})
            entry = sources.get(name, {}) | values
            sources[name] = {key: value for key, value in entry.items() if value is not None}

        self.change(update)

    def leftovers(self) -> list[Path]:
        """Partial files of killed processes, or of ones that are writing now."""
        return list(self.folder.glob(f"{NAME}.*.part"))

    def remove_leftovers(self) -> None:
        """Remove partial files of killed processes; raises as ``update_source``."""
        if self.leftovers():
            with self._locked():
                remove_partial_files(self.folder, f"{NAME}.*.part")

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Apply ``change`` to the settings and write them; raises as ``update_source``."""
        with self._locked():
            settings, earlier = self._read()
            change(settings)
            if earlier is not None:
                write_atomically(self.folder / KEPT, earlier)
            self._write(settings)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        busy = f"{self.path} is being written by another program; wait or stop it, then retry."
        with file_lock(self.folder / _LOCK, _LOCK_TIMEOUT, busy):
            yield

    def _write(self, settings: dict[str, Any]) -> None:
        write_atomically(self.path, tomli_w.dumps(settings).encode())


def _carried_over(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of format 1, whose sides had one video each, in the current format."""
    sources: dict[str, Any] = {}
    for side in ("a", "b"):
        entry = settings.get(side)
        if isinstance(entry, dict):
            entry = {"path" if key == "video" else key: value for key, value in entry.items()}
            sources[side] = entry | {"kind": "video", "sides": side}
        elif entry is not None:
            sources[side] = entry
    return {"format": FORMAT, "sources": sources}
