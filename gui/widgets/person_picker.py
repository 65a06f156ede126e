"""Choose a person of a side by face."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox

from faceswap.preview.protocol import PersonState
from gui.models.people import PeopleModel
from gui.widgets import elements, theme
from gui.widgets.face_icons import FaceIcons, face_icon

_FACE = 32
SHORT = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
"""Of a list whose entries may be longer than there is room for."""


def crop_of(person: PersonState | None) -> Path | None:
    """A crop of a person, from the longest track that has one."""
    tracks = person.tracks if person is not None else ()
    return next((track.crop for track in tracks if track.crop is not None), None)


class PersonPicker(QComboBox):
    """The people of a side with their faces, and the one longest on screen as the default.

    chosen: the user chose another one.
    """

    chosen = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setIconSize(elements.square(_FACE))
        self.setSizeAdjustPolicy(SHORT)
        self.setMinimumContentsLength(8)
        self._icons = FaceIcons(_FACE, self)
        self._icons.loaded.connect(lambda _: self._draw())
        self._people: Sequence[PersonState] = ()
        self.activated.connect(lambda _: self.chosen.emit())

    def show_people(
        self, model: PeopleModel, people: Sequence[PersonState], chosen: int | None
    ) -> None:
        """Show ``people``, of whom one is ``chosen``."""
        self._people = people
        self.blockSignals(True)
        self.clear()
        longest = model.label(people[0].id) if people else ""
        default = self.tr("%1 (longest)").replace("%1", longest)
        self.addItem(default if people else self.tr("nobody yet"), None)
        for one in people:
            self.addItem(model.label(one.id), one.id)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(False)
        self._draw()

    def person(self) -> int | None:
        """Number of the chosen person; None for the default."""
        number = self.currentData()
        return number if isinstance(number, int) else None

    def stop_loading(self) -> None:
        """Read no further pictures."""
        self._icons.stop()

    def _draw(self) -> None:
        for place, one in enumerate(self._people):
            icon = face_icon(self._icons.picture(crop_of(one)), _FACE, theme.face_color(0, one.id))
            self.setItemIcon(place + 1, icon)
            if place == 0:
                self.setItemIcon(0, icon)
