"""People page: merge, split, name, ignore, no face, pairs; all of it with undo."""

from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot
from stand_in import Wait

from faceswap.preview.protocol import FrameFace, NamePerson
from gui.models.people import PeopleModel
from gui.pages.footage import FootagePage
from gui.pages.people import PeoplePage
from gui.window import Window


@pytest.fixture
def page(window: Window, project: Path, wait: Wait) -> PeoplePage:
    """The page showing three people: 1 in A's footage, 2 and 3 in B's."""
    window.context.open(project)
    window.go("people")
    made = window.page
    assert isinstance(made, PeoplePage)
    wait(lambda: made.grid.count() == 3)
    return made


def model(page: PeoplePage) -> PeopleModel:
    assert page.people is not None
    return page.people


def tracks(page: PeoplePage) -> dict[int, list[tuple[str, int]]]:
    """The tracks of each person."""
    return {one.id: [(t.source, t.track) for t in one.tracks] for one in model(page).people}


def drop_on(page: PeoplePage, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop the chosen people onto the person in place ``number``."""
    place = page.grid.visualItemRect(page.grid.item(number)).center()
    event = QDropEvent(
        QPointF(place),
        Qt.DropAction.CopyAction,
        QMimeData(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
        QEvent.Type.Drop,
    )
    page.grid.dropEvent(event)


def _has_people(page: PeoplePage, count: int) -> bool:
    return len(tracks(page)) == count


def _is_chosen(page: PeoplePage, side: str, number: int) -> bool:
    return bool(getattr(model(page).pair("main"), side) == number)


def test_a_dragged_person_is_merged_and_split_again(
    page: PeoplePage, wait: Wait, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tracks(page)
    assert before == {1: [("a", 0)], 2: [("b", 0)], 3: [("b", 1)]}
    page.grid.choose([3])
    drop_on(page, 1, monkeypatch)
    wait(lambda: tracks(page) == {1: [("a", 0)], 2: [("b", 0), ("b", 1)]})
    page.grid.choose([2])
    page.tracks.choose([("b", 1)])
    qtbot.mouseClick(page.split_button, Qt.MouseButton.LeftButton)
    wait(lambda: len(tracks(page)) == 3)
    for _ in range(2):
        qtbot.mouseClick(page.undo, Qt.MouseButton.LeftButton)
        wait(partial(_has_people, page, 2 if model(page).undo.index() else 3))
    assert tracks(page) == before
    assert not page.undo.isEnabled()
    qtbot.mouseClick(page.redo, Qt.MouseButton.LeftButton)
    wait(lambda: len(tracks(page)) == 2)


def test_a_person_is_named_by_double_click_and_ignored(
    page: PeoplePage, wait: Wait, qtbot: QtBot
) -> None:
    page.grid.choose([2])
    page.grid.itemDoubleClicked.emit(page.grid.item(1))
    qtbot.keyClicks(page.name_edit, "lead")
    qtbot.keyClick(page.name_edit, Qt.Key.Key_Return)
    wait(lambda: model(page).label(2) == "lead")
    assert page.grid.item(1).text().startswith("lead\n")
    page.ignore()
    wait(lambda: [one.id for one in model(page).people if one.ignored] == [2])
    assert page.ignore_button.text() == "Do not ignore"
    assert [one.id for one in model(page).of_side("b")] == [3]
    page.ignore()
    wait(lambda: not any(one.ignored for one in model(page).people))


def test_pairs_are_chosen_by_face_one_for_each_run(
    page: PeoplePage, wait: Wait, qtbot: QtBot
) -> None:
    page.pairs.faces["a"].click()
    assert "Choose a person on the left first" in page.pairs.explain.text()
    for number, side in ((1, "a"), (2, "b")):
        page.grid.choose([number])
        page.pairs.faces[side].click()  # type: ignore[index]
        wait(partial(_is_chosen, page, side, number))
    page.grid.choose([1])
    page.pairs.faces["b"].click()  # they change places: nobody is both
    wait(lambda: model(page).pair("main").b == 1)
    assert model(page).pair("main").a == 2
    page.pairs.run.setCurrentText("second")
    page.grid.choose([3])
    page.pairs.faces["a"].click()
    wait(lambda: model(page).pair("second").a == 3)
    assert [pair.run for pair in model(page).pairs] == ["main", "second"]
    assert page.pairs.list.isVisible()
    page.pairs.drop.click()
    wait(lambda: [pair.run for pair in model(page).pairs] == ["main"])


def test_a_person_is_dragged_onto_a_or_b(page: PeoplePage, wait: Wait) -> None:
    slot = page.pairs.faces["b"]
    page.grid.choose([1, 2])
    for chosen, number in (([1, 2], None), ([2], 2)):
        page.grid.choose(chosen)
        drag = _Drag(page.grid)
        slot.dragEnterEvent(drag)  # type: ignore[arg-type]
        assert drag.accepted is (number is not None)
        slot.dropEvent(drag)  # type: ignore[arg-type]
    wait(lambda: model(page).pair("main").b == 2)
    page.grid.choose([])
    assert "Without a choice" in page.pairs.explain.text()
    page.pairs.set_side("a", 1)
    wait(lambda: "Person 1 gets the face of person 2" in page.pairs.explain.text())


class _Drag:
    """What a widget is told of a drag from ``source``."""

    def __init__(self, source: object) -> None:
        self._source, self.accepted = source, False

    def source(self) -> object:
        return self._source

    def acceptProposedAction(self) -> None:  # noqa: N802
        self.accepted = True

    def ignore(self) -> None:
        """The source keeps what was dragged."""


def test_what_is_no_face_is_ignored(page: PeoplePage, wait: Wait) -> None:
    page.grid.choose([3])
    page.tracks.choose([("b", 1)])
    page.dismiss()
    wait(lambda: any(one.no_face and one.ignored for one in model(page).people))
    model(page).undo.undo()
    wait(lambda: not any(one.no_face for one in model(page).people))


def test_an_undo_that_came_too_late_is_told_and_loses_nothing(
    page: PeoplePage, window: Window, wait: Wait
) -> None:
    people = model(page)
    people.correct(NamePerson(person=1, name="one"), "name")
    wait(lambda: people.label(1) == "one")
    stale = people._answer
    people.correct(NamePerson(person=2, name="two"), "name")
    wait(lambda: people.label(2) == "two")
    people._answer = stale  # as if another program had named the second
    people.undo.undo()
    wait(lambda: "changed meanwhile" in window.banner.text)
    wait(lambda: people.label(2) == "two")
    assert people.undo.count() == 0


def test_a_merge_undone_after_training_is_told(
    page: PeoplePage, window: Window, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = window.context.session
    assert session is not None
    (run,) = session.runs()
    trained = run.model_copy(update={"options": {"person_a": "1", "person_b": "2"}})
    monkeypatch.setattr(session, "runs", lambda: [trained])
    page.merge_into([3], 2)
    wait(lambda: len(tracks(page)) == 2)
    page.undo.click()
    wait(lambda: len(tracks(page)) == 3)
    assert "trained on the people as they were grouped before" in window.banner.text
    assert "nothing of them is lost" in window.banner.text


def test_a_face_in_the_footage_is_said_to_be_somebody(
    page: PeoplePage, window: Window, wait: Wait
) -> None:
    window.go("footage")
    footage = window.page
    assert isinstance(footage, FootagePage)
    wait(lambda: bool(footage.canvas.faces))
    face = footage.canvas.faces[0]
    assert isinstance(face, FrameFace)
    assert face.person == 1
    menu = footage.menu.menu(footage.source, face, 0, 199)
    assert isinstance(menu, QMenu)
    texts = {action.text(): action for action in menu.actions()}
    assert not texts["person 1  ✓"].isEnabled()
    texts["person 2"].trigger()
    menu.deleteLater()
    wait(lambda: tracks(page) == {2: [("b", 0), ("a", 0)], 3: [("b", 1)]})
    wait(lambda: footage.canvas.faces[0].person == 2)
    model(page).undo.undo()
    wait(lambda: len(tracks(page)) == 3)


def test_in_a_read_only_project_nothing_can_be_corrected(page: PeoplePage, window: Window) -> None:
    session = window.context.session
    assert session is not None
    session.read_only = "It is read-only."
    page.on_show()
    page.grid.choose([1, 2])
    for button in (page.merge_button, page.ignore_button, page.split_button, page.undo):
        assert not button.isEnabled()
    page.grid.choose([1])
    assert not page.pairs.faces["a"].isEnabled()
