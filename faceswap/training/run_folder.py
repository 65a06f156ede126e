"""Folder of a run: its checkpoints, disk use, clean-up, and roll back to an earlier step.

::

    step-*.safetensors   checkpoints; training resumes from the newest
    snapshots/           checkpoints that are never deleted by later ones
    aside/N/             quarantine of the N-th roll back: newer checkpoints and previews, and the
                         metrics as they were
    *.damaged            checkpoints that could not be read, or diverged
    previews/            preview pictures
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
"""Number of newest previews that cleaning a run keeps."""

_CHECKPOINT = re.compile(r"step-(\d{9})\.safetensors")
_PREVIEW = re.compile(r"step-(\d{9})\.png")


class RunFolder:
    """One run's folder. Hold the run's lock while changing it, see run_lock.py."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saves = CheckpointFolder(folder)

    def snapshots(self) -> list[Path]:
        """Files of all snapshots, oldest first."""
        return _named(self.folder / SNAPSHOTS, _CHECKPOINT)

    def quarantined(self) -> list[Path]:
        """Quarantine folders, newest first."""
        folder = self.folder / QUARANTINE
        found = [p for p in folder.iterdir() if p.name.isdecimal()] if folder.is_dir() else []
        return sorted(found, key=lambda path: int(path.name), reverse=True)

    def best(self) -> Path | None:
        """The checkpoint or snapshot with the highest score; None where none has one."""
        scores = {path: score_of(path) for path in (*self.saves.files(), *self.snapshots())}
        known = [path for path, score in scores.items() if score is not None]
        return max(known, key=lambda path: (scores[path] or 0.0, path.name), default=None)

    def disk_use(self) -> dict[str, int]:
        """Bytes on disk by kind of file; hard links count once."""
        seen: set[tuple[int, int]] = set()
        damaged = self.folder.rglob("*.damaged")
        quarantine = [*_files(self.folder / QUARANTINE), *damaged]
        return {
            "saves": _size(self.saves.files(), seen),
            "snapshots": _size(self.snapshots(), seen),
            "previews": _size(_files(self.folder / "previews"), seen),
            "logs": _size(
                [self.folder / "metrics.jsonl", *_files(self.folder / "tensorboard")], seen
            ),
            "set aside": _size(quarantine, seen),
        }

    def roll_back(self, step: int) -> None:
        """Make the checkpoint of ``step`` the newest; newer files go to quarantine, undeleted.

        Raises CheckpointError when there is no such checkpoint or it can't be read, OutputError
        when the folder can't be changed.
        """
        chosen = self._find_checkpoint(step)
        read_checkpoint(chosen)  # raises if it is damaged
        target, records = self.saves.path(step), self.folder / "metrics.jsonl"
        quarantines = self.quarantined()
        quarantine = (
            self.folder / QUARANTINE / str(int(quarantines[0].name) + 1 if quarantines else 1)
        )
        try:
            quarantine.mkdir(parents=True)
            if records.is_file():
                shutil.copyfile(records, quarantine / records.name)
            if chosen != target:
                link_or_copy(chosen, target)
            origin = chosen.parent.parent if chosen.parent.name == SNAPSHOTS else chosen.parent
            if origin in quarantines:  # restore its metrics and snapshots too
                with suppress(FileNotFoundError):
                    shutil.copyfile(origin / records.name, records)
                if chosen.parent == origin:
                    chosen.unlink()
                for path in _named(origin / SNAPSHOTS, _CHECKPOINT):
                    if _step(path) <= step:
                        (self.folder / SNAPSHOTS).mkdir(exist_ok=True)
                        os.replace(path, self.folder / SNAPSHOTS / path.name)
            truncate_metrics(records, step)
            previews = self.folder / "previews"
            for path in (*self.saves.files(), *self.snapshots(), *_named(previews, _PREVIEW)):
                if _step(path) > step:
                    place = quarantine / path.relative_to(self.folder)
                    place.parent.mkdir(exist_ok=True)
                    os.replace(path, place)
        except OSError as error:
            raise OutputError(f"Cannot change {self.folder}: {error.strerror or error}.") from error

    def _find_checkpoint(self, step: int) -> Path:
        quarantines = [p for folder in self.quarantined() for p in (folder, folder / SNAPSHOTS)]
        places = (self.folder, self.folder / SNAPSHOTS, *quarantines)
        name = self.saves.path(step).name
        for place in places:
            if (place / name).is_file():
                return place / name
        steps = sorted({_step(p) for place in places for p in _named(place, _CHECKPOINT)})
        there = ", ".join(map(str, steps)) or "none"
        raise CheckpointError(f"{self.folder} has no checkpoint of step {step}; there are {there}.")

    def clean(self, *, saves: bool) -> int:
        """Delete quarantined files and all but the newest previews; returns the bytes freed.

        Snapshots stay, also those in quarantine.

        saves: delete checkpoints too, except the newest readable one, the newest healthy one and
        the best one. Raises CheckpointError when none can be read.
        """
        put = [p for p in _files(self.folder / QUARANTINE) if p.parent.name != SNAPSHOTS]
        quarantine = [*put, *self.folder.rglob("*.damaged")]
        old = _named(self.folder / "previews", _PREVIEW)[:-PREVIEWS_KEPT]
        to_delete = [*quarantine, *old]
        if saves:
            to_delete += set(self.saves.files()) - self._to_keep()
        freed = _freed(to_delete)
        for path in to_delete:
            with suppress(OSError):
                path.unlink()
        for folder in sorted((self.folder / QUARANTINE).rglob("*"), reverse=True):
            with suppress(OSError):  # not empty where it has a snapshot
                folder.rmdir()
        with suppress(OSError):
            (self.folder / QUARANTINE).rmdir()
        return freed

    def _to_keep(self) -> set[Path]:
        newest, _ = self.saves.newest()
        files = self.saves.files()
        if newest is None:
            return set(files)
        good = int(newest.metadata.get("good", newest.metadata["step"]))
        best = self.best()
        # Newer ones could not be read; that alone is no reason to delete them.
        kept = [path for path in files if _step(path) >= _step(newest.path)]
        kept += [path for path in files if _step(path) <= good][-1:]
        return {*kept, *([best] if best is not None else [])}

    def remove_snapshot(self, step: int) -> int:
        """Delete the snapshot of ``step``; returns the bytes freed.

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
    """Score of a checkpoint's model, where it was measured."""
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
        with suppress(OSError):  # deleted meanwhile
            found = path.stat()
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_size
    return total


def _freed(paths: Iterable[Path]) -> int:
    """Bytes freed by deleting all of ``paths``; none for files with other hard links."""
    names: dict[tuple[int, int], int] = {}
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for path in paths:
        with suppress(OSError):
            found = path.stat()
            key = found.st_dev, found.st_ino
            names[key] = names.get(key, 0) + 1
            sizes[key] = found.st_size, found.st_nlink
    return sum(size for key, (size, links) in sizes.items() if names[key] >= links)
