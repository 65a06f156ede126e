"""The people that the fake preview server knows: kept in memory, corrected as the real ones are."""

import json
from pathlib import Path
from typing import Any

from faceswap.errors import OptionsError
from faceswap.preview.protocol import (
    ChoosePair,
    Correction,
    DropPair,
    IgnorePeople,
    MergePeople,
    MoveTracks,
    NamePerson,
    PairState,
    PeopleAnswer,
    PersonState,
    PersonTrack,
    SplitPerson,
    Undo,
)

START: dict[str, Any] = {
    "people": {"1": ["a:0"], "2": ["b:0"], "3": ["b:1"]},
    "names": {},
    "ignored": [],
    "no_face": 0,
    "pairs": {},
}
SECONDS = {"1": 8.0, "2": 6.0, "3": 1.0}


class FakePeople:
    """Three people: 1 in A's footage, 2 and 3 in B's."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._state = folder, json.dumps(START)

    def answer(self) -> PeopleAnswer:
        state = json.loads(self._state)
        people = [self._person(number, state) for number in state["people"]]
        return PeopleAnswer(
            people=tuple(sorted((p for p in people if p.tracks), key=lambda p: -p.seconds)),
            pairs=tuple(PairState(run=r, a=a, b=b) for r, (a, b) in state["pairs"].items()),
            decided=self._state,
        )

    def person_of(self, track: str) -> int:
        people = json.loads(self._state)["people"]
        return next(int(number) for number, tracks in people.items() if track in tracks)

    def correct(self, change: Correction) -> None:
        state = json.loads(self._state)
        match change:
            case Undo():
                if change.expected != self._state:
                    raise OptionsError("The people were changed meanwhile.")
                state = json.loads(change.decided)
            case MergePeople():
                first, *others = map(str, change.people)
                for other in others:
                    state["people"][self._known(state, first)] += state["people"].pop(
                        self._known(state, other)
                    )
            case SplitPerson():
                moved = [f"{one.source}:{one.track}" for one in change.tracks]
                whole = state["people"][self._known(state, str(change.person))]
                if not set(moved) < set(whole):
                    raise OptionsError(f"Person {change.person} must keep a track.")
                self._move(state, moved, str(1 + max(map(int, state["people"]))))
            case NamePerson():
                state["names"][self._known(state, str(change.person))] = change.name
            case IgnorePeople():
                own = set(map(str, change.people))
                kept = set(state["ignored"]) - own
                state["ignored"] = sorted(kept | own if change.ignored else kept)
            case MoveTracks():
                goal = "9" if change.person is None else self._known(state, str(change.person))
                state["no_face"] = 9 if change.person is None else state["no_face"]
                self._move(state, [f"{one.source}:{one.track}" for one in change.tracks], goal)
            case ChoosePair():
                if change.a is not None and change.a == change.b:
                    raise OptionsError(f"A and B would both be person {change.a}.")
                state["pairs"][change.run] = [change.a, change.b]
            case DropPair():
                state["pairs"].pop(change.run, None)
        self._state = json.dumps(state)

    def _known(self, state: dict[str, Any], number: str) -> str:
        if number not in state["people"]:
            raise OptionsError(f"There is no person {number!r}; there are 1, 2, 3.")
        return number

    def _move(self, state: dict[str, Any], tracks: list[str], goal: str) -> None:
        for own in state["people"].values():
            own[:] = [track for track in own if track not in tracks]
        state["people"].setdefault(goal, []).extend(tracks)

    def _person(self, number: str, state: dict[str, Any]) -> PersonState:
        tracks = [track.split(":") for track in state["people"][number]]
        return PersonState(
            id=int(number),
            name=state["names"].get(number, ""),
            ignored=number in state["ignored"] or int(number) == state["no_face"],
            no_face=int(number) == state["no_face"],
            sides="".join(sorted({source for source, _ in tracks})),
            seconds=SECONDS.get(number, 0.5),
            faces=10 * len(tracks),
            tracks=tuple(
                PersonTrack(
                    source=source,
                    track=int(track),
                    faces=10,
                    first=0,
                    seconds=1.0,
                    crop=next(iter(sorted((self._folder / "faces" / source).glob("*.png"))), None),
                )
                for source, track in tracks
            ),
        )
