"""Requests about people: who is who, who is A and who is B, and who a conversion changes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from faceswap.preview.protocol.message import Answer, Message, Request, RunName, SourceName

PersonNumber = Annotated[int, Field(description="Number of a person.")]


class TrackName(Message):
    """A track of a source."""

    source: str = Field(description="Id of the source.")
    track: int = Field(description="Number of the track.")


class PersonTrack(TrackName):
    """A track of a person."""

    faces: int = Field(description="Frames that show it.")
    first: int = Field(description="The first of them.")
    seconds: float = Field(description="How long they last.")
    crop: Path | None = Field(description="A face of it; null if it has no crop.")


class PersonState(Message):
    """A person."""

    id: PersonNumber
    name: str = Field(description="Its name; empty if it has none.")
    ignored: bool = Field(description="Whether it is left out of training and conversions.")
    no_face: bool = Field(description="Whether it is what was said to be no face.")
    sides: str = Field(description='Sides of its sources: "a", "b" or "ab".')
    seconds: float = Field(description="How long it is on screen.")
    faces: int = Field(description="Its faces in all sources.")
    tracks: tuple[PersonTrack, ...] = Field(description="Its tracks, the longest first.")

    @property
    def label(self) -> str:
        """The name, or the number where there is none."""
        return self.name or str(self.id)


class PairState(Message):
    """Who is A and who is B in a training run."""

    run: RunName
    a: int | None = Field(description="The person that is changed; null if not chosen.")
    b: int | None = Field(description="The person whose face is put on; null if not chosen.")


class PeopleAnswer(Answer):
    """All people, the one longest on screen first."""

    kind: Literal["people"] = "people"
    people: tuple[PersonState, ...] = Field(description="The people.")
    pairs: tuple[PairState, ...] = Field(description="Who is A and who is B, by run.")
    decided: str = Field(description="All that the user decided; give it to undo what came after.")


class PeopleRequest(Request[PeopleAnswer]):
    """The people of the project. Tracks that are in no group yet are grouped first."""

    kind: Literal["people"] = "people"


class MergePeople(Message):
    """Make people one, which keeps the number of the first."""

    kind: Literal["merge"] = "merge"
    people: tuple[int, ...] = Field(min_length=2, description="Their numbers.")


class SplitPerson(Message):
    """Split a person in two."""

    kind: Literal["split"] = "split"
    person: PersonNumber
    tracks: tuple[TrackName, ...] = Field(
        default=(), description="The tracks that become another person; those that differ if none."
    )


class NamePerson(Message):
    """Name a person."""

    kind: Literal["name"] = "name"
    person: PersonNumber
    name: str = Field(description="The name; empty for none.")


class IgnorePeople(Message):
    """Ignore people, or no longer."""

    kind: Literal["ignore"] = "ignore"
    people: tuple[int, ...] = Field(min_length=1, description="Their numbers.")
    ignored: bool = Field(description="Whether they are ignored from now on.")


class MoveTracks(Message):
    """Say that tracks show another person, or no face at all."""

    kind: Literal["move"] = "move"
    tracks: tuple[TrackName, ...] = Field(min_length=1, description="The tracks.")
    person: int | None = Field(description="Number of the person; null if they are no faces.")


class ChoosePair(Message):
    """Say who is A and who is B in a run, which need not be begun."""

    kind: Literal["pair"] = "pair"
    run: RunName
    a: int | None = Field(description="Number of the person that is changed; null for any.")
    b: int | None = Field(description="Number of the person put on it; null for any.")


class DropPair(Message):
    """Forget who is A and who is B in a run; the run itself stays."""

    kind: Literal["drop-pair"] = "drop-pair"
    run: RunName


class Undo(Message):
    """Go back to what was decided before."""

    kind: Literal["undo"] = "undo"
    decided: str = Field(description="From the answer that has the state to go back to.")
    expected: str = Field(description="From the newest answer; refused if it is not the newest.")


Correction = Annotated[
    MergePeople
    | SplitPerson
    | NamePerson
    | IgnorePeople
    | MoveTracks
    | ChoosePair
    | DropPair
    | Undo,
    Field(discriminator="kind", description="What to change."),
]


class CorrectPeopleRequest(Request[PeopleAnswer]):
    """Correct who is who. It stays when footage is extracted again, and can be undone."""

    kind: Literal["correct-people"] = "correct-people"
    correction: Correction


class PlannedPerson(Message):
    """What a conversion does to a person."""

    person: PersonNumber
    seconds: float = Field(description="How long it is on screen in the source.")
    run: str | None = Field(description="The run that changes it; null if it stays as it is.")


class SwapPlanAnswer(Answer):
    """Who a conversion changes, and by what."""

    kind: Literal["swap-plan"] = "swap-plan"
    people: tuple[PlannedPerson, ...] = Field(description="The people in the source.")
    notices: tuple[str, ...] = Field(description="What to know before, in sentences.")


Casting = Annotated[
    tuple[str, ...],
    Field(description="PERSON=RUN for each person to change; one is chosen by the run if empty."),
]


class SwapPlanRequest(Request[SwapPlanAnswer]):
    """Who a conversion of a source would change, and by the model of which run."""

    kind: Literal["swap-plan"] = "swap-plan"
    source: SourceName
    run: RunName = "main"
    casting: Casting = ()
