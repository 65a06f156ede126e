"""Previews of a training run: grid of faces, one face enlarged, history slider."""

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QImageReader, QMouseEvent, QPainter
from PySide6.QtWidgets import QLabel, QSlider, QStackedWidget, QWidget

from gui.widgets import elements
from gui.widgets.canvas import Canvas, WipeCompare
from gui.widgets.theme import GAP

ROWS = ("A", "A→A", "A→B", "B", "B→B", "B→A")
"""The rows of a preview grid; every face is one column."""

_MARGIN = 48


class PreviewGrid(Canvas):
    """A preview grid with row labels; a click on a face enlarges it."""

    pressed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Training preview"))
        self.setToolTip(self.tr("Click a face to enlarge it"))

    @property
    def side(self) -> int:
        """The size of one face in pixels of the grid image."""
        return max(1, self.image.height() // len(ROWS))

    def picture_rect(self) -> QRectF:
        rect = super().picture_rect()
        if rect.x() >= _MARGIN:
            return rect
        whole = QRectF(_MARGIN, 0, self.width() - _MARGIN, self.height())
        size = self.image.size().toSizeF()
        size.scale(whole.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left = whole.x() + (whole.width() - size.width()) / 2
        return QRectF(left, (self.height() - size.height()) / 2, size.width(), size.height())

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        super().draw(painter, rect)
        painter.setPen(Qt.GlobalColor.white)
        height = rect.height() / len(ROWS)
        for number, name in enumerate(ROWS):
            box = QRectF(rect.x() - _MARGIN, rect.y() + number * height, _MARGIN - 8, height)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, flags, name)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        rect = self.picture_rect()
        if rect.contains(event.position()):
            share = (event.position().x() - rect.x()) / rect.width()
            self.pressed.emit(int(share * self.image.width()) // self.side)


class TrainingPreviews(QWidget):
    """The newest preview grid, a wipe from A to the swap for one face, and a history slider."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = PreviewGrid()
        self.wipe = WipeCompare(self.tr("A"), self.tr("swap"))
        self._paths: list[str] = []
        self._column = 0
        self._stack = QStackedWidget()
        self._stack.addWidget(self.grid)
        self._stack.addWidget(self.wipe)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Earlier previews"))
        self.slider.setToolTip(self.tr("Browse earlier previews"))
        self.slider.valueChanged.connect(self._load)
        self.caption: QLabel = elements.label("", "muted")
        self.back = elements.button(self.tr("All faces"), self.show_grid, "link", "Esc")
        self.back.hide()
        line = elements.row(self.caption, self.slider, None, self.back, gap=2 * GAP)
        line.setStretch(1, 100)
        box = elements.column(self._stack, line)
        box.setStretch(0, 1)
        self.setLayout(box)
        self.grid.pressed.connect(self.enlarge)
        self.set_paths([])

    def set_paths(self, paths: list[str]) -> None:
        """Set the previews of a run in order and show the last."""
        self._paths = list(paths)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(paths) - 1))
        self.slider.setValue(len(paths) - 1)
        self.slider.blockSignals(False)
        self.slider.setVisible(len(paths) > 1)
        self._load()

    def add(self, path: str) -> None:
        """Add a new preview; it is shown unless an earlier one is selected."""
        if path in self._paths:
            self._paths.remove(path)
        at_end = self.slider.value() >= len(self._paths) - 1
        if at_end:
            self.set_paths([*self._paths, path])
        else:
            self._paths.append(path)
            self.slider.setRange(0, len(self._paths) - 1)
            self.slider.show()

    def enlarge(self, column: int) -> None:
        """Enlarge one face."""
        self._column = column
        self._stack.setCurrentWidget(self.wipe)
        self.back.show()
        self._cut()
        self.wipe.setFocus()

    def show_grid(self) -> None:
        """Show the grid of all faces again."""
        self._stack.setCurrentWidget(self.grid)
        self.back.hide()

    def _load(self) -> None:
        if not self._paths:
            self.grid.show_text(self.tr("Previews appear here a minute after training starts."))
            self.wipe.show_second(QImage())
            self.wipe.show_text("")
            self.caption.setText("")
            return
        path = self._paths[max(0, self.slider.value())]
        image = QImageReader(path).read()
        self.grid.show_image(image)
        if image.isNull():
            self.grid.show_text(self.tr("This preview cannot be read."))
        digits = "".join(c for c in path.rpartition("step-")[2] if c.isdigit())
        message = self.tr("step %1").replace("%1", f"{int(digits or 0):,}")
        self.caption.setText(message)
        self._cut()

    def _cut(self) -> None:
        side = self.grid.side
        image = self.grid.image
        if not image.isNull():
            self.wipe.show_image(image.copy(QRect(self._column * side, 0, side, side)))
            self.wipe.show_second(image.copy(QRect(self._column * side, 2 * side, side, side)))
