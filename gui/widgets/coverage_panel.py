"""What B lacks of A: reads the faces of both and shows the map of their poses and expressions."""

from functools import partial

import numpy as np
from PySide6.QtWidgets import QWidget

from faceswap.options import SIDES, Side
from faceswap.preview.protocol import FacesAnswer, FacesRequest
from gui.models.app_context import AppContext, ProjectSession
from gui.models.coverage import Faces, histograms
from gui.models.face_table import FacePart, FaceTableModel
from gui.widgets.coverage_map import CoverageView
from gui.widgets.elements import column, label, row
from gui.widgets.person_picker import PersonPicker
from gui.widgets.theme import GAP


class CoveragePanel(QWidget):
    """Who is compared with whom, and the map."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self._parts: dict[Side, dict[str, FacePart]] = {"a": {}, "b": {}}
        self.view = CoverageView()
        self.pickers: dict[Side, PersonPicker] = {
            "a": PersonPicker(self.tr("Person of A")),
            "b": PersonPicker(self.tr("Person of B")),
        }
        for picker in self.pickers.values():
            picker.chosen.connect(self.show_coverage)
        line = row(
            label("A", "a"),
            self.pickers["a"],
            label("B", "b"),
            self.pickers["b"],
            None,
            gap=2 * GAP,
        )
        both = column(line, self.view, gap=2 * GAP)
        both.setStretch(1, 1)
        self.setLayout(both)

    def forget(self) -> None:
        """Forget the faces of another project."""
        self._parts = {"a": {}, "b": {}}

    def refresh(self) -> None:
        """Read the faces of both sides, and show the map."""
        session = self._context.session
        if session is None:
            return
        pairs = session.people.pairs
        pair = pairs[0] if pairs else session.people.pair("main")
        for side, picker in self.pickers.items():
            chosen = picker.person() or (pair.a if side == "a" else pair.b)
            picker.show_people(session.people, session.people.of_side(side), chosen)
        self.forget()
        for side in SIDES:
            for source in session.sources(side):
                session.rpc.send(
                    FacesRequest(source=source.id),
                    partial(self._take, side, source.id),
                    channel=f"coverage of {source.id} {side}",
                )

    def show_coverage(self) -> None:
        """Show the map of the chosen people."""
        session = self._context.session
        if session is None:
            return
        a, b = (histograms(self._faces(session, side)) for side in SIDES)
        names = []
        for picker, side in ((self.pickers["a"], "a"), (self.pickers["b"], "b")):
            people = session.people.of_side(side)
            number = picker.person() or (people[0].id if people else None)
            names.append(session.people.label(number) if number is not None else side.upper())
        message = self.tr(
            "Seconds of A (%1) | of B (%2). Red: A needs it and B lacks it; green: B has it."
        )
        self.view.show_histograms(a, b, message.replace("%1", names[0]).replace("%2", names[1]))

    def _take(self, side: Side, source: str, answer: FacesAnswer) -> None:
        session = self._context.session
        try:
            self._parts[side][source] = FacePart.read(source, answer)
        except (OSError, ValueError) as error:
            message = self.tr("The table of faces cannot be read: %1.").replace("%1", str(error))
            self._context.notice.emit(message, "bad")
            return
        if session is not None and all(
            len(self._parts[which]) == len(session.sources(which)) for which in SIDES
        ):
            self.show_coverage()

    def _faces(self, session: ProjectSession, side: Side) -> Faces:
        """The faces of the chosen person of a side; of B those that are trained on."""
        table = FaceTableModel(list(self._parts[side].values()))
        if not table.names:
            none = np.zeros(0, np.float32)
            return Faces(none, none, none, none, none)
        if session.people.people:
            table.set_people(session.people.of_tracks())
        people = session.people.of_side(side)
        person = self.pickers[side].person() or (people[0].id if people else None)
        keep = ~table.excluded if side == "b" else np.ones(len(table.names), np.bool_)
        if person is not None:
            keep &= table.column("person") == person
        yaw, pitch, mouth, lids = (
            np.nan_to_num(table.column(name)[keep]) for name in ("yaw", "pitch", "mouth", "lids")
        )
        yaw, pitch = yaw.clip(-89.0, 89.0), pitch.clip(-89.0, 89.0)
        return Faces(yaw, pitch, mouth, lids, table.seconds()[keep])
