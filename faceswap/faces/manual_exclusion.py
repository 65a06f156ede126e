"""Exclude crops from training, and restore them.

All crops in a side's folder are trained on. Excluded ones are moved to its subfolder ``excluded``.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from faceswap.errors import OutputError

EXCLUDED = "excluded"
DELETED = "deleted"
"""Subfolder of the crops of faces that were deleted by hand; see ``deleted_faces.py``."""


def exclude(folder: Path, names: Iterable[str]) -> list[str]:
    """Exclude the crops ``names`` of ``folder`` from training; returns the names moved.

    Missing and already excluded crops are skipped. Raises OutputError when the folder cannot be
    written.
    """
    return _move(folder, folder / EXCLUDED, names)


def restore(folder: Path, names: Iterable[str]) -> list[str]:
    """Restore excluded crops to training; returns the names moved.

    Raises OutputError when the folder cannot be written.
    """
    return _move(folder / EXCLUDED, folder, names)


def _move(origin: Path, target: Path, names: Iterable[str]) -> list[str]:
    moved = []
    try:
        target.mkdir(exist_ok=True)
        for name in names:
            base = Path(name).name  # no path in a name leads out of the folder
            try:
                os.replace(origin / base, target / base)
            except FileNotFoundError:
                continue
            moved.append(base)
    except OSError as error:
        raise OutputError(f"Cannot move faces to {target}: {error.strerror}.") from error
    return moved
