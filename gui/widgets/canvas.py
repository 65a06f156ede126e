"""Image views: a plain canvas, a frame with landmarks, a wipe comparison of two images."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
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

from faceswap.preview.protocol import FrameFace, PictureSize
from gui.widgets import elements, theme

_BACK = "#0d0d10"
_LEAST_BOX = 8
"""Pixels of the frame; a smaller box was a click."""
# First and last of the 68 landmarks (iBUG order) of each line; True closes it.
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
    """One image on a dark background, scaled to fit and centred."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumSize(160, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.image = QImage()
        self._hint = ""

    def show_text(self, hint: str) -> None:
        """Show a message instead of an image."""
        self.image, self._hint = QImage(), elements.shorten(hint)
        self.update()

    def show_image(self, image: QImage) -> None:
        """Show ``image``."""
        self.image = image
        self.update()

    def pixels(self) -> QSize:
        """The widget's size in device pixels, for requesting images."""
        ratio = self.devicePixelRatioF()
        return QSize(round(self.width() * ratio), round(self.height() * ratio))

    def fit(self) -> PictureSize:
        """The same, for a request."""
        size = self.pixels()
        return PictureSize(width=max(1, size.width()), height=max(1, size.height()))

    def picture_rect(self) -> QRectF:
        """The rectangle of the image in the widget."""
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
            self.draw(painter, self.picture_rect())
        painter.end()

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """Draw the image in ``rect``."""
        painter.drawImage(rect, self.image)


class PictureView(Canvas):
    """An image from a file; pressed: clicked, or Enter or Space pressed, to enlarge it."""

    pressed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.path: Path | None = None
        self.setAccessibleName(name)
        self.setToolTip(self.tr("Click to enlarge"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_text(self, hint: str) -> None:
        self.path = None
        super().show_text(hint)

    def show_file(self, path: Path) -> None:
        """Show the image in ``path``, or a message that it cannot be read."""
        image = QImageReader(str(path)).read()
        if image.isNull():
            self.show_text(self.tr("%1 cannot be read.").replace("%1", str(path)))
        else:
            self.path = path
            self.show_image(image)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self.picture_rect().contains(event.position()):
            self.pressed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)


class FaceCanvas(Canvas):
    """A frame with the landmarks of its faces and the ``names`` of its people, by number.

    face_pressed: a face was clicked, at a place on the screen. box_drawn: a box was drawn, in
    pixels of the frame, after ``set_drawing``.
    """

    face_pressed = Signal(object, QPoint)
    box_drawn = Signal(QRectF)

    def __init__(self) -> None:
        super().__init__()
        self.faces: Sequence[FrameFace] = ()
        self.frame_size = QSize(1, 1)
        self.landmarks = True
        self._drawing, self._box = False, QRectF()
        self.setToolTip(self.tr("Click a face to say who it is"))
        self.names: Mapping[int, str] = {}

    def show_frame(self, image: QImage, size: QSize, faces: Sequence[FrameFace]) -> None:
        """Show a frame; the points of ``faces`` are in pixels of its full ``size``."""
        self.faces, self.frame_size = faces, size
        self.show_image(image)

    def set_drawing(self, drawing: bool) -> None:
        """Let the user draw a box, or no longer."""
        self._drawing, self._box = drawing, QRectF()
        shape = Qt.CursorShape.CrossCursor if drawing else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self._drawing and not self.image.isNull():
            self._box.setBottomRight(self._place(event))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        box = self._box.normalized()
        if self._drawing and min(box.width(), box.height()) >= _LEAST_BOX:
            self.box_drawn.emit(box)

    def _place(self, event: QMouseEvent) -> QPointF:
        """Where in the frame the mouse is, in pixels."""
        rect = self.picture_rect()
        scale = max(1, self.frame_size.width()) / max(1.0, rect.width())
        return (event.position() - rect.topLeft()) * scale

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        at = self._place(event)
        if self._drawing:
            self._box = QRectF(at, at)
            return
        for face in self.faces:
            xs, ys = [x for x, _ in face.points], [y for _, y in face.points]
            # Landmarks reach up to the brows only, and a face is larger than they are.
            rim = max(4.0, (max(xs) - min(xs)) / 10)
            above = rim + (max(ys) - min(ys)) / 3
            inside = QRectF(QPointF(min(xs), min(ys)), QPointF(max(xs), max(ys)))
            inside = inside.adjusted(-rim, -above, rim, rim)
            if inside.contains(at):
                self.face_pressed.emit(face, event.globalPosition().toPoint())
                return

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        super().draw(painter, rect)
        scale = rect.width() / max(1, self.frame_size.width())
        if self._drawing:
            painter.setPen(QPen(QColor(255, 255, 255), 2))
            corner = rect.topLeft() + self._box.topLeft() * scale
            painter.drawRect(QRectF(corner, self._box.size() * scale))
        if not self.landmarks:
            return
        for face in self.faces:
            points = [
                QPointF(rect.x() + (x + 0.5) * scale, rect.y() + (y + 0.5) * scale)
                for x, y in face.points
            ]
            color = QColor(theme.face_color(face.track, face.person))
            painter.setPen(QPen(color, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for first, last, closed in _LINES:
                line = points[first : last + 1]
                (painter.drawPolygon if closed else painter.drawPolyline)(line)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            for point in points:
                painter.drawEllipse(point, 1.6, 1.6)
            self._write_name(painter, face, points)

    def _write_name(self, painter: QPainter, face: FrameFace, points: list[QPointF]) -> None:
        name = self.names.get(face.person or 0, "")
        if not name:
            return
        metrics = painter.fontMetrics()
        left, top = min(p.x() for p in points), min(p.y() for p in points)
        chip = QRectF(left, top - 40, metrics.horizontalAdvance(name) + 12, metrics.height() + 4)
        painter.drawRoundedRect(chip, 6, 6)
        painter.setPen(QColor(_BACK))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, name)
        painter.setPen(Qt.PenStyle.NoPen)


class WipeCompare(Canvas):
    """Wipe comparison: the first image left of a divider, the second right of it.

    The divider is moved with the mouse, or with the arrow keys when the widget has the focus.
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
        """Set the image on the right."""
        self.second = image
        self.update()

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        x = rect.x() + self.divider * rect.width()
        if self.second.isNull():
            painter.drawImage(rect, self.image)
            return
        left = QRectF(rect.x(), rect.y(), x - rect.x(), rect.height())
        right = QRectF(x, rect.y(), rect.right() - x, rect.height())
        painter.setClipRect(left)
        painter.drawImage(rect, self.image)
        painter.setClipRect(right)
        painter.drawImage(rect, self.second)
        painter.setClipping(False)
        painter.setPen(QPen(QColor(255, 255, 255, 220), 2 if self.hasFocus() else 1.2))
        painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))
        painter.setBrush(QColor(255, 255, 255))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(QPointF(x, rect.center().y()), 6, 6)
        metrics = painter.fontMetrics()
        for name, at_left in zip(self._names, (True, False), strict=True):
            width = metrics.horizontalAdvance(name) + 16
            space = left if at_left else right
            if space.width() < width + 24:
                continue
            edge = rect.left() + 8 if at_left else rect.right() - 8 - width
            chip = QRectF(edge, rect.top() + 8, width, metrics.height() + 6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(0, 0, 0, 150))
            painter.drawRoundedRect(chip, 6, 6)
            painter.setPen(QColor(255, 255, 255))
            painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, name)

    def set_divider(self, share: float) -> None:
        """Move the divider to ``share`` of the image's width."""
        self.divider = min(1.0, max(0.0, share))
        self.moved.emit(self.divider)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._drag_divider(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self._drag_divider(event)

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

    def _drag_divider(self, event: QMouseEvent) -> None:
        rect = self.picture_rect()
        if rect.width() > 0:
            self.set_divider((event.position().x() - rect.x()) / rect.width())
