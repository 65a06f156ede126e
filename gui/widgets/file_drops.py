"""Files that are dropped on the window, and filters of file dialogues, by the library's kinds."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QMimeData

from faceswap.io.file_types import footage_at


def dropped_paths(data: QMimeData) -> list[Path]:
    """The local files and folders that were dropped."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def dropped_footage(data: QMimeData) -> list[Path]:
    """The sources that were dropped: a folder of videos stands for these."""
    return [source for path in dropped_paths(data) for source in footage_at(path)]


def patterns(endings: Iterable[str]) -> str:
    """Patterns of a file dialogue, in lower and upper case: some systems tell these apart."""
    return " ".join(f"*{ending} *{ending.upper()}" for ending in endings)
