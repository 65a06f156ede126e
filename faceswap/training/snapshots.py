"""Snapshots (checkpoints that are kept), their schedule, and disk space for long runs."""

import os
import shutil
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.io.atomic import partial_file
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.training.model_evaluation import MAX_PREVIEWS
from faceswap.training.state import LoopConfig

SNAPSHOTS = "snapshots"
"""Name of the snapshot folder in a run's folder."""

_DAY = 86_400  # seconds
_EXTRA_CHECKPOINTS = 3  # the best, the newest healthy one, and one being written
_PREVIEW_BYTES = 500_000  # bytes of a preview at usual resolutions, a high estimate


def keep_snapshot(save: Path) -> Path:
    """Keep the checkpoint ``save`` as a snapshot, which later ones never delete; returns its path.

    It is a hard link where the disk supports that. Raises OutputError when it cannot be written.
    """
    goal = save.parent / SNAPSHOTS / save.name
    try:
        goal.parent.mkdir(exist_ok=True)
        link_or_copy(save, goal)
    except OSError as error:
        raise OutputError(f"Cannot keep a snapshot: {error.strerror or error}.") from error
    return goal


def link_or_copy(path: Path, goal: Path) -> None:
    """Hard-link ``path`` to ``goal``, atomically; copies where links are not supported."""
    with partial_file(goal) as part:
        part.unlink(missing_ok=True)
        try:
            os.link(path, part)
        except OSError:  # no hard links on this disk
            shutil.copyfile(path, part)


class SnapshotSchedule:
    """Snapshot schedule, by steps and seconds of training, so that it survives a resume."""

    def __init__(self, config: LoopConfig, step: int, seconds: float) -> None:
        """step, seconds: of the last snapshot, or of the start of the run."""
        self.config = config
        self.mark_made(step, seconds)

    def due(self, step: int, seconds: float) -> bool:
        """Whether a snapshot of this step is due."""
        by_step = self.config.snapshot_steps
        due = by_step is not None and step > self._step and step % by_step == 0
        return due or self._intervals(seconds) > self._interval

    def mark_made(self, step: int, seconds: float) -> None:
        """Record that a snapshot of this step was made."""
        self._step, self._interval = step, self._intervals(seconds)

    def _intervals(self, seconds: float) -> int:
        hours = self.config.snapshot_hours
        return 0 if hours is None else int(seconds / (3600 * hours))


def bytes_per_day(config: LoopConfig, size: int, speed: float) -> int:
    """Disk use of a day of training, with checkpoints of ``size`` bytes, ``speed`` steps/s."""
    saves = float(config.keep_checkpoints + _EXTRA_CHECKPOINTS)
    if config.snapshot_hours is not None:
        saves += 24 / config.snapshot_hours
    if config.snapshot_steps is not None:
        saves += speed * _DAY / config.snapshot_steps
    return round(saves * size) + MAX_PREVIEWS * _PREVIEW_BYTES


def disk_space_warning(folder: Path, config: LoopConfig, size: int, speed: float) -> str:
    """Warning if the disk has no space for a day of training; "" if it has.

    size: bytes of a checkpoint. Existing checkpoints are subtracted from the need.
    """
    needed = bytes_per_day(config, size, speed)
    taken = sum(path.stat().st_size for path in CheckpointFolder(folder).files())
    free = shutil.disk_usage(folder).free
    if needed - min(taken, needed) <= free:
        return ""
    return (
        f"A day of this training takes {format_bytes(needed)} of the disk, and "
        f"{format_bytes(free)} are free in {folder}; free some space, lower "
        "--keep-checkpoints, or make fewer snapshots."
    )


def format_bytes(size: float) -> str:
    """Format a number of bytes, such as 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
