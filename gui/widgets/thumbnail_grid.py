"""Virtualised thumbnail grid: only visible images are loaded and drawn."""

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

_CACHE_SIZE = 3000
"""Thumbnails kept in memory."""

_THREADS = 2


class _LoadSignals(QObject):
    loaded = Signal(int, QImage, bool)


class _Load(QRunnable):
    """Load one thumbnail in a thread, unless it was scrolled out of view meanwhile."""

    def __init__(
        self, item: int, path: str, size: int, grid: "ThumbnailGrid", signals: _LoadSignals
    ) -> None:
        super().__init__()
        self._item, self._path, self._size = item, path, size
        self._requested, self._signals = grid.requested, signals

    def run(self) -> None:
        image = QImage()
        attempted = self._item in self._requested
        if attempted:
            reader = QImageReader(self._path)
            reader.setScaledSize(QSize(self._size, self._size))
            image = reader.read()
        self._signals.loaded.emit(self._item, image, attempted)


class ThumbnailGrid(QAbstractScrollArea):
    """Square thumbnails in rows; selection by click, Ctrl, Shift, drag and keyboard.

    Items are numbers; ``order`` holds them in the order shown, a position is an index into it.
    ``counts`` says how many faces each item stands for, None one each. ``hint`` is shown where
    there is no item.
    selected: the selection changed. opened: an item was double-clicked or Enter pressed.
    """

    selected = Signal()
    opened = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.cell = 96
        self.requested: set[int] = set()
        self.order: NDArray[np.int64] = np.zeros(0, np.int64)
        self.selection: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.dimmed: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self.counts: NDArray[np.int64] | None = None
        self.hint = ""
        self._paths: list[str] = []
        self._thumbnails: OrderedDict[int, QPixmap] = OrderedDict()
        self._cursor = self._anchor = 0
        self._signals = _LoadSignals()
        self._signals.loaded.connect(self._loaded)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(_THREADS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setAccessibleName(self.tr("Faces"))
        self.verticalScrollBar().valueChanged.connect(self.viewport().update)

    def set_items(self, paths: list[str], dimmed: NDArray[np.bool_]) -> None:
        """Replace all items; ``dimmed`` ones are drawn pale."""
        self.stop_loading()
        self._paths, self.dimmed, self.counts = paths, dimmed, None
        self._thumbnails.clear()
        self.requested.clear()
        self.selection = np.zeros(len(paths), np.bool_)
        self.set_order(np.arange(len(paths)))

    def set_order(self, order: NDArray[np.int64]) -> None:
        """Show the items ``order`` in this order; others are hidden and deselected."""
        keep = np.zeros_like(self.selection)
        keep[order] = True
        self.order, self._cursor, self._anchor = order, 0, 0
        self.selection &= keep
        self._update_scroll_bar()
        self.verticalScrollBar().setValue(0)
        self.viewport().update()
        self.selected.emit()

    def move_item(self, item: int, path: str, dimmed: bool) -> None:
        """Update the path of an item whose file was moved."""
        self._paths[item] = path
        self.dimmed[item] = dimmed

    def selected_items(self) -> NDArray[np.int64]:
        """The selected items."""
        return np.flatnonzero(self.selection)

    def select_all(self) -> None:
        """Select all items shown."""
        self.selection[self.order] = True
        self._selection_changed()

    def select_none(self) -> None:
        """Select nothing."""
        self.selection[:] = False
        self._selection_changed()

    def set_cell(self, size: int) -> None:
        """Set the thumbnail size in pixels."""
        self.cell = size
        self._thumbnails.clear()
        self._update_scroll_bar()
        self.viewport().update()

    def stop_loading(self) -> None:
        """Cancel queued loads and wait for those in progress."""
        self.requested.clear()
        self._pool.clear()
        self._pool.waitForDone(500)

    @property
    def columns(self) -> int:
        """Thumbnails per row."""
        return max(1, (self.viewport().width() - 4) // (self.cell + 4))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        colors = theme.current()
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), QColor(colors.surface))
        first, last = self._visible_range()
        missing = []
        for position in range(first, last):
            item = int(self.order[position])
            box = self._cell_rect(position)
            picture = self._thumbnails.get(item)
            if picture is None:
                missing.append(item)
                painter.fillRect(box, QColor(colors.raised))
            else:
                self._thumbnails.move_to_end(item)
                painter.setOpacity(0.3 if self.dimmed[item] else 1.0)
                painter.drawPixmap(box, picture)
                painter.setOpacity(1.0)
            if self.counts is not None and self.counts[item] > 1:
                self._draw_count(painter, box, int(self.counts[item]))
            if self.selection[item]:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(QColor(colors.accent), 3))
                painter.drawRect(QRectF(box).adjusted(1, 1, -1, -1))
            if position == self._cursor and self.hasFocus():
                painter.setPen(QPen(QColor(colors.text), 1, Qt.PenStyle.DotLine))
                painter.drawRect(box.adjusted(0, 0, -1, -1))
        if not len(self.order):
            painter.setPen(QColor(colors.muted))
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, self.hint)
        painter.end()
        self._load_missing(missing)

    def _draw_count(self, painter: QPainter, box: QRect, count: int) -> None:
        text = f"×{count}"
        width = painter.fontMetrics().horizontalAdvance(text) + 8
        chip = QRectF(box.right() - width - 2, box.bottom() - 20, width, 18)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(chip, 5, 5)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        self._update_scroll_bar()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        position = self._position_at(event)
        if position is None:
            self.select_none()
            return
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._select_span(position, add=control)
        elif control:
            self.selection[self.order[position]] ^= True
            self._cursor = self._anchor = position
            self._selection_changed()
        else:
            self._anchor = position
            self._select_span(position)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        position = self._position_at(event)
        if position is not None and position != self._cursor:
            self._select_span(position)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        position = self._position_at(event)
        if position is not None:
            self.opened.emit(int(self.order[position]))

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
            self.opened.emit(int(self.order[self._cursor]))
        elif event.key() == Qt.Key.Key_Space:
            self.selection[self.order[self._cursor]] ^= True
            self._selection_changed()
        elif step is not None:
            position = min(len(self.order) - 1, max(0, self._cursor + step))
            if not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._anchor = position
            self._select_span(position)
            self._scroll_to(position)
        else:
            super().keyPressEvent(event)

    def _select_span(self, position: int, add: bool = False) -> None:
        if not add:
            self.selection[:] = False
        low, high = sorted((self._anchor, position))
        self.selection[self.order[low : high + 1]] = True
        self._cursor = position
        self._selection_changed()

    def _selection_changed(self) -> None:
        self.viewport().update()
        self.selected.emit()

    def _update_scroll_bar(self) -> None:
        rows = -(-len(self.order) // self.columns)
        height = rows * (self.cell + 4) + 4
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, height - self.viewport().height()))
        bar.setPageStep(self.viewport().height())
        bar.setSingleStep((self.cell + 4) // 2)

    def _visible_range(self) -> tuple[int, int]:
        top, step = self.verticalScrollBar().value(), self.cell + 4
        first = top // step * self.columns
        last = (-(-(top + self.viewport().height()) // step)) * self.columns
        return first, min(len(self.order), last)

    def _cell_rect(self, position: int) -> QRect:
        line, column = divmod(position, self.columns)
        step = self.cell + 4
        top = 4 + line * step - self.verticalScrollBar().value()
        return QRect(4 + column * step, top, self.cell, self.cell)

    def _position_at(self, event: QMouseEvent) -> int | None:
        step = self.cell + 4
        column = int(event.position().x() - 4) // step
        line = int(event.position().y() + self.verticalScrollBar().value() - 4) // step
        position = line * self.columns + column
        inside = 0 <= column < self.columns and 0 <= position < len(self.order)
        return position if inside else None

    def _scroll_to(self, position: int) -> None:
        box, bar = self._cell_rect(position), self.verticalScrollBar()
        if box.top() < 0:
            bar.setValue(bar.value() + box.top() - 4)
        elif box.bottom() > self.viewport().height():
            bar.setValue(bar.value() + box.bottom() - self.viewport().height() + 4)

    def _load_missing(self, missing: list[int]) -> None:
        size = round(self.cell * self.devicePixelRatioF())
        new = [item for item in missing if item not in self.requested]
        self.requested.intersection_update(missing)
        self.requested.update(new)
        for item in new:
            self._pool.start(_Load(item, self._paths[item], size, self, self._signals))

    def _loaded(self, item: int, image: QImage, attempted: bool) -> None:
        self.requested.discard(item)
        if attempted and item < len(self._paths):
            # An unreadable file stays an empty square; it is not requested again.
            self._thumbnails[item] = QPixmap.fromImage(image)
            while len(self._thumbnails) > _CACHE_SIZE:
                self._thumbnails.popitem(last=False)
        self.viewport().update()
