"""Icons of faces, read from their crops a few at a time, so that the window never waits."""

from pathlib import Path

from PySide6.QtCore import QObject, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QBrush, QColor, QIcon, QImageReader, QPainter, QPen, QPixmap

from gui.widgets import theme

_AT_ONCE = 4
_KEPT = 2000
"""Faces kept in memory."""


class FaceIcons(QObject):
    """Pictures of crops, ``size`` pixels wide. loaded: the picture of a path is there now."""

    loaded = Signal(object)

    def __init__(self, size: int, parent: QObject) -> None:
        super().__init__(parent)
        self.size = size
        self._pictures: dict[Path, QPixmap] = {}
        self._queue: list[Path] = []
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._load)

    @property
    def busy(self) -> bool:
        """Whether pictures are still to be read."""
        return bool(self._queue)

    def picture(self, path: Path | None) -> QPixmap | None:
        """The picture of a crop; None until it is ``loaded``."""
        if path is None:
            return None
        if path not in self._pictures and path not in self._queue:
            self._queue.append(path)
            self._timer.start()
        return self._pictures.get(path)

    def stop(self) -> None:
        """Forget what is to be read."""
        self._queue.clear()
        self._timer.stop()

    def _load(self) -> None:
        now, self._queue = self._queue[:_AT_ONCE], self._queue[_AT_ONCE:]
        for path in now:
            reader = QImageReader(str(path))
            reader.setScaledSize(QSize(2 * self.size, 2 * self.size))
            # An unreadable crop stays an empty square; it is not read again.
            self._pictures[path] = QPixmap.fromImage(reader.read())
            self.loaded.emit(path)
        while len(self._pictures) > _KEPT:
            del self._pictures[next(iter(self._pictures))]
        if not self._queue:
            self._timer.stop()


def face_icon(
    picture: QPixmap | None, size: int, color: str = "", badge: str = "", pale: bool = False
) -> QIcon:
    """A rounded face framed in ``color``, with letters such as A in a corner."""
    whole = QPixmap(2 * size, 2 * size)
    whole.fill(Qt.GlobalColor.transparent)
    painter = QPainter(whole)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    place = QRectF(whole.rect()).adjusted(4, 4, -4, -4)
    brush = QBrush(QColor(theme.current().raised))
    if picture is not None and not picture.isNull():
        brush = QBrush(picture.scaled(whole.size()))
    painter.setOpacity(0.35 if pale else 1.0)
    painter.setBrush(brush)
    painter.setPen(QPen(QColor(color), 6) if color else Qt.PenStyle.NoPen)
    painter.drawRoundedRect(place, 16, 16)
    if badge:
        _draw_badge(painter, place, badge)
    painter.end()
    whole.setDevicePixelRatio(2)
    icon = QIcon(whole)
    icon.addPixmap(whole, QIcon.Mode.Selected)  # without the tint that styles give it
    icon.addPixmap(whole, QIcon.Mode.Disabled)
    return icon


def _draw_badge(painter: QPainter, place: QRectF, badge: str) -> None:
    colors = theme.current()
    font = painter.font()
    font.setPixelSize(28)
    font.setBold(True)
    painter.setFont(font)
    painter.setOpacity(1.0)
    width = painter.fontMetrics().horizontalAdvance(badge) + 24
    chip = QRectF(place.right() - width - 8, place.bottom() - 48, width, 40)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colors.b if badge == "B" else colors.a))
    painter.drawRoundedRect(chip, 10, 10)
    painter.setPen(QColor(colors.surface))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, badge)
