"""Menu of a face in a frame: who it is, or that it is none, always or in this frame."""

from functools import partial

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from faceswap.preview.protocol import Correction, FrameFace, MoveTracks, SplitPerson, TrackName
from gui.models.app_context import AppContext

_MOST = 12
"""People that are listed, those longest on screen."""


class FaceMenu(QObject):
    """Says of the track of a face who it is; every choice can be undone on the People page.

    deleted: its faces are none from one frame to another, of a track.
    """

    deleted = Signal(int, int, int)

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._widget = context, parent

    def open(self, source: str, face: FrameFace, frame: int, last: int, place: QPoint) -> None:
        """Show the menu for a face of a source at a place on the screen; see ``menu``."""
        self.menu(source, face, frame, last).popup(place)

    def menu(self, source: str, face: FrameFace, frame: int, last: int) -> QMenu:
        """The menu for a face in ``frame`` of a source, ``last`` being the source's last one.

        It is deleted once it is closed.
        """
        session = self._context.session
        menu = QMenu(self._widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if session is None:
            return menu
        track = TrackName(source=source, track=face.track)
        title = menu.addAction(self.tr("Track %1 is").replace("%1", str(face.track)))
        title.setEnabled(False)
        free = not session.read_only

        def add(text: str, change: Correction, checked: bool = False) -> None:
            action = menu.addAction(text)
            action.setEnabled(free and not checked)
            action.triggered.connect(partial(self._correct, change, text))

        for person in [one for one in session.people.people if not one.no_face][:_MOST]:
            here = person.id == face.person
            text = session.people.label(person.id) + ("  ✓" if here else "")
            add(text, MoveTracks(tracks=(track,), person=person.id), here)
        menu.addSeparator()
        own = session.people.person(face.person)
        if own is not None and len(own.tracks) > 1:
            add(self.tr("somebody else"), SplitPerson(person=own.id, tracks=(track,)))
        if own is None or not own.no_face:
            add(self.tr("no face"), MoveTracks(tracks=(track,), person=None))
        menu.addSeparator()
        for text, end in (
            (self.tr("Delete it in this frame: no face here"), frame),
            (self.tr("Delete it from here on"), last),
        ):
            action = menu.addAction(text)
            action.setEnabled(free)
            action.triggered.connect(partial(self.deleted.emit, face.track, frame, end))
        return menu

    def _correct(self, change: Correction, text: str) -> None:
        if self._context.session is not None:
            self._context.session.people.correct(change, text)
