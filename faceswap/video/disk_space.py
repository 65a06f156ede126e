"""Whether the disk holds an output while it is made: its segments, and the joined file beside."""

import shutil
from pathlib import Path

from faceswap.errors import OutputError


def check_space(folder: Path, pictures: int, other: int, finished: int) -> None:
    """Check before the long work that ``folder`` has room for a video.

    pictures, other: estimated bytes of its pictures and of its other streams. finished: bytes of
    pictures in segments that are there already. Raises OutputError where it has not.
    """
    wanted = max(0, pictures - finished) + pictures + other
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OutputError(
            f"The disk of {folder} has {_size(free)} left, and about {_size(wanted)} are needed: "
            f"for segments, and for the whole video beside them ({_size(pictures + other)}); free "
            "some space, or write to another disk."
        )


def _size(count: int) -> str:
    """Bytes as MB, or GB from one on."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
