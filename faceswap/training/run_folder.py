"""What lies in a run's folder: its saves and what they take of the disk, and going back to one.

::

    step-*.safetensors   the saves; the newest is gone on from
    snapshots/           saves that are kept for good
    aside/N/             what was newer than the save that was gone back to, the N-th time: saves,
                         pictures, and the curves as they were
    *.damaged            saves that could not be read, or were of a stretch that went wrong
    previews/            pictures
    metrics.jsonl, tensorboard/
"""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from faceswap.errors import CheckpointError, OutputError
from faceswap.training.checkpoint import CheckpointFolder, read_checkpoint
from faceswap.training.metrics_log import truncate_metrics
from faceswap.training.run_metadata import read_header
from faceswap.training.snapshots import SNAPSHOTS, link_or_copy

QUARANTINE = "aside"
PREVIEWS_KEPT = 10
"""So many of the newest previews are left when a run is cleaned."""

_SAVE = re.compile(r"step-(\d{9})\.safetensors")
_PICTURE = re.compile(r"step-(\d{9})\.png")


class RunFolder:
    """One run's folder. It may only be changed while the run is held, see run_lock.py."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saves = CheckpointFolder(folder)

    def snapshots(self) -> list[Path]:
        """Saves that are kept for good, oldest first."""
        return _named(self.folder / SNAPSHOTS, _SAVE)

    def quarantined(self) -> list[Path]:
        """Folders of what was set aside, the last first."""
        folder = self.folder / QUARANTINE
        found = [p for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def best(self) -> Path | None:
        """The save or snapshot whose model was found to be best; None where none was measured."""
        scores = {path: score_of(path) for path in (*self.saves.files(), *self.snapshots())}
        known = [path for path, score in scores.items() if score is not None]
        return max(known, key=lambda path: (scores[path] or 0.0, path.name), default=None)

    def disk_use(self) -> dict[str, int]:
        """Bytes by part; what two names share counts once."""
        seen: set[tuple[int, int]] = set()
        damaged = self.folder.rglob("*.damaged")
        aside = [*_files(self.folder / QUARANTINE), *damaged]
        return {
            "saves": _size(self.saves.files(), seen),
            "snapshots": _size(self.snapshots(), seen),
            "previews": _size(_files(self.folder / "previews"), seen),
            "logs": _size(
                [self.folder / "metrics.jsonl", *_files(self.folder / "tensorboard")], seen
            ),
            "set aside": _size(aside, seen),
        }

    def roll_back(self, step: int) -> None:
        """Make the save of ``step`` the newest: what is newer is set aside, not deleted.

        Raises CheckpointError when there is no such save or it can't be read, OutputError when
        the folder can't be changed.
        """
        chosen = self._save_of(step)
        read_checkpoint(chosen)  # a damaged one is no place to go back to
        goal, records = self.saves.path(step), self.folder / "metrics.jsonl"
        asides = self.quarantined()
        aside = self.folder / QUARANTINE / str(int(asides[0].name) + 1 if asides else 1)
        try:
            aside.mkdir(parents=True)
            if records.is_file():
                shutil.copyfile(records, aside / records.name)
            if chosen != goal:
                link_or_copy(chosen, goal)
            came_from = chosen.parent.parent if chosen.parent.name == SNAPSHOTS else chosen.parent
            if came_from in asides:  # with the curves that led to it
                with suppress(FileNotFoundError):
                    shutil.copyfile(came_from / records.name, records)
                if chosen.parent == came_from:
                    chosen.unlink()
                for path in _named(came_from / SNAPSHOTS, _SAVE):
                    if _step(path) <= step:
                        (self.folder / SNAPSHOTS).mkdir(exist_ok=True)
                        os.replace(path, self.folder / SNAPSHOTS / path.name)
            truncate_metrics(records, step)
            previews = self.folder / "previews"
            for path in (*self.saves.files(), *self.snapshots(), *_named(previews, _PICTURE)):
                if _step(path) > step:
                    place = aside / path.relative_to(self.folder)
                    place.parent.mkdir(exist_ok=True)
                    os.replace(path, place)
        except OSError as error:
            raise OutputError(f"Cannot change {self.folder}: {error.strerror or error}.") from error

    def _save_of(self, step: int) -> Path:
        asides = [place for aside in self.quarantined() for place in (aside, aside / SNAPSHOTS)]
        places = (self.folder, self.folder / SNAPSHOTS, *asides)
        name = self.saves.path(step).name
        for place in places:
            if (place / name).is_file():
                return place / name
        steps = sorted({_step(p) for place in places for p in _named(place, _SAVE)})
        there = ", ".join(map(str, steps)) or "none"
        raise CheckpointError(f"{self.folder} has no save of step {step}; there are {there}.")

    def clean(self, *, saves: bool) -> int:
        """Remove what was set aside, and all previews but the last few; the bytes that this frees.

        Snapshots stay, those that were set aside too.

        saves: all saves besides, but the newest that can be read, the newest of a step at which
        the run did well, and the best one. Raises CheckpointError when none can be read.
        """
        put = [p for p in _files(self.folder / QUARANTINE) if p.parent.name != SNAPSHOTS]
        aside = [*put, *self.folder.rglob("*.damaged")]
        old = _named(self.folder / "previews", _PICTURE)[:-PREVIEWS_KEPT]
        gone = [*aside, *old]
        if saves:
            gone += set(self.saves.files()) - self._needed()
        freed = _freed(gone)
        for path in gone:
            with suppress(OSError):
                path.unlink()
        for folder in sorted((self.folder / QUARANTINE).rglob("*"), reverse=True):
            with suppress(OSError):  # of one that holds a snapshot
                folder.rmdir()
        with suppress(OSError):
            (self.folder / QUARANTINE).rmdir()
        return freed

    def _needed(self) -> set[Path]:
        newest, _ = self.saves.newest()
        files = self.saves.files()
        if newest is None:
            return set(files)
        good = int(newest.metadata.get("good", newest.metadata["step"]))
        best = self.best()
        # What is newer could not be read: no reason to remove it without being asked.
        kept = [path for path in files if _step(path) >= _step(newest.path)]
        kept += [path for path in files if _step(path) <= good][-1:]
        return {*kept, *([best] if best is not None else [])}

    def remove_snapshot(self, step: int) -> int:
        """Remove the snapshot of ``step``; the bytes that this frees.

        Raises CheckpointError when there is none, OutputError when it can't be removed.
        """
        path = self.folder / SNAPSHOTS / self.saves.path(step).name
        if not path.is_file():
            steps = ", ".join(str(_step(p)) for p in self.snapshots()) or "none"
            raise CheckpointError(f"There is no snapshot of step {step}; there are {steps}.")
        freed = _freed([path])
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(f"Cannot remove {path}: {error.strerror or error}.") from error
        return freed


def score_of(path: Path) -> float | None:
    """How good the model in a save was found to be, where that was measured."""
    score: Any = read_header(path).get("numbers", {}).get("score")
    return float(score) if isinstance(score, int | float) else None


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _named(folder: Path, name: re.Pattern[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def _size(paths: Iterable[Path], seen: set[tuple[int, int]]) -> int:
    total = 0
    for path in paths:
        with suppress(OSError):  # gone meanwhile
            found = path.stat()
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_size
    return total


def _freed(paths: Iterable[Path]) -> int:
    """What removing all of ``paths`` gives back: nothing where another name stays."""
    names: dict[tuple[int, int], int] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for path in paths:
        with suppress(OSError):
            found = path.stat()
            key = found.st_dev, found.st_ino
            names[key] = names.get(key, 0) + 1
            sizes[key] = found.st_size, found.st_nlink
    return sum(size for key, (size, links) in sizes.items() if names[key] >= links)
