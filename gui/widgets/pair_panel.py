"""Who is A and who is B: the pairs of a project, each trained as a run of its own."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QFrame, QListWidget, QListWidgetItem, QToolButton

from faceswap.options import SIDES, Side
from faceswap.preview.protocol import ChoosePair, DropPair, PairState
from gui.models.people import PeopleModel
from gui.widgets import elements, theme
from gui.widgets.elements import button, label, row
from gui.widgets.face_icons import FaceIcons, face_icon
from gui.widgets.person_grid import dragged_person
from gui.widgets.theme import GAP

_FACE = 72


class FaceSlot(QToolButton):
    """A face that is set by pressing it or by dropping a person of the grid on it.

    dropped: a person was dropped, by number.
    """

    dropped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("face")
        self.setAcceptDrops(True)
        self.setIconSize(elements.square(_FACE))
        self.setToolButtonStyle(elements.TEXT_BELOW)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if dragged_person(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        person = dragged_person(event)
        if person is not None:
            self.dropped.emit(person)
        event.ignore()  # the grid keeps the person


class PairPanel(QFrame):
    """The chosen pair as two faces, which are set to the person chosen in the grid.

    chosen: another run was chosen, by its name.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.people: PeopleModel | None = None
        self.person: int | None = None
        self._writable = False
        self._icons = FaceIcons(_FACE, self)
        self._icons.loaded.connect(lambda _: self._draw())
        self.run = QComboBox()
        self.run.setEditable(True)
        self.run.setAccessibleName(self.tr("Training run"))
        self.run.setToolTip(self.tr("Each pair is a training run; type a new name for another one"))
        self.run.currentTextChanged.connect(lambda name: self._run_chosen(name))
        self.faces: dict[Side, FaceSlot] = {side: self._slot(side) for side in SIDES}
        self.explain = label("", "small", wrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Pairs"))
        self.list.setFixedHeight(10 * GAP)
        self.list.itemClicked.connect(
            lambda item: self.run.setCurrentText(item.text().split(":")[0])
        )
        self.drop = button(self.tr("Forget this pair"), self._drop, "link")
        name = label(self.tr("Run"))
        name.setBuddy(self.run)
        box = elements.column(
            label(self.tr("Who is A, who is B"), "heading"),
            row(*self.faces.values(), None),
            self.explain,
            row(name, self.run, self.drop),
            self.list,
        )
        box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        self.setLayout(box)

    @property
    def pair(self) -> PairState:
        """Who is A and who is B in the chosen run."""
        name = self.run.currentText().strip() or "main"
        return self.people.pair(name) if self.people else PairState(run=name, a=None, b=None)

    def show_pairs(self, people: PeopleModel, runs: list[str], writable: bool) -> None:
        """Show the pairs of a project and the ``runs`` that it has."""
        self.people, self._writable = people, writable
        names = list(dict.fromkeys([*(pair.run for pair in people.pairs), *runs])) or ["main"]
        current = self.run.currentText().strip() or names[0]
        self.run.blockSignals(True)
        self.run.clear()
        self.run.addItems(names)
        self.run.setCurrentText(current)
        self.run.blockSignals(False)
        self.list.blockSignals(True)
        self.list.clear()
        for pair in people.pairs:
            self.list.addItem(QListWidgetItem(f"{pair.run}: {self._words(pair)}"))
        self.list.blockSignals(False)
        self.list.setVisible(len(people.pairs) > 1)
        self._draw()

    def choose(self, person: int | None) -> None:
        """The person that the faces are set to when pressed."""
        self.person = person
        self._draw()

    def set_side(self, side: Side, person: int | None = None) -> None:
        """Make a person, or the one chosen in the grid, A or B of the run."""
        who = self.person if person is None else person
        if self.people is None or who is None:
            return
        pair = self.pair
        a, b = (who if side == which else getattr(pair, which) for which in SIDES)
        if a == b:  # they change places: nobody is both
            a, b = (who, pair.a) if side == "a" else (pair.b, who)
        text = self.tr("%1 is %2").replace("%1", self.people.label(who))
        self.people.correct(ChoosePair(run=pair.run, a=a, b=b), text.replace("%2", side.upper()))

    def stop_loading(self) -> None:
        """Read no further pictures."""
        self._icons.stop()

    def _slot(self, side: Side) -> FaceSlot:
        made = FaceSlot()
        made.clicked.connect(lambda: self._pressed(side))
        made.dropped.connect(lambda person: self.set_side(side, person))
        return made

    def _pressed(self, side: Side) -> None:
        if self.person is None:
            self.explain.setText(self.tr("Choose a person on the left first, or drag one here."))
        else:
            self.set_side(side)

    def _words(self, pair: PairState) -> str:
        assert self.people is not None
        anyone = self.tr("anyone")
        a, b = (anyone if who is None else self.people.label(who) for who in (pair.a, pair.b))
        return self.tr("%1 gets the face of %2").replace("%1", a).replace("%2", b)

    def _draw(self) -> None:
        people = self.people
        if people is None:
            return
        pair = self.pair
        titles: dict[Side, str] = {"a": self.tr("A: is changed"), "b": self.tr("B: is put on")}
        for side, slot in self.faces.items():
            number = pair.a if side == "a" else pair.b
            person = people.person(number)
            crops = [track.crop for track in person.tracks if track.crop] if person else []
            picture = self._icons.picture(crops[0] if crops else None)
            color = theme.current().a if side == "a" else theme.current().b
            slot.setIcon(face_icon(picture, _FACE, color))
            who = self.tr("choose") if number is None else people.label(number)
            slot.setText(f"{titles[side]}\n{who}")
            slot.setAccessibleName(f"{titles[side]}: {who}")
            slot.setEnabled(self._writable)
        if self.person is None and None in (pair.a, pair.b):
            message = self.tr(
                "Choose a person, then press A or B; or drag one here. Without a choice it is "
                "whoever is longest on screen."
            )
            self.explain.setText(message)
        elif self.person is None:
            message = self.tr("%1. Choose another person to change that.")
            words = self._words(pair)
            self.explain.setText(message.replace("%1", f"{words[:1].upper()}{words[1:]}"))
        else:
            message = self.tr("Press A or B to make it %1.")
            self.explain.setText(message.replace("%1", people.label(self.person)))
        self.drop.setEnabled(self._writable and pair in people.pairs)

    def _drop(self) -> None:
        if self.people is not None:
            pair = self.pair
            text = self.tr("forget the pair %1").replace("%1", pair.run)
            self.people.correct(DropPair(run=pair.run), text)

    def _choose_row(self, number: int) -> None:
        if self.people is not None and 0 <= number < len(self.people.pairs):
            self.run.setCurrentText(self.people.pairs[number].run)

    def _run_chosen(self, name: str) -> None:
        self._draw()
        self.chosen.emit(name)
