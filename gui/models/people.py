"""The people of the open project, and their corrections with undo."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from faceswap.preview.protocol import (
    Correction,
    CorrectPeopleRequest,
    PairState,
    PeopleAnswer,
    PeopleRequest,
    PersonState,
    Undo,
)
from gui.ipc.rpc_client import RpcClient

_NOBODY = PeopleAnswer(people=(), pairs=(), decided="")


class _Corrected(QUndoCommand):
    """A correction that was made: what was decided before it and after it."""

    def __init__(self, people: "PeopleModel", text: str, before: str, after: str) -> None:
        super().__init__(text)
        self._people, self._before, self._after = people, before, after
        self._made = True

    def redo(self) -> None:
        if self._made:
            self._made = False  # pushing it runs this, and it is made already
            return
        self._people.go_to(self._after)

    def undo(self) -> None:
        self._people.go_to(self._before)


class PeopleModel(QObject):
    """The people and pairs of a project.

    changed: they were read again. failed: a correction was refused, with a sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, rpc: RpcClient, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rpc = rpc
        self._answer = _NOBODY
        self.undo = QUndoStack(self)

    @property
    def people(self) -> tuple[PersonState, ...]:
        """All people, the one longest on screen first."""
        return self._answer.people

    @property
    def pairs(self) -> tuple[PairState, ...]:
        """Who is A and who is B, by run."""
        return self._answer.pairs

    def person(self, number: int | None) -> PersonState | None:
        """The person with this number."""
        return next((one for one in self.people if one.id == number), None)

    def label(self, number: int | None) -> str:
        """The name of a person, or its number in words."""
        known = self.person(number)
        if known is not None and known.name:
            return known.name
        return self.tr("person %1").replace("%1", str(number))

    def label_of(self, person: PersonState) -> str:
        """The name of a person, or its number in words."""
        return self.label(person.id)

    def pair(self, run: str) -> PairState:
        """Who is A and who is B in a run; nobody where it was not chosen."""
        found = (pair for pair in self.pairs if pair.run == run)
        return next(found, PairState(run=run, a=None, b=None))

    def shown_in(self, source: str) -> list[PersonState]:
        """The people in a source, without what is no face."""
        return [
            one
            for one in self.people
            if not one.no_face and any(track.source == source for track in one.tracks)
        ]

    def of_side(self, side: str) -> list[PersonState]:
        """The people who are not ignored in the sources of a side, longest on screen first."""
        return [one for one in self.people if side in one.sides and not one.ignored]

    def of_tracks(self) -> dict[tuple[str, int], int]:
        """The person of each track, by source and number."""
        return {(t.source, t.track): one.id for one in self.people for t in one.tracks}

    def refresh(self) -> None:
        """Read the people again."""
        self._rpc.send(PeopleRequest(), self._read, on_error=self._refused, channel="people")

    def correct(
        self, change: Correction, text: str, done: Callable[[], None] = lambda: None
    ) -> None:
        """Make a correction that can be undone; ``text`` names it there. done: after success."""
        before = self._answer.decided

        def made(answer: PeopleAnswer) -> None:
            if answer.decided != before:
                self.undo.push(_Corrected(self, text, before, answer.decided))
            self._read(answer)
            done()

        self._rpc.send(CorrectPeopleRequest(correction=change), made, on_error=self._refused)

    def go_to(self, decided: str) -> None:
        """Go to what was decided before or after a correction."""
        change = Undo(decided=decided, expected=self._answer.decided)

        def refused(sentence: str) -> None:
            self.undo.clear()
            self._refused(sentence)
            self.refresh()

        self._rpc.send(CorrectPeopleRequest(correction=change), self._read, on_error=refused)

    def _read(self, answer: PeopleAnswer) -> None:
        if answer != self._answer:
            self._answer = answer
            self.changed.emit()

    def _refused(self, sentence: str) -> None:
        self.failed.emit(sentence)
