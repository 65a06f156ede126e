"""Grids of faces: all people, and the tracks of one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QListWidget, QListWidgetItem

from faceswap.preview.protocol import PersonState, PersonTrack
from gui.widgets import theme
from gui.widgets.face_icons import FaceIcons, face_icon
from gui.widgets.person_picker import crop_of
from gui.widgets.theme import GAP

_LINE = 18
"""Pixels of a line of text."""

KeyT = TypeVar("KeyT")


class _FaceGrid(QListWidget, Generic[KeyT]):
    """Faces with a text below each, several of which can be selected."""

    def __init__(self, size: int, lines: int, name: str) -> None:
        super().__init__()
        self.icons = FaceIcons(size, self)
        self.icons.loaded.connect(self._loaded)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setIconSize(QSize(size, size))
        self.setGridSize(QSize(size + 3 * GAP, size + lines * _LINE + 2 * GAP))
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setUniformItemSizes(True)
        self.setObjectName("grid")
        self.setAccessibleName(name)
        self._keys: list[KeyT] = []
        self._crops: list[Path | None] = []

    def chosen(self) -> list[KeyT]:
        """The keys of the selected faces, in their order."""
        return [self._keys[self.row(item)] for item in self.selectedItems()]

    def choose(self, keys: Sequence[KeyT]) -> None:
        """Select the faces with these keys."""
        for number, key in enumerate(self._keys):
            self.item(number).setSelected(key in keys)

    def fill(self, faces: Sequence[tuple[KeyT, Path | None, str, str]]) -> None:
        """Show faces by (key, crop, text, tool tip); those with known keys stay selected."""
        before = self.chosen()
        self.blockSignals(True)
        self.clear()
        self._keys = [key for key, *_ in faces]
        self._crops = [crop for _, crop, *_ in faces]
        for number, (_, _, text, tip) in enumerate(faces):
            item = QListWidgetItem(text)
            item.setToolTip(tip)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
            self.addItem(item)
            self._draw(number)
        self.choose(before)
        self.blockSignals(False)

    def style_of(self, key: KeyT) -> tuple[str, str, bool]:
        """Color of the frame, badge, and whether a face is pale."""
        return "", "", False

    def redraw(self) -> None:
        """Draw all icons again, as after a change of the theme."""
        for number in range(len(self._keys)):
            self._draw(number)

    def _draw(self, number: int) -> None:
        picture = self.icons.picture(self._crops[number])
        color, badge, pale = self.style_of(self._keys[number])
        self.item(number).setIcon(face_icon(picture, self.icons.size, color, badge, pale))

    def _loaded(self, path: Path) -> None:
        for number, crop in enumerate(self._crops):
            if crop == path:
                self._draw(number)


def dragged_person(event: QDropEvent) -> int | None:
    """Number of the person that is dragged, if it is just one."""
    grid = event.source()
    chosen = grid.chosen() if isinstance(grid, PersonGrid) else []
    return chosen[0] if len(chosen) == 1 else None


class PersonGrid(_FaceGrid[int]):
    """All people. merged: people were dragged onto another one, who is the second argument."""

    merged = Signal(object, int)

    def __init__(self) -> None:
        super().__init__(104, 2, "")
        self.setAccessibleName(self.tr("People"))
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self._styles: Mapping[int, tuple[str, str, bool]] = {}

    def show_people(self, people: Sequence[PersonState], badges: Mapping[int, str]) -> None:
        """Show ``people``; badges: A, B or A B by the number of those who are."""
        self._styles = {
            one.id: (theme.face_color(0, one.id), badges.get(one.id, ""), one.ignored)
            for one in people
        }
        self.fill([(one.id, crop_of(one), self._text(one), self._tip(one)) for one in people])

    def style_of(self, key: int) -> tuple[str, str, bool]:
        return self._styles[key]

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.source() is self:
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        goal = self.itemAt(event.position().toPoint())
        if event.source() is self and goal is not None and not goal.isSelected():
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        goal = self.itemAt(event.position().toPoint())
        if goal is not None and not goal.isSelected() and self.chosen():
            self.merged.emit(self.chosen(), self._keys[self.row(goal)])
        event.ignore()  # nothing is moved by the list itself

    def _text(self, person: PersonState) -> str:
        name = person.name or self.tr("person %1").replace("%1", str(person.id))
        if person.ignored:
            return f"{name}\n{self.tr('ignored')}"
        message = self.tr("%1 s in %2") if person.sides else self.tr("%1 s")
        message = message.replace("%1", f"{person.seconds:.1f}")
        return f"{name}\n{message.replace('%2', ' + '.join(person.sides.upper()))}"

    def _tip(self, person: PersonState) -> str:
        message = self.tr("%1 faces on %2 tracks. Drag onto another to merge, double click to name")
        message = message.replace("%1", f"{person.faces:,}")
        return message.replace("%2", f"{len(person.tracks):,}")


class TrackGrid(_FaceGrid[tuple[str, int]]):
    """The tracks of a person, the longest first."""

    MOST = 400
    """Tracks that are shown."""

    def __init__(self) -> None:
        super().__init__(72, 1, "")
        self.setAccessibleName(self.tr("Tracks of the person"))

    def show_tracks(self, tracks: Sequence[PersonTrack]) -> None:
        """Show ``tracks``."""
        self.fill(
            [
                (
                    (one.source, one.track),
                    one.crop,
                    f"{one.source.upper()}  {one.seconds:.1f} s",
                    self.tr("Track %1 of %2, from frame %3")
                    .replace("%1", str(one.track))
                    .replace("%2", one.source.upper())
                    .replace("%3", f"{one.first:,}"),
                )
                for one in tracks[: self.MOST]
            ]
        )
