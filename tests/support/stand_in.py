"""What the tests of the window share by name."""

import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from gui.widgets.drop_zone import DropZone
from gui.widgets.path_picker import PathPicker

FAKE = (sys.executable, str(Path(__file__).with_name("fake_faceswap.py")))
"""In place of ``python -m faceswap``."""

Wait = Callable[[Callable[[], object]], None]
"""Runs the event loop until a condition holds."""


def drop(zone: DropZone | PathPicker, *paths: Path) -> None:
    """Drop files as the system does."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )
    zone.dropEvent(event)
