"""Faces page: sort, filter, exclude and restore the crops of one side."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QUndoCommand, QUndoStack
from PySide6.QtWidgets import QComboBox, QLayout, QPushButton, QSlider

from faceswap.options import Side
from faceswap.preview.protocol import (
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MovedFacesAnswer,
    RestoreFacesRequest,
)
from gui.models.app_context import AppContext
from gui.models.face_table import FaceTableModel
from gui.pages.page import Page
from gui.widgets.elements import button, label, row
from gui.widgets.theme import GAP
from gui.widgets.thumbnail_grid import ThumbnailGrid


class _ExcludeCommand(QUndoCommand):
    """Undo command: exclude or include faces."""

    def __init__(self, page: "FacesPage", side: Side, names: list[str], out: bool) -> None:
        text = page.tr("exclude %1 faces") if out else page.tr("include %1 faces")
        super().__init__(text.replace("%1", f"{len(names):,}"))
        self._page, self._side, self._names, self._out = page, side, names, out

    def redo(self) -> None:
        self._page.move_faces(self._side, self._names, self._out)

    def undo(self) -> None:
        self._page.move_faces(self._side, self._names, not self._out)


class FacesPage(Page):
    """A grid of all crops of one side, those excluded from training shown pale."""

    name = "faces"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.side: Side = "a"
        self.grid = ThumbnailGrid()
        self.table = FaceTableModel()
        self.undo = QUndoStack(self)
        self._measuring = False
        self._crops: tuple[Side, int, bool] | None = None
        self._build()
        self.grid.selected.connect(self._update_buttons)
        self.grid.opened.connect(self._open_frame)
        self.undo.indexChanged.connect(self._update_buttons)

    def set_side(self, side: Side) -> None:
        """Show the faces of ``side``."""
        self.side = side
        for name, segment in self.segments.items():
            segment.setChecked(name == side)
        self._crops = None
        self._load()

    def exclude(self) -> None:
        """Exclude the selected faces from training."""
        self._push(out=True)

    def restore(self) -> None:
        """Restore the selected faces to training."""
        self._push(out=False)

    def move_faces(self, side: Side, names: list[str], out: bool) -> None:
        """Exclude or restore faces by name, first on disk, then in the grid."""
        session = self.session
        if session is None:
            return

        def moved(answer: MovedFacesAnswer) -> None:
            if side == self.side:
                for item in self.table.set_excluded(answer.names, out):
                    self.grid.move_item(item, str(self.table.path(item)), out)
                self._arrange(keep=True)

        request = ExcludeFacesRequest if out else RestoreFacesRequest
        session.rpc.send(request(source=side, names=tuple(names)), moved)

    def on_project_changed(self) -> None:
        self.grid.set_items([], np.zeros(0, np.bool_))
        self.table = FaceTableModel()
        self.undo.clear()
        self.side, self._crops, self._measuring = "a", None, False
        self._update_buttons()

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._load()

    def on_show(self) -> None:
        for name, segment in self.segments.items():
            segment.setChecked(name == self.side)
        if self.session is not None and self.session.info is not None:
            self._load()
        self.grid.setFocus()

    @property
    def is_ready(self) -> bool:
        return not self.grid.requested

    def on_leave(self) -> None:
        self.grid.stop_loading()

    def _build(self) -> None:
        self.segments: dict[Side, QPushButton] = {}
        names: tuple[tuple[Side, str], ...] = (
            ("a", self.tr("Faces of A")),
            ("b", self.tr("Faces of B")),
        )
        for side, text in names:
            segment = button(text, partial(self.set_side, side), "segment", f"Alt+{side}")
            segment.setCheckable(True)
            self.segments[side] = segment
        bar, actions = self._make_bar(), self._make_actions()
        self.body.addLayout(row(label(self.tr("Faces"), "title"), None, *self.segments.values()))
        self.body.addLayout(bar)
        self.body.addWidget(self.grid, 1)
        self.body.addLayout(actions)

    def _make_bar(self) -> QLayout:
        self.sort = self._chooser(
            self.tr("Sort"),
            [
                ("time", self.tr("By time")),
                ("blur", self.tr("By sharpness, most blurred first")),
                ("yaw", self.tr("By yaw, left to right")),
                ("pitch", self.tr("By pitch, down to up")),
                ("presence", self.tr("By landmark confidence, lowest first")),
                ("brightness", self.tr("By brightness, darkest first")),
            ],
        )
        self.filter = self._chooser(
            self.tr("Filter"),
            [
                ("all", self.tr("All faces")),
                ("in", self.tr("Included")),
                ("out", self.tr("Excluded")),
                ("low presence", self.tr("Low confidence")),
                ("side", self.tr("Side views (yaw over 35°)")),
                ("frontal", self.tr("Frontal")),
            ],
        )
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(48, 192)
        self.size_slider.setValue(96)
        self.size_slider.setFixedWidth(14 * GAP)
        self.size_slider.setAccessibleName(self.tr("Thumbnail size"))
        self.size_slider.setToolTip(self.tr("Thumbnail size"))
        self.size_slider.valueChanged.connect(self.grid.set_cell)
        self.counts = label("", "muted")
        self.progress = label("", "small")
        return row(
            self.sort, self.filter, self.size_slider, None, self.progress, self.counts, gap=2 * GAP
        )

    def _chooser(self, name: str, entries: list[tuple[str, str]]) -> QComboBox:
        """A list of what to show, as (key, text); a choice arranges the faces anew."""
        chooser = QComboBox()
        for key, text in entries:
            chooser.addItem(text, key)
        chooser.setAccessibleName(name)
        chooser.currentIndexChanged.connect(lambda: self._arrange())
        return chooser

    def _make_actions(self) -> QLayout:
        self.out = button(self.tr("Exclude"), self.exclude, "primary", "Del")
        self.back = button(self.tr("Include"), self.restore, "", "Ins")
        self.undo_button = button(self.tr("Undo"), self.undo.undo, "", "Ctrl+Z")
        self.redo_button = button(self.tr("Redo"), self.undo.redo, "", "Ctrl+Shift+Z")
        everything = button(self.tr("Select all"), self.grid.select_all, "", "Ctrl+A")
        self.open_frame = button(
            self.tr("Show in footage"),
            self._open_selected,
            "",
            "Ctrl+Return",
            self.tr("Go to the frame that the crop was cut from"),
        )
        return row(
            self.out,
            self.back,
            self.undo_button,
            self.redo_button,
            None,
            everything,
            self.open_frame,
        )

    def _load(self) -> None:
        """Request the faces if the side or their number changed."""
        session = self.session
        if session is None:
            return
        info = session.side(self.side)
        state = (self.side, info.crops + info.excluded, info.complete)
        if state != self._crops:
            self._crops = state
            session.rpc.send(FacesRequest(source=self.side), self._show, channel="faces")

    def _show(self, answer: FacesAnswer) -> None:
        try:
            self.table = FaceTableModel(answer)
        except (OSError, ValueError) as error:
            message = self.tr("The table of faces cannot be read: %1.").replace("%1", str(error))
            self.context.notice.emit(message, "bad")
            return
        self.grid.set_items(self.table.paths(), self.table.excluded.copy())
        self._arrange()
        self._measure()

    def _measure(self) -> None:
        """Request blur and brightness of 64 faces at a time while the page is visible."""
        session = self.session
        names = self.table.unmeasured(64)
        if session is None or not names or self._measuring or not self.isVisible():
            self.progress.setText("")
            return
        self._measuring = True
        table = self.table

        def measured(answer: MeasuredFacesAnswer) -> None:
            self._measuring = False
            count = len(answer.blur)
            table.set_measurements(names[:count], answer.blur, answer.brightness)
            if table is self.table:
                left = table.unmeasured_count()
                message = self.tr("measuring sharpness and brightness: %1 left")
                self.progress.setText(message.replace("%1", f"{left:,}") if left else "")
                if not left and self.sort.currentData() in ("blur", "brightness"):
                    self._arrange()
            self._measure()

        def failed(sentence: str) -> None:
            self._measuring = False
            self.context.notice.emit(sentence, "warn")

        request = MeasureFacesRequest(source=self.side, names=tuple(names))
        session.rpc.send(request, measured, on_error=failed)

    def _arrange(self, keep: bool = False) -> None:
        order = self.table.order(self.sort.currentData(), self.filter.currentData())
        scrolled = self.grid.verticalScrollBar().value()
        self.grid.set_order(order)
        if keep:
            self.grid.verticalScrollBar().setValue(scrolled)
        self._update_buttons()

    def _push(self, out: bool) -> None:
        selected: NDArray[np.int64] = self.grid.selected_items()
        names = [self.table.names[i] for i in selected if bool(self.table.excluded[i]) != out]
        if names and self.writable:
            self.undo.push(_ExcludeCommand(self, self.side, names, out))

    def _update_buttons(self) -> None:
        selected = self.grid.selected_items()
        excluded = int(self.table.excluded.sum())
        total = len(self.table.names)
        message = self.tr("%1 faces, %2 excluded, %3 selected")
        for index, number in enumerate((total, excluded, len(selected)), 1):
            message = message.replace(f"%{index}", f"{number:,}")
        self.counts.setText(message)
        out = self.table.excluded[selected]
        self.out.setEnabled(self.writable and bool((~out).any()))
        self.back.setEnabled(self.writable and bool(out.any()))
        self.undo_button.setEnabled(self.undo.canUndo() and self.writable)
        self.redo_button.setEnabled(self.undo.canRedo() and self.writable)
        self.undo_button.setToolTip(f"{self.undo.undoText()} (Ctrl+Z)")
        self.redo_button.setToolTip(f"{self.undo.redoText()} (Ctrl+Shift+Z)")
        self.open_frame.setEnabled(len(selected) > 0)

    def _open_selected(self) -> None:
        selected = self.grid.selected_items()
        if len(selected):
            self._open_frame(int(selected[0]))

    def _open_frame(self, item: int) -> None:
        side, frame = self.side, self.table.frame(item)
        self.context.show_frame.emit(side, frame)
