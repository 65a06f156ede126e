"""Mend by hand: draw a face that was not found, detect anew, delete false faces, take it back."""

from typing import Any, get_args

from pydantic import ValidationError
from PySide6.QtCore import QRectF, Signal
from PySide6.QtWidgets import QComboBox, QFrame

from faceswap.errors import OutputError
from faceswap.faces.extract_options import DetectorName
from faceswap.jobs.mend import MendOptions
from faceswap.preview.protocol import (
    DeleteFacesRequest,
    DoneAnswer,
    Request,
    SourceState,
    UndoByHandRequest,
)
from gui.models.app_context import AppContext
from gui.widgets import elements
from gui.widgets.canvas import FaceCanvas
from gui.widgets.elements import button, label, row
from gui.widgets.options_form import error_text
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline

_FOLLOWED = 10.0
"""Seconds for which a drawn face is followed at most; a known or lost face ends it earlier."""


class HandPanel(QFrame):
    """What the finder of faces missed is added here, and what is no face is deleted.

    Adding takes a job; deleting and undoing are done at once. changed: that was done.
    """

    changed = Signal()

    def __init__(self, context: AppContext, canvas: FaceCanvas, timeline: Timeline) -> None:
        super().__init__()
        self.setObjectName("card")
        self._context, self._canvas, self._timeline = context, canvas, timeline
        self._source: SourceState | None = None
        self._free = False
        tip = self.tr("Then drag a box closely around the face in the picture; it is followed on")
        self.draw = button(self.tr("Draw a face"), self._toggle, "", "Ctrl+D", tip)
        self.draw.setCheckable(True)
        self.detector = QComboBox()
        self.detector.setAccessibleName(self.tr("Detector"))
        self.detector.addItems(get_args(get_args(DetectorName)[0]))
        self.detector.setCurrentText("yunet")
        tip = self.tr("Search the gap or doubtful stretch at the playhead with this detector")
        self.anew = button(self.tr("Detect anew"), self.detect, "", "Ctrl+Shift+D", tip)
        self.undo = button(
            self.tr("Undo"),
            self.take_back,
            "link",
            "",
            self.tr("Undo what was last added or deleted"),
        )
        self.where = label("", "small", wrap=True)
        box = elements.column(
            row(label(self.tr("By hand"), "heading"), None, self.undo),
            row(self.draw, None),
            row(self.detector, self.anew, None),
            self.where,
        )
        box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        self.setLayout(box)
        canvas.box_drawn.connect(self.add)

    def show_state(self, source: SourceState | None, free: bool) -> None:
        """Show what can be done with ``source``; free: nothing is running."""
        self._source = source
        self._free = free and source is not None and source.complete and not source.problem
        self.setVisible(source is not None and source.complete)
        if not self._free:
            self.stop_drawing()
        self.follow_playhead()

    def follow_playhead(self) -> None:
        """Say which stretch is at the playhead."""
        stretch = self._timeline.stretch_at(self._timeline.frame)
        if stretch is None:
            message = self.tr(
                "Go to a gap or a doubtful stretch to detect it anew; click a face that is none to "
                "delete it."
            )
        else:
            message = self.tr("At the playhead: frames %1 to %2.").replace("%1", str(stretch[0]))
            message = message.replace("%2", str(stretch[1]))
        self.where.setText(message)
        self.draw.setEnabled(self._free)
        self.anew.setEnabled(self._free and stretch is not None)
        self.undo.setVisible(self._source is not None and self._source.by_hand > 0)
        self.undo.setEnabled(self._free)

    def stop_drawing(self) -> None:
        """Leave the drawing of a box."""
        self.draw.setChecked(False)
        self._canvas.set_drawing(False)

    def add(self, box: QRectF) -> None:
        """Add the face in a box, in pixels of the current frame, and follow it."""
        self.stop_drawing()
        source = self._source
        if source is None or not self._free:
            return
        rate = source.footage.rate if source.footage is not None else 25.0
        first = self._timeline.frame
        last = min(source.processed_frames - 1, first + round(_FOLLOWED * (rate or 25.0)))
        edges = (box.left(), box.top(), box.right(), box.bottom())
        self._start(frames=f"{first}-{last}", box=tuple(round(edge, 1) for edge in edges))

    def detect(self) -> None:
        """Detect the stretch at the playhead anew."""
        stretch = self._timeline.stretch_at(self._timeline.frame)
        if stretch is not None:
            frames = f"{stretch[0]}-{stretch[1]}"
            self._start(frames=frames, detector=self.detector.currentText())

    def delete(self, track: int, first: int, last: int) -> None:
        """Delete the faces of a track, which are none, in some frames."""
        source = self._source
        if source is not None and self._free:
            self._ask(DeleteFacesRequest(source=source.id, track=track, first=first, last=last))

    def take_back(self) -> None:
        """Undo what was last done to the source by hand."""
        if self._source is not None and self._free:
            self._ask(UndoByHandRequest(source=self._source.id))

    def _ask(self, request: Request[DoneAnswer]) -> None:
        session = self._context.session
        if session is not None:
            session.rpc.send(
                request,
                lambda _: self.changed.emit(),
                on_error=lambda sentence: self._context.notice.emit(sentence, "bad"),
            )

    def _toggle(self) -> None:
        self._canvas.set_drawing(self.draw.isChecked())

    def _start(self, **given: Any) -> None:
        session, source = self._context.session, self._source
        if session is None or source is None or not self._free:
            return
        try:
            options = MendOptions(project=session.folder, source=source.id, **given)
            self._context.jobs.start("mend", options, self.tr("Mend"), session.folder)
        except (ValidationError, OutputError) as error:
            self._context.notice.emit(error_text(error), "bad")
