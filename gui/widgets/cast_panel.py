"""Who a conversion changes, and by what: a face and a choice for each person in the source."""

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QLabel

from faceswap.preview.protocol import RunState, SwapPlanAnswer
from gui.models.people import PeopleModel
from gui.widgets import theme
from gui.widgets.elements import column, label
from gui.widgets.face_icons import FaceIcons, face_icon
from gui.widgets.person_picker import SHORT, crop_of
from gui.widgets.theme import GAP

_FACE = 40
_MOST = 12
"""People that are listed, those longest on screen; the others stay as they were filmed."""


class CastPanel(QFrame):
    """The people of a source, each with the run that changes it or none.

    changed: the user chose otherwise.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._icons = FaceIcons(_FACE, self)
        self._icons.loaded.connect(lambda _: self._draw())
        self._faces: dict[int, QLabel] = {}
        self.choices: dict[int, QComboBox] = {}
        self._model: PeopleModel | None = None
        self._runs: Mapping[str, str] = {}
        self.is_chosen = False
        self.grid = QGridLayout()
        self.grid.setSpacing(GAP)
        self.grid.setColumnStretch(1, 1)
        self.summary = label("", "", wrap=True)
        self.notices = label("", "warn", wrap=True)
        self.setLayout(column(self.grid, self.summary, self.notices))

    def casting(self) -> tuple[str, ...]:
        """PERSON=RUN of everyone who is changed, as it is shown."""
        return tuple(
            f"{person}={choice.currentData()}"
            for person, choice in self.choices.items()
            if choice.currentData()
        )

    @property
    def nobody(self) -> bool:
        """Whether everyone stays as filmed."""
        return bool(self.choices) and not self.casting()

    def chosen(self) -> tuple[str, ...]:
        """The casting where it was chosen by hand; empty otherwise."""
        return self.casting() if self.is_chosen else ()

    def reset(self) -> None:
        """Forget all choices."""
        self.is_chosen = False
        self._rebuild([])

    def show_plan(self, plan: SwapPlanAnswer, model: PeopleModel, runs: list[RunState]) -> None:
        """Show who is changed by what; choices made by hand stay."""
        self._model = model
        self._runs = {run.name: self._face_of(run, model) for run in runs}
        people = [one for one in plan.people if self._is_shown(one.person)][:_MOST]
        numbers = [one.person for one in people]
        if list(self.choices) != numbers:
            self._rebuild(numbers)
            self.is_chosen = False
        for one in people:
            self._fill(one.person, one.run)
        self.notices.setText(" ".join(plan.notices))
        self.notices.setVisible(bool(plan.notices))
        self._explain()
        self._draw()

    def show_problem(self, sentence: str) -> None:
        """Show why the choice is not possible."""
        self.notices.setText(sentence)
        self.notices.setVisible(True)

    def stop_loading(self) -> None:
        """Read no further pictures."""
        self._icons.stop()

    def _is_shown(self, number: int) -> bool:
        person = self._model.person(number) if self._model is not None else None
        return person is None or not person.no_face

    def _face_of(self, run: RunState, model: PeopleModel) -> str:
        """Whose face a run puts on, by name."""
        number = run.options.get("person_b") or model.pair(run.name).b
        if number is None:
            of_b = model.of_side("b")
            number = of_b[0].id if len(of_b) == 1 else None
        return "B" if number is None else model.label(int(str(number)))

    def _rebuild(self, numbers: list[int]) -> None:
        for widget in (*self._faces.values(), *self.choices.values()):
            self.grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._faces, self.choices = {}, {}
        for line, number in enumerate(numbers):
            face, choice = label(), QComboBox()
            face.setFixedSize(_FACE, _FACE)
            choice.activated.connect(lambda _: self._choose())
            choice.setSizeAdjustPolicy(SHORT)
            choice.setMinimumContentsLength(8)
            self._faces[number], self.choices[number] = face, choice
            self.grid.addWidget(face, line, 0)
            self.grid.addWidget(choice, line, 1)

    def _fill(self, number: int, run: str | None) -> None:
        """Fill the choice of a person; keep what was chosen."""
        assert self._model is not None
        choice, name = self.choices[number], self._model.label(number)
        chosen = choice.currentData() if self.is_chosen else run
        choice.blockSignals(True)
        choice.clear()
        choice.addItem(self.tr("%1: stays as filmed").replace("%1", name), "")
        for known, face in self._runs.items():
            text = self.tr("%1: face of %2 (%3)").replace("%1", name)
            choice.addItem(text.replace("%2", face).replace("%3", known), known)
        choice.setCurrentIndex(max(0, choice.findData(chosen or "")))
        choice.setAccessibleName(self.tr("What happens to %1").replace("%1", name))
        choice.blockSignals(False)

    def _choose(self) -> None:
        self.is_chosen = True
        self._explain()
        self._draw()
        self.changed.emit()

    def _explain(self) -> None:
        assert self._model is not None
        changed = [n for n, choice in self.choices.items() if choice.currentData()]
        others = len(self.choices) - len(changed)
        if not self.choices:
            message = self.tr("Nobody was found in this footage yet.")
        elif not changed:
            message = self.tr("Nobody is changed: choose a run for somebody above.")
        else:
            names = ", ".join(self._model.label(number) for number in changed)
            message = self.tr("Changed: %1.").replace("%1", names)
            if others == 1:
                message += " " + self.tr("Another one stays as filmed.")
            elif others:
                message += " " + self.tr("%1 others stay as filmed.").replace("%1", str(others))
        self.summary.setText(message)

    def _draw(self) -> None:
        if self._model is None:
            return
        for number, face in self._faces.items():
            picture = self._icons.picture(crop_of(self._model.person(number)))
            pale = not self.choices[number].currentData()
            icon = face_icon(picture, _FACE, theme.face_color(0, number), pale=pale)
            face.setPixmap(icon.pixmap(_FACE, _FACE))
