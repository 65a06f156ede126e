"""People page: faces grouped by person; merge, split, name, ignore; who is A and who is B."""

from PySide6.QtWidgets import QLayout, QLineEdit, QWidget

from faceswap.preview.protocol import (
    IgnorePeople,
    MergePeople,
    MoveTracks,
    NamePerson,
    PersonState,
    SplitPerson,
    TrackName,
)
from gui.models.app_context import AppContext
from gui.models.people import PeopleModel
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.pair_panel import PairPanel
from gui.widgets.person_grid import PersonGrid, TrackGrid
from gui.widgets.theme import GAP


class PeoplePage(Page):
    """A grid of all people, and what is known and decided of the chosen one."""

    name = "people"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.grid = PersonGrid()
        self.tracks = TrackGrid()
        self.pairs = PairPanel()
        self.name_edit = QLineEdit()
        self.hint = label("", "muted", wrap=True)
        self._build()
        self.grid.itemSelectionChanged.connect(self._chosen)
        self.grid.merged.connect(self.merge_into)
        self.grid.itemDoubleClicked.connect(lambda _: self._edit_name())
        self.tracks.itemSelectionChanged.connect(self._update_buttons)
        self.tracks.itemDoubleClicked.connect(lambda _: self._show_in_footage())

    @property
    def people(self) -> PeopleModel | None:
        """The people of the open project."""
        return self.session.people if self.session is not None else None

    def merge_into(self, numbers: list[int], goal: int) -> None:
        """Make people one with ``goal``, who keeps the number."""
        if self.people is not None and self.writable:
            others = tuple(number for number in numbers if number != goal)
            names = ", ".join(self.people.label(number) for number in (goal, *others))
            text = self.tr("merge %1").replace("%1", names)
            self.people.correct(MergePeople(people=(goal, *others)), text, self._warn_of_runs)
            self.grid.choose([goal])

    def merge(self) -> None:
        """Make the chosen people one: the one longest on screen."""
        first, *others = self.grid.chosen()
        self.merge_into(others, first)

    def split(self) -> None:
        """Make another person of the chosen tracks."""
        person = self._person()
        if person is not None and self.people is not None:
            text = self.tr("split %1").replace("%1", self.people.label(person.id))
            self.people.correct(SplitPerson(person=person.id, tracks=self._names()), text)

    def dismiss(self) -> None:
        """Say that the chosen tracks show no face."""
        if self.people is not None and self._names():
            change = MoveTracks(tracks=self._names(), person=None)
            self.people.correct(change, self.tr("no face"))

    def ignore(self) -> None:
        """Ignore the chosen people, or no longer if all of them are ignored."""
        chosen = self._people()
        if self.people is None or not chosen:
            return
        ignored = not all(one.ignored for one in chosen)
        numbers = tuple(one.id for one in chosen)
        text = self.tr("ignore") if ignored else self.tr("do not ignore")
        self.people.correct(IgnorePeople(people=numbers, ignored=ignored), text)

    def rename(self) -> None:
        """Give the chosen person the name that was typed."""
        person, name = self._person(), self.name_edit.text().strip()
        if person is not None and self.people is not None and name != person.name:
            text = self.tr("name %1").replace("%1", name or str(person.id))
            self.people.correct(NamePerson(person=person.id, name=name), text)

    def on_project_changed(self) -> None:
        self.grid.show_people((), {})
        self.tracks.show_tracks(())
        if self.session is not None:
            self.session.people.changed.connect(self._show)
            self.session.people.undo.indexChanged.connect(self._update_buttons)

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._show()

    def on_show(self) -> None:
        self._show()
        self.grid.setFocus()

    def on_leave(self) -> None:
        for icons in (self.grid.icons, self.tracks.icons):
            icons.stop()
        self.pairs.stop_loading()

    def on_theme_changed(self) -> None:
        self._show()
        self.grid.redraw()
        self.tracks.redraw()

    @property
    def is_ready(self) -> bool:
        return not self.grid.icons.busy and not self.tracks.icons.busy

    def _build(self) -> None:
        self.undo = button(self.tr("Undo"), self._undo, "", "Ctrl+Z")
        self.redo = button(self.tr("Redo"), self._redo, "", "Ctrl+Shift+Z")
        self.body.addLayout(
            row(label(self.tr("People"), "title"), None, self.undo, self.redo, gap=GAP)
        )
        self.body.addWidget(self.hint)
        left = column(self.grid, self._actions())
        left.setStretch(0, 1)
        panel = elements.side_panel(376, self.pairs, self._person_card())
        self.body.addLayout(row(elements.widget_of(left), panel, gap=3 * GAP), 1)

    def _actions(self) -> QLayout:
        tip = self.tr("Make the chosen people one; or drag one onto another")
        self.merge_button = button(self.tr("Merge"), self.merge, "", "Ctrl+M", tip)
        tip = self.tr("A poster, extras, a reflection: not trained on and not swapped")
        self.ignore_button = button(self.tr("Ignore"), self.ignore, "", "Del", tip)
        return row(self.merge_button, self.ignore_button, None)

    def _person_card(self) -> QWidget:
        self.about = label("", "muted", wrap=True)
        self.name_edit.setAccessibleName(self.tr("Name of the person"))
        self.name_edit.setPlaceholderText(self.tr("Name"))
        self.name_edit.editingFinished.connect(self.rename)
        tip = self.tr("The chosen faces are somebody else")
        self.split_button = button(self.tr("Split off"), self.split, "", "Ctrl+Shift+X", tip)
        tip = self.tr("The chosen faces are no faces: ignored, and so is what looks like them")
        self.no_face = button(self.tr("No face"), self.dismiss, "", "", tip)
        self.footage = button(self.tr("Show in footage"), self._show_in_footage, "", "Ctrl+Return")
        self.tracks.setMinimumHeight(22 * GAP)
        self.card = card(
            self.name_edit,
            self.about,
            self.tracks,
            row(self.split_button, self.no_face, None, self.footage),
        )
        return self.card

    def _show(self) -> None:
        people, session = self.people, self.session
        if people is None or session is None or not self.isVisible():
            return
        pair = self.pairs.pair
        badges = {who: side for side, who in (("A", pair.a), ("B", pair.b)) if who is not None}
        self.grid.show_people(people.people, badges)
        self.pairs.show_pairs(people, [run.name for run in session.runs()], self.writable)
        if people.people:
            message = self.tr(
                "Choose a person, and press A or B on the right, or drag it there. Drag one person "
                "onto another where both are the same; double click to name."
            )
        else:
            message = self.tr("There are no people yet: extract faces on the Footage page first.")
        self.hint.setText(message)
        self._chosen()

    def _chosen(self) -> None:
        person, chosen = self._person(), self._people()
        self.card.setVisible(person is not None)
        self.pairs.choose(person.id if person is not None and not person.no_face else None)
        if person is not None:
            self.name_edit.setText(person.name)
            self.name_edit.setEnabled(self.writable)
            message = self.tr("%1 faces, %2 s on screen. Choose faces of somebody else to split.")
            message = message.replace("%1", f"{person.faces:,}")
            self.about.setText(message.replace("%2", f"{person.seconds:.1f}"))
            self.tracks.show_tracks(person.tracks)
        everyone = bool(chosen) and all(one.ignored for one in chosen)
        self.ignore_button.setText(self.tr("Do not ignore") if everyone else self.tr("Ignore"))
        self._update_buttons()

    def _update_buttons(self) -> None:
        chosen, marked, people = self._people(), self._names(), self.people
        person = self._person()
        whole = person is not None and len(marked) == len(person.tracks)
        self.merge_button.setEnabled(self.writable and len(chosen) > 1)
        self.ignore_button.setEnabled(self.writable and bool(chosen))
        self.split_button.setEnabled(self.writable and bool(marked) and not whole)
        self.no_face.setEnabled(self.writable and bool(marked))
        self.footage.setEnabled(bool(marked))
        undo = people.undo if people is not None else None
        self.undo.setEnabled(self.writable and undo is not None and undo.canUndo())
        self.redo.setEnabled(self.writable and undo is not None and undo.canRedo())
        if undo is not None:
            self.undo.setToolTip(f"{undo.undoText()} (Ctrl+Z)")
            self.redo.setToolTip(f"{undo.redoText()} (Ctrl+Shift+Z)")

    def _people(self) -> list[PersonState]:
        """The chosen people."""
        people = self.people
        found = [people.person(number) for number in self.grid.chosen()] if people else []
        return [one for one in found if one is not None]

    def _person(self) -> PersonState | None:
        chosen = self._people()
        return chosen[0] if len(chosen) == 1 else None

    def _names(self) -> tuple[TrackName, ...]:
        return tuple(TrackName(source=s, track=n) for s, n in self.tracks.chosen())

    def _edit_name(self) -> None:
        if self.card.isVisible():
            self.name_edit.setFocus()
            self.name_edit.selectAll()

    def _show_in_footage(self) -> None:
        person, names = self._person(), self.tracks.chosen()
        for track in person.tracks if person is not None and names else ():
            if (track.source, track.track) == names[0]:
                self.context.show_frame.emit(track.source, track.first + track.faces // 2)

    def _undo(self) -> None:
        if self.people is not None and self.writable:
            self.people.undo.undo()
            self._warn_of_runs()

    def _redo(self) -> None:
        if self.people is not None and self.writable:
            self.people.undo.redo()

    def _warn_of_runs(self) -> None:
        """Runs keep what they have learned of people who were grouped otherwise."""
        session = self.session
        chosen = [
            run.name
            for run in (session.runs() if session is not None else [])
            if run.options.get("person_a") or run.options.get("person_b")
        ]
        if chosen:
            message = self.tr(
                "The runs %1 were trained on the people as they were grouped before; nothing of "
                "them is lost, and training them further uses the new groups."
            )
            self.context.notice.emit(message.replace("%1", ", ".join(chosen)), "warn")
