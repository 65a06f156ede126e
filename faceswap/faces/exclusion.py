"""Taking faces out of training and back, without losing them.

Whatever lies in a side's crop folder is trained on. An excluded crop is moved to the folder
``excluded`` within it, whence it can be restored.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from faceswap.errors import OutputError

EXCLUDED = "excluded"


def exclude(folder: Path, names: Iterable[str]) -> list[str]:
    """Take the crops ``names`` of ``folder`` out of training; the names that were moved.

    A crop that is gone, or out already, is passed over. Raises OutputError when the folder
    cannot be written.
    """
    return _move(folder, folder / EXCLUDED, names)


def restore(folder: Path, names: Iterable[str]) -> list[str]:
    """Bring excluded crops back into training; the names that were moved.

    Raises OutputError when the folder cannot be written.
    """
    return _move(folder / EXCLUDED, folder, names)


def _move(origin: Path, goal: Path, names: Iterable[str]) -> list[str]:
    moved = []
    try:
        goal.mkdir(exist_ok=True)
        for name in names:
            plain = Path(name).name  # a name never leads out of the folder
            try:
                os.replace(origin / plain, goal / plain)
            except FileNotFoundError:
                continue
            moved.append(plain)
    except OSError as error:
        raise OutputError(f"Cannot move faces to {goal}: {error.strerror}.") from error
    return moved
