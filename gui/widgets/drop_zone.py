"""Drop target for footage."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPixmap,
)
from PySide6.QtWidgets import QFileDialog, QFrame, QVBoxLayout

from faceswap.io.file_types import FOOTAGE_SUFFIXES
from faceswap.preview.protocol import FrameAnswer
from gui.widgets import elements
from gui.widgets.elements import label
from gui.widgets.file_drops import dropped_footage, patterns
from gui.widgets.theme import GAP


class DropZone(QFrame):
    """Drop target for a video, picture or folder; a click opens a file dialogue.

    chosen: one was dropped or chosen. several: more than one at once.
    """

    chosen = Signal(object)
    several = Signal(object)

    def __init__(self, side: str, title: str, text: str) -> None:
        super().__init__()
        self.setObjectName("drop")
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(240, 200)
        self.setAccessibleName(title)
        self.path: Path | None = None
        self._picture = label()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.hide()
        self._text = label(text, "muted", wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = label(title, side, wrap=True)
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box = QVBoxLayout(self)
        box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        box.addStretch(1)
        for item in (self._picture, self._title, self._text):
            box.addWidget(item)
        box.addStretch(1)

    def message(self) -> str:
        """The text below the title: the prompt, the chosen file, or an error."""
        return self._text.text()

    def show_video(self, path: Path, frame: FrameAnswer) -> None:
        """Show the first frame of the chosen video ``path``."""
        self.path = path
        ratio = self.devicePixelRatioF()
        image = elements.read_picture(frame.picture).scaled(
            QSize(round(260 * ratio), round(140 * ratio)),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        image.setDevicePixelRatio(ratio)
        self._picture.setPixmap(QPixmap.fromImage(image))
        self._picture.show()
        elements.set_role(self._text, "muted")
        seconds = elements.duration(frame.frames / (frame.rate or 1))
        self._text.setText(f"{path.name}\n{frame.width} × {frame.height}, {seconds}")

    def show_error(self, sentence: str) -> None:
        """Show why a file cannot be used."""
        self.path = None
        self._picture.hide()
        elements.set_role(self._text, "bad")
        self._text.setText(sentence)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._mark(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self._mark(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self._mark(False)
        paths = dropped_footage(event.mimeData())
        if len(paths) == 1:
            self.chosen.emit(paths[0])
        elif paths:
            self.several.emit(paths)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self.rect().contains(event.position().toPoint()):
            self.choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose()
        else:
            super().keyPressEvent(event)

    def choose(self) -> None:
        """Open the file dialogue."""
        name, _ = QFileDialog.getOpenFileName(
            self,
            self._title.text(),
            "",
            self.tr("Footage (%1);;All files (*)").replace("%1", patterns(FOOTAGE_SUFFIXES)),
        )
        if name:
            self.chosen.emit(Path(name))

    def _mark(self, over: bool) -> None:
        self.setProperty("over", "true" if over else "false")
        self.style().unpolish(self)
        self.style().polish(self)
