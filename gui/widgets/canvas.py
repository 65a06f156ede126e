"""Pictures of frames: one with landmarks over it, and two with a wipe between them."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QImageReader,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets import elements, theme

_BACK = "#0d0d10"
# Runs of the 68 points (iBUG order) that are drawn as lines; True closes the line.
_LINES = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)


class Canvas(QWidget):
    """A dark ground on which one picture is fitted, centred and smooth."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.image = QImage()
        self._hint = ""

    def say(self, hint: str) -> None:
        """Show a sentence instead of a picture."""
        self.image, self._hint = QImage(), elements.shorten(hint)
        self.update()

    def show_image(self, image: QImage) -> None:
        """Show ``image``."""
        self.image = image
        self.update()

    def pixels(self) -> QSize:
        """The size to ask pictures in, in device pixels."""
        ratio = self.devicePixelRatioF()
        return QSize(round(self.width() * ratio), round(self.height() * ratio))

    def place(self) -> QRectF:
        """Where the picture lies in the widget."""
        if self.image.isNull():
            return QRectF()
        size = self.image.size().toSizeF()
        size.scale(self.width(), self.height(), Qt.AspectRatioMode.KeepAspectRatio)
        corner = QPointF((self.width() - size.width()) / 2, (self.height() - size.height()) / 2)
        return QRectF(corner, size)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        painter = QPainter(self)
        painter.setRenderHints(
            QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(_BACK))
        painter.drawRoundedRect(self.rect(), 8, 8)
        if self.image.isNull():
            painter.setPen(QColor("#a0a0ae"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(16, 16, -16, -16), flags, self._hint)
        else:
            self.draw(painter, self.place())
        painter.end()

    def draw(self, painter: QPainter, place: QRectF) -> None:
        """Draw the picture at ``place``."""
        painter.drawImage(place, self.image)


class PictureView(Canvas):
    """A picture from a file; pressed: by the mouse, Enter or Space, to see it larger."""

    pressed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.path: Path | None = None
        self.setAccessibleName(name)
        self.setToolTip(self.tr("Press to enlarge"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def say(self, hint: str) -> None:
        self.path = None
        super().say(hint)

    def show_file(self, path: Path) -> None:
        """Show the picture in ``path``, or say that it cannot be read."""
        image = QImageReader(str(path)).read()
        if image.isNull():
            self.say(self.tr("%1 cannot be read.").replace("%1", str(path)))
        else:
            self.path = path
            self.show_image(image)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self.place().contains(event.position()):
            self.pressed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)


class FaceCanvas(Canvas):
    """A frame with the faces known in it."""

    def __init__(self) -> None:
        super().__init__()
        self.faces: list[dict[str, Any]] = []
        self.frame_size = QSize(1, 1)
        self.landmarks = True

    def show_frame(self, image: QImage, size: QSize, faces: list[dict[str, Any]]) -> None:
        """Show a frame whose full ``size`` the points of ``faces`` refer to."""
        self.faces, self.frame_size = faces, size
        self.show_image(image)

    def draw(self, painter: QPainter, place: QRectF) -> None:
        super().draw(painter, place)
        if not self.landmarks:
            return
        scale = place.width() / max(1, self.frame_size.width())
        for face in self.faces:
            points = [
                QPointF(place.x() + (x + 0.5) * scale, place.y() + (y + 0.5) * scale)
                for x, y in face["points"]
            ]
            color = QColor(theme.track_color(int(face["track"])))
            painter.setPen(QPen(color, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for first, last, closed in _LINES:
                line = points[first : last + 1]
                (painter.drawPolygon if closed else painter.drawPolyline)(line)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            for point in points:
                painter.drawEllipse(point, 1.6, 1.6)


class WipeCompare(Canvas):
    """Two pictures of one frame: the first left of the divider, the second right of it.

    The divider follows the mouse, and the arrow keys when the widget has the focus.
    """

    moved = Signal(float)

    def __init__(self, first: str, second: str) -> None:
        super().__init__()
        self.second = QImage()
        self.divider = 0.5
        self._names = (first, second)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setAccessibleName(f"{first} | {second}")
        self.setToolTip(self.tr("Drag to compare; arrow keys, Home and End work too"))

    def show_second(self, image: QImage) -> None:
        """Set the picture on the right."""
        self.second = image
        self.update()

    def draw(self, painter: QPainter, place: QRectF) -> None:
        x = place.x() + self.divider * place.width()
        if self.second.isNull():
            painter.drawImage(place, self.image)
            return
        left = QRectF(place.x(), place.y(), x - place.x(), place.height())
        right = QRectF(x, place.y(), place.right() - x, place.height())
        painter.setClipRect(left)
        painter.drawImage(place, self.image)
        painter.setClipRect(right)
        painter.drawImage(place, self.second)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(255, 255, 255, 220), 2 if self.hasFocus() else 1.2))
        painter.drawLine(QPointF(x, place.top()), QPointF(x, place.bottom()))
        painter.setBrush(QColor(255, 255, 255))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QPointF(x, place.center().y()), 6, 6)
        metrics = painter.fontMetrics()
        for name, at_left in zip(self._names, (True, False), strict=True):
            width = metrics.horizontalAdvance(name) + 16
            space = left if at_left else right
            if space.width() < width + 24:
                continue
            edge = place.left() + 8 if at_left else place.right() - 8 - width
            chip = QRectF(edge, place.top() + 8, width, metrics.height() + 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawRoundedRect(chip, 6, 6)
            painter.setPen(QColor(255, 255, 255))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, name)

    def set_divider(self, share: float) -> None:
        """Put the divider at ``share`` of the picture's width."""
        self.divider = min(1.0, max(0.0, share))
        self.moved.emit(self.divider)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._follow(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        goal = {
            Qt.Key.Key_Left: self.divider - 0.05,
            Qt.Key.Key_Right: self.divider + 0.05,
            Qt.Key.Key_Home: 0.0,
            Qt.Key.Key_End: 1.0,
        }.get(Qt.Key(event.key()))
        if goal is None:
            super().keyPressEvent(event)
        else:
            self.set_divider(goal)

    def _follow(self, event: QMouseEvent) -> None:
        place = self.place()
        if place.width() > 0:
            self.set_divider((event.position().x() - place.x()) / place.width())
