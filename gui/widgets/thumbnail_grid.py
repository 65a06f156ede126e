"""A grid of very many pictures, of which only those in sight are loaded and drawn."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRect, QRectF, QRunnable, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QImageReader,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea

from gui.widgets import theme

_KEPT = 3000
_THREADS = 2


class _Bridge(QObject):
    loaded = Signal(int, QImage, bool)


class _Load(QRunnable):
    """Reads one picture in a thread, unless it has gone out of sight meanwhile."""

    def __init__(
        self, item: int, path: str, size: int, grid: "ThumbnailGrid", bridge: _Bridge
    ) -> None:
        super().__init__()
        self._item, self._path, self._size = item, path, size
        self._wanted, self._bridge = grid.wanted, bridge

    def run(self) -> None:
        image = QImage()
        tried = self._item in self._wanted
        if tried:
            reader = QImageReader(self._path)
            reader.setScaledSize(QSize(self._size, self._size))
            image = reader.read()
        self._bridge.loaded.emit(self._item, image, tried)


class ThumbnailGrid(QAbstractScrollArea):
    """Square pictures in rows; click, Ctrl and Shift, drag and the keyboard select.

    Items are numbers; ``order`` is the sequence in which they are shown.
    selected: the selection is another. opened: an item was double-clicked or Enter pressed.
    """

    selected = Signal()
    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.cell = 96
        self.wanted: set[int] = set()
        self.order: NDArray[np.int64] = np.zeros(0, np.int64)
        self.chosen: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.dimmed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._paths: list[str] = []
        self._pictures: OrderedDict[int, QPixmap] = OrderedDict()
        self._at = self._anchor = 0
        self._bridge = _Bridge()
        self._bridge.loaded.connect(self._loaded)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(_THREADS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setAccessibleName(self.tr("Faces"))
        self.verticalScrollBar().valueChanged.connect(self.viewport().update)

    def set_items(self, paths: list[str], dimmed: NDArray[np.bool_]) -> None:
        """Show other pictures; ``dimmed`` ones are drawn pale."""
        self.close_pool()
        self._paths, self.dimmed = paths, dimmed
        self._pictures.clear()
        self.wanted.clear()
        self.chosen = np.zeros(len(paths), np.bool_)
        self.set_order(np.arange(len(paths)))

    def set_order(self, order: NDArray[np.int64]) -> None:
        """Show the items ``order``, in this order; others are hidden and not selected."""
        keep = np.zeros_like(self.chosen)
        keep[order] = True
        self.order, self._at, self._anchor = order, 0, 0
        self.chosen &= keep
        self._fit()
        self.verticalScrollBar().setValue(0)
        self.viewport().update()
        self.selected.emit()

    def move_item(self, item: int, path: str, dimmed: bool) -> None:
        """An item's file lies elsewhere now."""
        self._paths[item] = path
        self.dimmed[item] = dimmed

    def selected_items(self) -> NDArray[np.int64]:
        """The selected items."""
        return np.flatnonzero(self.chosen)

    def select_all(self) -> None:
        """Select everything shown."""
        self.chosen[self.order] = True
        self._picked()

    def select_none(self) -> None:
        """Select nothing."""
        self.chosen[:] = False
        self._picked()

    def set_cell(self, size: int) -> None:
        """Set the pictures' side in pixels."""
        self.cell = size
        self._pictures.clear()
        self._fit()
        self.viewport().update()

    def close_pool(self) -> None:
        """Wait for what is being read; nothing more is."""
        self.wanted.clear()
        self._pool.clear()
        self._pool.waitForDone(500)

    @property
    def columns(self) -> int:
        """Pictures in a row."""
        return max(1, (self.viewport().width() - 4) // (self.cell + 4))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        colors = theme.current()
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), QColor(colors.surface))
        first, last = self._in_sight()
        missing = []
        for place in range(first, last):
            item = int(self.order[place])
            box = self._box(place)
            picture = self._pictures.get(item)
            if picture is None:
                missing.append(item)
                painter.fillRect(box, QColor(colors.raised))
            else:
                self._pictures.move_to_end(item)
                painter.setOpacity(0.3 if self.dimmed[item] else 1.0)
                painter.drawPixmap(box, picture)
                painter.setOpacity(1.0)
            if self.chosen[item]:
                painter.setPen(QPen(QColor(colors.accent), 3))
                painter.drawRect(QRectF(box).adjusted(1, 1, -1, -1))
            if place == self._at and self.hasFocus():
                painter.setPen(QPen(QColor(colors.text), 1, Qt.PenStyle.DotLine))
                painter.drawRect(box.adjusted(0, 0, -1, -1))
        if not len(self.order):
            painter.setPen(QColor(colors.muted))
            painter.drawText(
                self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.tr("No faces to show")
            )
        painter.end()
        self._want(missing)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self._fit()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self._place_at(event)
        if place is None:
            self.select_none()
            return
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._pick_span(place, add=control)
        elif control:
            self.chosen[self.order[place]] ^= True
            self._at = self._anchor = place
            self._picked()
        else:
            self._anchor = place
            self._pick_span(place)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self._place_at(event)
        if place is not None and place != self._at:
            self._pick_span(place)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        place = self._place_at(event)
        if place is not None:
            self.opened.emit(int(self.order[place]))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        rows = max(1, self.viewport().height() // (self.cell + 4))
        step = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self.columns,
            Qt.Key.Key_Down: self.columns,
            Qt.Key.Key_PageUp: -rows * self.columns,
            Qt.Key.Key_PageDown: rows * self.columns,
            Qt.Key.Key_Home: -len(self.order),
            Qt.Key.Key_End: len(self.order),
        }.get(Qt.Key(event.key()))
        if not len(self.order):
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit(int(self.order[self._at]))
        elif event.key() == Qt.Key.Key_Space:
            self.chosen[self.order[self._at]] ^= True
            self._picked()
        elif step is not None:
            place = min(len(self.order) - 1, max(0, self._at + step))
            if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._anchor = place
            self._pick_span(place)
            self._show_place(place)
        else:
            super().keyPressEvent(event)

    def _pick_span(self, place: int, add: bool = False) -> None:
        if not add:
            self.chosen[:] = False
        low, high = sorted((self._anchor, place))
        self.chosen[self.order[low : high + 1]] = True
        self._at = place
        self._picked()

    def _picked(self) -> None:
        self.viewport().update()
        self.selected.emit()

    def _fit(self) -> None:
        rows = -(-len(self.order) // self.columns)
        height = rows * (self.cell + 4) + 4
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, height - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep((self.cell + 4) // 2)

    def _in_sight(self) -> tuple[int, int]:
        top, step = self.verticalScrollBar().value(), self.cell + 4
        first = top // step * self.columns
        last = (-(-(top + self.viewport().height()) // step)) * self.columns
        return first, min(len(self.order), last)

    def _box(self, place: int) -> QRect:
        line, column = divmod(place, self.columns)
        step = self.cell + 4
        top = 4 + line * step - self.verticalScrollBar().value()
        return QRect(4 + column * step, top, self.cell, self.cell)

    def _place_at(self, event: QMouseEvent) -> int | None:
        step = self.cell + 4
        column = int(event.position().x() - 4) // step
        line = int(event.position().y() + self.verticalScrollBar().value() - 4) // step
        place = line * self.columns + column
        inside = 0 <= column < self.columns and 0 <= place < len(self.order)
        return place if inside else None

    def _show_place(self, place: int) -> None:
        box, bar = self._box(place), self.verticalScrollBar()
        if box.top() < 0:
            bar.setValue(bar.value() + box.top() - 4)
        elif box.bottom() > self.viewport().height():
            bar.setValue(bar.value() + box.bottom() - self.viewport().height() + 4)

    def _want(self, missing: list[int]) -> None:
        size = round(self.cell * self.devicePixelRatioF())
        new = [item for item in missing if item not in self.wanted]
        self.wanted.intersection_update(missing)
        self.wanted.update(new)
        for item in new:
            self._pool.start(_Load(item, self._paths[item], size, self, self._bridge))

    def _loaded(self, item: int, image: QImage, tried: bool) -> None:
        self.wanted.discard(item)
        if tried and item < len(self._paths):
            # What cannot be read stays an empty square; asking again would never end.
            self._pictures[item] = QPixmap.fromImage(image)
            while len(self._pictures) > _KEPT:
                self._pictures.popitem(last=False)
        self.viewport().update()
