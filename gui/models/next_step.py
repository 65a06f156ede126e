"""What comes next in a project, in words, and the page where it is done."""

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from faceswap.options import SIDES, Side
from gui.models.app_context import ProjectSession


@dataclass(frozen=True)
class NextStep:
    """The next step, empty if there is none; page: where; side: whose footage."""

    text: str
    page: str = ""
    side: Side | None = None


def next_step(session: ProjectSession) -> NextStep:
    """What comes next: extract a side, choose who is A and B where several are there, train."""
    for side in SIDES:
        if not session.side(side).crops:
            text = _tr("extract the faces of %1").replace("%1", side.upper())
            return NextStep(text, "footage", side)
    if session.runs():
        return NextStep("")
    pair = session.people.pair("main")
    for side in SIDES:
        there = session.people.of_side(side)
        if len(there) > 1 and (pair.a if side == "a" else pair.b) is None:
            text = _tr("choose who is A") if side == "a" else _tr("choose who is B")
            return NextStep(
                _tr("%1, of %2 people").replace("%1", text).replace("%2", str(len(there))), "people"
            )
    return NextStep(_tr("train"), "train")


def _tr(text: str) -> str:
    return QCoreApplication.translate("NextStep", text)
