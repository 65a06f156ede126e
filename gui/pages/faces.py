"""Faces page: sort, filter, fold, exclude and restore the crops of a side; what B lacks of A."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QUndoCommand, QUndoStack
from PySide6.QtWidgets import QLayout, QPushButton, QStackedWidget

from faceswap.options import Side
from faceswap.preview.protocol import (
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    LikenessAnswer,
    LikenessRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MovedFacesAnswer,
    RestoreFacesRequest,
)
from gui.models.app_context import AppContext
from gui.models.face_table import FacePart, FaceTableModel
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.coverage_panel import CoveragePanel
from gui.widgets.elements import button, label, row
from gui.widgets.face_filters import FaceFilters
from gui.widgets.thumbnail_grid import ThumbnailGrid

Names = dict[str, list[str]]
"""Names of crops by their source."""


class _ExcludeCommand(QUndoCommand):
    """Undo command: exclude or include faces."""

    def __init__(self, page: "FacesPage", side: Side, names: Names, out: bool) -> None:
        text = page.tr("exclude %1 faces") if out else page.tr("include %1 faces")
        super().__init__(text.replace("%1", f"{sum(map(len, names.values())):,}"))
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
        self.filters = FaceFilters()
        self.coverage = CoveragePanel(context)
        self.sort, self.filter = self.filters.sort, self.filters.filter
        self.undo = QUndoStack(self)
        self._measuring = False
        self._crops: tuple[object, ...] | None = None
        self._parts: dict[str, FacePart] = {}
        self._likeness: tuple[str, int, int] | None = None
        self._fold_of: NDArray[np.int64] | None = None
        self._shown: NDArray[np.int64] = np.zeros(0, np.int64)
        self._build()
        self.filters.changed.connect(self._filters_changed)
        self.filters.resized.connect(self.grid.set_cell)
        self.grid.selected.connect(self._update_buttons)
        self.grid.opened.connect(self._open_frame)
        self.undo.indexChanged.connect(self._update_buttons)

    def set_side(self, side: Side) -> None:
        """Show the faces of ``side``."""
        self.side = side
        self._crops = None
        self.stack.setCurrentWidget(self.faces)
        self._show_segments()
        self._load()

    def show_coverage(self) -> None:
        """Show which poses and expressions of A B has and lacks."""
        self.stack.setCurrentWidget(self.coverage)
        self._show_segments()
        self.coverage.refresh()

    def exclude(self) -> None:
        """Exclude the selected faces from training."""
        self._push(out=True)

    def restore(self) -> None:
        """Restore the selected faces to training."""
        self._push(out=False)

    def move_faces(self, side: Side, names: Names, out: bool) -> None:
        """Exclude or restore faces by source and name, first on disk, then in the grid."""
        session = self.session
        if session is None:
            return

        def moved(source: str, answer: MovedFacesAnswer) -> None:
            if side == self.side and source in self._parts:
                for item in self.table.set_excluded(source, answer.names, out):
                    self.grid.move_item(item, str(self.table.path(item)), out)
                self._arrange(keep=True)

        request = ExcludeFacesRequest if out else RestoreFacesRequest
        for source, own in names.items():
            session.rpc.send(request(source=source, names=tuple(own)), partial(moved, source))

    def on_project_changed(self) -> None:
        self.grid.set_items([], np.zeros(0, np.bool_))
        self.table, self._parts, self._likeness = FaceTableModel(), {}, None
        self.undo.clear()
        self.coverage.forget()
        self.side, self._crops, self._measuring = "a", None, False
        self._update_buttons()
        if self.session is not None:
            self.session.people.changed.connect(self._people_changed)

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._load()

    def on_show(self) -> None:
        self._show_segments()
        if self.session is not None and self.session.info is not None:
            self._load()
            if self.stack.currentWidget() is self.coverage:
                self.coverage.refresh()
        self.grid.setFocus()

    @property
    def is_ready(self) -> bool:
        return not self.grid.requested

    def on_leave(self) -> None:
        self.grid.stop_loading()

    def on_theme_changed(self) -> None:
        self.coverage.update()

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
        self.lack = button(self.tr("What B lacks"), self.show_coverage, "segment", "Alt+L")
        self.lack.setCheckable(True)
        self.body.addLayout(
            row(label(self.tr("Faces"), "title"), None, *self.segments.values(), self.lack)
        )
        whole = elements.column(self.filters, self.grid, self._make_actions(), gap=16)
        whole.setStretch(1, 1)
        self.faces = elements.widget_of(whole)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.faces)
        self.stack.addWidget(self.coverage)
        self.body.addWidget(self.stack, 1)

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

    def _show_segments(self) -> None:
        lacking = self.stack.currentWidget() is self.coverage
        self.lack.setChecked(lacking)
        for name, segment in self.segments.items():
            segment.setChecked(name == self.side and not lacking)

    def _load(self) -> None:
        """Request the faces of the side's sources if their number changed."""
        session = self.session
        if session is None:
            return
        sources = session.sources(self.side)
        self.filters.show_choices(session.people, session.people.of_side(self.side), sources)
        state = (self.side, *((s.id, s.crops + s.excluded, s.complete) for s in sources))
        if state == self._crops:
            return
        self._crops, self._parts = state, {}
        if not sources:
            self._show([])
        for source in sources:
            session.rpc.send(
                FacesRequest(source=source.id),
                partial(self._take, state, [one.id for one in sources], source.id),
                channel=f"faces of {source.id}",
            )

    def _take(
        self, state: tuple[object, ...], sources: list[str], source: str, answer: FacesAnswer
    ) -> None:
        """Read the faces of a source; show them once those of all sources are there."""
        if state != self._crops:
            return
        try:
            self._parts[source] = FacePart.read(source, answer)
        except (OSError, ValueError) as error:
            message = self.tr("The table of faces cannot be read: %1.").replace("%1", str(error))
            self.context.notice.emit(message, "bad")
            return
        if len(self._parts) == len(sources):
            self._show([self._parts[name] for name in sources])

    def _show(self, parts: list[FacePart]) -> None:
        self.table, self._likeness = FaceTableModel(parts), None
        self._set_people()
        self.grid.set_items(self.table.paths(), self.table.excluded.copy())
        self._arrange()
        self._measure()

    def _people_changed(self) -> None:
        session = self.session
        if session is not None and session.info is not None and self.isVisible():
            people = session.people.of_side(self.side)
            self.filters.show_choices(session.people, people, session.sources(self.side))
            self._set_people()
            self._arrange(keep=True)

    def _set_people(self) -> None:
        if self.table.parts and self.session is not None and self.session.people.people:
            self.table.set_people(self.session.people.of_tracks())

    def _measure(self) -> None:
        """Request blur and brightness of 64 faces at a time while the page is visible."""
        session = self.session
        source, names = self.table.unmeasured(64)
        if session is None or not names or self._measuring or not self.isVisible():
            self.filters.progress.setText("")
            return
        self._measuring = True
        table = self.table

        def measured(answer: MeasuredFacesAnswer) -> None:
            self._measuring = False
            count = len(answer.blur)
            table.set_measurements(source, names[:count], answer.blur, answer.brightness)
            if table is self.table:
                left = table.unmeasured_count()
                message = self.tr("measuring sharpness and brightness: %1 left")
                self.filters.progress.setText(message.replace("%1", f"{left:,}") if left else "")
                if not left and self.sort.currentData() in ("blur", "brightness"):
                    self._arrange()
            self._measure()

        def failed(sentence: str) -> None:
            self._measuring = False
            self.context.notice.emit(sentence, "warn")

        request = MeasureFacesRequest(source=source, names=tuple(names))
        session.rpc.send(request, measured, on_error=failed)

    def _filters_changed(self) -> None:
        if self.sort.currentData() == "likeness":
            self._request_likeness()
        else:
            self._arrange()

    def _request_likeness(self) -> None:
        """Sort by likeness to the chosen face: those of other people come last."""
        session, selected = self.session, self.grid.selected_items()
        if not len(selected) or session is None:
            if self._likeness is None:
                message = self.tr("Choose a face first; then the others are sorted by likeness.")
                self.context.notice.emit(message, "warn")
            self._arrange()
            return
        item, table = int(selected[0]), self.table
        self._likeness = table.place(item)

        def compared(source: str, answer: LikenessAnswer) -> None:
            if table is self.table:
                table.set_likeness(source, answer.tracks, item)
                self._arrange()

        for part in table.parts:
            request = LikenessRequest(
                source=part.source, of=self._likeness[0], name=table.names[item]
            )
            session.rpc.send(request, partial(compared, part.source))

    def _arrange(self, keep: bool = False) -> None:
        shown = self.filter.currentData()
        selected = self.grid.selected_items()
        track = None
        if shown == "track" and len(selected):
            source, _, number = self.table.place(int(selected[0]))
            track = (source, number)
        order = self.table.order(
            self.sort.currentData(),
            shown,
            person=self.filters.chosen_person(),
            source=self.filters.chosen_source(),
            track=track,
        )
        if self.table.names:
            self.grid.hint = self.tr("No face passes these filters.")
        else:
            self.grid.hint = self.tr("No faces yet: extract them on the Footage page.")
        order = self._folded(order)
        scrolled = self.grid.verticalScrollBar().value()
        self.grid.set_order(order)
        if keep:
            self.grid.verticalScrollBar().setValue(scrolled)
        self._update_buttons()

    def _folded(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """One face for each fold, the first in the order, with how many it stands for."""
        self._fold_of = self.table.folds() if self.filters.fold.isChecked() else None
        if self._fold_of is None or not len(order):
            self.grid.counts = None
            return order
        folds = self._fold_of[order]
        _, first, counts = np.unique(folds, return_index=True, return_counts=True)
        self.grid.counts = np.ones(len(self.table.names), np.int64)
        self.grid.counts[order[first]] = counts
        self._shown = order
        return order[np.sort(first)]

    def _selected(self) -> NDArray[np.int64]:
        """The selected faces, with those that they stand for."""
        selected = self.grid.selected_items()
        if self._fold_of is None or not len(selected):
            return selected
        return self._shown[np.isin(self._fold_of[self._shown], self._fold_of[selected])]

    def _push(self, out: bool) -> None:
        items = [int(item) for item in self._selected() if bool(self.table.excluded[item]) != out]
        if items and self.writable:
            self.undo.push(_ExcludeCommand(self, self.side, self.table.by_source(items), out))

    def _update_buttons(self) -> None:
        selected = self._selected()
        excluded = int(self.table.excluded.sum())
        total = len(self.table.names)
        message = self.tr("%1 faces, %2 excluded, %3 selected")
        for index, number in enumerate((total, excluded, len(selected)), 1):
            message = message.replace(f"%{index}", f"{number:,}")
        self.filters.counts.setText(message)
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
        source, frame, _ = self.table.place(item)
        self.context.show_frame.emit(source, frame)
