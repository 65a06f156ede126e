"""Live curves of a training run, downsampled for drawing."""

import gc
import importlib
import sys
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QWidget

from faceswap.preview.protocol import MetricCurve
from gui.widgets import elements, theme
from gui.widgets.theme import GAP

_MODULE = "pyqtgraph"
_loading: list[threading.Thread] = []


def preload_plotting() -> None:
    """Import the plotting library in a thread, so pages with curves open without delay."""
    if not _loading and _MODULE not in sys.modules:
        thread = threading.Thread(target=importlib.import_module, args=(_MODULE,), daemon=True)
        _loading.append(thread)
        thread.start()


class Series:
    """One growing curve."""

    def __init__(self) -> None:
        self._data: NDArray[np.float64] = np.empty((2, 1024))
        self._count = 0

    def set(self, steps: Sequence[int], values: Sequence[float | None]) -> None:
        """Replace all points; a value that is None is not drawn."""
        self._data = np.empty((2, max(1024, 2 * len(steps))))
        self._count = len(steps)
        self._data[0, : self._count], self._data[1, : self._count] = steps, values

    def add(self, step: float, value: float) -> None:
        """Add a point; drop those at or after its step, which are from before a resume."""
        while self._count and self._data[0, self._count - 1] >= step:
            self._count -= 1
        if self._count == self._data.shape[1]:
            self._data = np.concatenate([self._data, np.empty_like(self._data)], 1)
        self._data[:, self._count] = step, value
        self._count += 1

    @property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Steps and values so far."""
        return self._data[0, : self._count], self._data[1, : self._count]


class Curves(QWidget):
    """Plots side by side; ``plots`` maps each title to a metric's name."""

    def __init__(self, plots: dict[str, str]) -> None:
        super().__init__()
        self.series = {name: Series() for name in plots.values()}
        self._titles = plots
        self._items: dict[str, Any] = {}
        self._widgets: list[Any] = []
        self._cards: dict[str, QWidget] = {}
        self._box = QHBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(2 * GAP)
        self.setMinimumHeight(18 * GAP)
        self._draw_later = QTimer(self)
        self._draw_later.setSingleShot(True)
        self._draw_later.setInterval(250)
        self._draw_later.timeout.connect(self.draw)
        self.hide()
        preload_plotting()
        self._wait = QTimer(self)
        self._wait.setInterval(30)
        self._wait.timeout.connect(self._build)
        self._wait.start()

    def set_all(self, curves: Sequence[MetricCurve]) -> None:
        """Replace all curves with a run's, as sent by the preview server."""
        given = {curve.name: curve for curve in curves}
        for name, series in self.series.items():
            curve = given.get(name)
            series.set(*((curve.steps, curve.values) if curve else ((), ())))
        self._draw_later.start()

    def add(self, step: int, values: dict[str, float]) -> None:
        """Add the metrics of one step."""
        for name, value in values.items():
            if name in self.series:
                self.series[name].add(step, value)
        if not self._draw_later.isActive():
            self._draw_later.start()

    @property
    def ready(self) -> bool:
        """Whether the plotting library is loaded and the plots are created."""
        return not self._wait.isActive()

    def apply_theme(self) -> None:
        """Apply the colours of the current theme."""
        colors = theme.current()
        for item in self._items.values():
            # Width in device pixels. No antialiasing: it takes a hundred times as long to draw.
            item.setPen(colors.accent, width=1.5 * self.devicePixelRatioF())
        for widget in self._widgets:
            widget.setBackground(colors.surface)
            for axis in ("left", "bottom"):
                widget.getAxis(axis).setPen(colors.line)
                widget.getAxis(axis).setTextPen(colors.muted)

    def _build(self) -> None:
        """Create one plot per call: all at once would block the event loop."""
        if any(thread.is_alive() for thread in _loading):
            return
        missing = [(title, name) for title, name in self._titles.items() if name not in self._items]
        if missing:
            self._add_plot(*missing[0])
            return
        self._wait.stop()
        gc.freeze()  # keeps the library's objects out of every full collection
        self.apply_theme()
        self.draw()

    def _add_plot(self, title: str, name: str) -> None:
        library = importlib.import_module(_MODULE)
        widget = library.PlotWidget()
        widget.setMenuEnabled(False)
        widget.hideButtons()
        widget.showGrid(x=False, y=True, alpha=0.15)
        item = widget.plot(pen=library.mkPen(theme.current().accent, width=1.5))
        item.setDownsampling(auto=True, method="peak")
        item.setClipToView(True)
        widget.setAccessibleName(title)
        widget.setMouseEnabled(x=True, y=False)
        frame = elements.card(elements.label(title, "small"), widget, gap=GAP // 2)
        self._items[name], self._cards[name] = item, frame
        self._widgets.append(widget)
        self._box.addWidget(frame, 1)

    def draw(self) -> None:
        """Draw all points; called automatically 250 ms after points were added."""
        filled = {name for name, curve in self.series.items() if len(curve.points[0]) > 1}
        self.setVisible(bool(filled) and self.ready)
        for name, item in self._items.items():
            self._cards[name].setVisible(name in filled)
            item.setData(*self.series[name].points)
