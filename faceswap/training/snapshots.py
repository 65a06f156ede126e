"""Saves that are kept for good, and what training for days takes of a disk."""

import os
import shutil
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.training.model_evaluation import MAX_PREVIEWS
from faceswap.training.state import LoopConfig

SNAPSHOTS = "snapshots"
"""The folder of them in a run's."""

_DAY = 86_400  # seconds
_BESIDES = 3  # saves: the best one, the last good one, and one that is being written
_PREVIEW = 500_000  # bytes of one at the usual resolutions, on the high side


def keep_snapshot(save: Path) -> Path:
    """Keep ``save`` for good, where later saves don't push it out; where it lies then.

    It shares the place on the disk with the save where the disk can do that. Raises OutputError
    when it cannot be kept.
    """
    goal = save.parent / SNAPSHOTS / save.name
    try:
        goal.parent.mkdir(exist_ok=True)
        link_or_copy(save, goal)
    except OSError as error:
        raise OutputError(f"Cannot keep a snapshot: {error.strerror or error}.") from error
    return goal


def link_or_copy(path: Path, goal: Path) -> None:
    """Let ``path`` be called ``goal`` as well, which appears whole; a copy where it can't be."""
    part = goal.with_suffix(".part")
    part.unlink(missing_ok=True)
    try:
        os.link(path, part)
    except OSError:  # not all disks have links
        shutil.copyfile(path, part)
    os.replace(part, goal)
    part.unlink(missing_ok=True)  # what has both names already is not replaced, and keeps both


class SnapshotSchedule:
    """When the next one is due, by the run's own steps and seconds of training.

    So that a run that was stopped and goes on makes them where it would have without.
    """

    def __init__(self, config: LoopConfig, step: int, seconds: float) -> None:
        """step, seconds: of the last one that was made, or of a run's begin."""
        self.config = config
        self.output(step, seconds)

    def due(self, step: int, seconds: float) -> bool:
        """Whether one is, of that step."""
        by_step = self.config.snapshot_steps
        due = by_step is not None and step > self._step and step % by_step == 0
        return due or self._spans(seconds) > self._span

    def output(self, step: int, seconds: float) -> None:
        """One was made, of that step."""
        self._step, self._span = step, self._spans(seconds)

    def _spans(self, seconds: float) -> int:
        hours = self.config.snapshot_hours
        return 0 if hours is None else int(seconds / (3600 * hours))


def bytes_per_day(config: LoopConfig, size: int, speed: float) -> int:
    """Bytes that a day of training takes, with saves of ``size`` and ``speed`` steps a second."""
    saves = float(config.keep_checkpoints + _BESIDES)
    if config.snapshot_hours is not None:
        saves += 24 / config.snapshot_hours
    if config.snapshot_steps is not None:
        saves += speed * _DAY / config.snapshot_steps
    return round(saves * size) + MAX_PREVIEWS * _PREVIEW


def disk_space_warning(folder: Path, config: LoopConfig, size: int, speed: float) -> str:
    """What to tell when the disk of a run does not hold a day of it; "" where it does.

    size: bytes of a save. What of it is on the disk already counts as there.
    """
    needed = bytes_per_day(config, size, speed)
    taken = sum(path.stat().st_size for path in CheckpointFolder(folder).files())
    free = shutil.disk_usage(folder).free
    if needed - min(taken, needed) <= free:
        return ""
    return (
        f"A day of this training takes {format_bytes(needed)} of the disk, and "
        f"{format_bytes(free)} are free in {folder}; make room, keep fewer checkpoints by "
        "--keep-checkpoints, or make fewer snapshots."
    )


def format_bytes(size: float) -> str:
    """Bytes, such as 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
