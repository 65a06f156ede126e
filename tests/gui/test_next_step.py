"""The header says what comes next, and goes there."""

from pathlib import Path

from stand_in import Wait

from faceswap.preview.protocol import ChoosePair, ProjectAnswer
from gui.models.app_context import ProjectSession
from gui.pages.footage import FootagePage
from gui.window import Window


def test_the_next_step_is_told_until_a_run_is_trained(
    window: Window, project: Path, wait: Wait
) -> None:
    window.context.open(project)
    session = window.context.session
    assert session is not None
    wait(lambda: session.info is not None and session.people.people)
    assert (window._state.text(), window._next.text()) == ("run main: 100 steps", "")
    info = session.info
    assert info is not None
    _show(session, info.model_copy(update={"runs": ()}))
    assert (window._state.text(), window._next.text()) == (
        "next step:", "choose who is B, of 2 people"
    )  # fmt: skip
    window._next.click()
    assert window.page.name == "people"
    session.people.correct(ChoosePair(run="main", a=1, b=2), "pair")
    wait(lambda: window._next.text() == "train")
    window._next.click()
    assert window.page.name == "train"
    nothing = info.b.model_copy(update={"crops": 0})
    _show(session, info.model_copy(update={"runs": (), "b": nothing}))
    assert window._next.text() == "extract the faces of B"
    window._next.click()
    page = window.page
    assert isinstance(page, FootagePage)
    assert page.side == "b"


def _show(session: ProjectSession, info: ProjectAnswer) -> None:
    """As if the project were in this state."""
    session.info = info
    session.changed.emit()
