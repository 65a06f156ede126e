"""On a full disk every page says so, and shows what is still there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from stand_in import Wait

from faceswap.preview.protocol import ChoosePair, NamePerson
from gui.models.people import PeopleModel
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.window import Window


@pytest.fixture
def full(window: Window, project: Path, wait: Wait) -> Window:
    """The window with a project whose disk is full."""
    window.context.open(project)
    session = window.context.session
    assert session is not None
    wait(lambda: session.info is not None and session.people.people)
    (project / "full disk").write_text("")
    return window


def _is_told(window: Window, wait: Wait, act: Callable[[], object]) -> None:
    window.banner.hide()
    act()
    wait(lambda: window.banner.isVisible() and "No space left on device" in window.banner.text)


def _people(window: Window) -> PeopleModel:
    assert window.context.session is not None
    return window.context.session.people


def test_of_people(full: Window, wait: Wait) -> None:
    people = _people(full)
    before = people._answer
    for change in (NamePerson(person=1, name="one"), ChoosePair(run="main", a=1, b=2)):
        _is_told(full, wait, partial(people.correct, change, "change"))
    assert people._answer == before
    assert people.undo.count() == 0


def test_of_footage(full: Window, wait: Wait, tmp_path: Path) -> None:
    full.go("footage")
    page = full.page
    assert isinstance(page, FootagePage)
    wait(lambda: page.source == "a" and page.hand.draw.isEnabled())
    (tmp_path / "one.mp4").write_text("")
    _is_told(full, wait, lambda: page.add([tmp_path / "one.mp4"]))
    page.timeline.set_frame(50)
    _is_told(full, wait, lambda: page.trim(True))
    _is_told(full, wait, lambda: page.hand.delete(0, 3, 3))
    assert full.context.session is not None
    full.context.session.refresh()
    wait(lambda: full.context.session is not None and not full.context.session.rpc.busy)
    (source,) = full.context.session.sources("a")
    assert (source.in_point, source.by_hand) == (None, 0)


def test_of_faces(full: Window, wait: Wait) -> None:
    full.go("faces")
    page = full.page
    assert isinstance(page, FacesPage)
    wait(lambda: len(page.table.names) == 10)
    page.grid.select_all()
    _is_told(full, wait, page.exclude)
    assert not page.table.excluded.any()
    assert len(list(page.table.parts[0].folder.glob("*.png"))) == 10
