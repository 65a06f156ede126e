"""The pictures a training run makes of itself: a grid, one face enlarged, the earlier ones."""

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QImageReader, QMouseEvent, QPainter
from PySide6.QtWidgets import QLabel, QSlider, QStackedWidget, QWidget

from gui.widgets import elements
from gui.widgets.canvas import Canvas, WipeCompare
from gui.widgets.theme import GAP

ROWS = ("A", "A→A", "A→B", "B", "B→B", "B→A")
"""The rows of the library's preview grids; every face is one column."""

_MARGIN = 48


class PreviewGrid(Canvas):
    """A preview grid with its rows named; pressing a face enlarges it."""

    pressed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Preview of the faces"))
        self.setToolTip(self.tr("Press a face to enlarge it"))

    @property
    def side(self) -> int:
        """The side of one face in the picture, in its pixels."""
        return max(1, self.image.height() // len(ROWS))

    def place(self) -> QRectF:
        place = super().place()
        if place.x() >= _MARGIN:
            return place
        whole = QRectF(_MARGIN, 0, self.width() - _MARGIN, self.height())
        size = self.image.size().toSizeF()
        size.scale(whole.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left = whole.x() + (whole.width() - size.width()) / 2
        return QRectF(left, (self.height() - size.height()) / 2, size.width(), size.height())

    def draw(self, painter: QPainter, place: QRectF) -> None:
        super().draw(painter, place)
        painter.setPen(Qt.GlobalColor.white)
        height = place.height() / len(ROWS)
        for number, name in enumerate(ROWS):
            box = QRectF(place.x() - _MARGIN, place.y() + number * height, _MARGIN - 8, height)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, flags, name)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self.place()
        if place.contains(event.position()):
            share = (event.position().x() - place.x()) / place.width()
            self.pressed.emit(int(share * self.image.width()) // self.side)


class TrainingPreviews(QWidget):
    """The newest grid, an enlarged face with a wipe from A to the swap, and a slider back."""

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
        self.slider.setToolTip(self.tr("Go back through earlier previews"))
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
        """Show the last of ``paths``, which are those of a run in order."""
        self._paths = list(paths)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(0, len(paths) - 1))
        self.slider.setValue(len(paths) - 1)
        self.slider.blockSignals(False)
        self.slider.setVisible(len(paths) > 1)
        self._load()

    def add(self, path: str) -> None:
        """A new preview was written; it is shown unless the user looks at an earlier one."""
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
        """Show one face large."""
        self._column = column
        self._stack.setCurrentWidget(self.wipe)
        self.back.show()
        self._cut()
        self.wipe.setFocus()

    def show_grid(self) -> None:
        """Show all faces again."""
        self._stack.setCurrentWidget(self.grid)
        self.back.hide()

    def _load(self) -> None:
        if not self._paths:
            self.grid.say(self.tr("Faces appear here a minute after training begins."))
            self.wipe.show_second(QImage())
            self.wipe.say("")
            self.caption.setText("")
            return
        path = self._paths[max(0, self.slider.value())]
        image = QImageReader(path).read()
        self.grid.show_image(image)
        if image.isNull():
            self.grid.say(self.tr("This preview cannot be read any more."))
        digits = "".join(c for c in path.rpartition("step-")[2] if c.isdigit())
        said = self.tr("step %1").replace("%1", f"{int(digits or 0):,}")
        self.caption.setText(said)
        self._cut()

    def _cut(self) -> None:
        side = self.grid.side
        image = self.grid.image
        if not image.isNull():
            self.wipe.show_image(image.copy(QRect(self._column * side, 0, side, side)))
            self.wipe.show_second(image.copy(QRect(self._column * side, 2 * side, side, side)))
