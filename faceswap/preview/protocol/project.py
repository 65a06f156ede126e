"""Requests about the project as a whole."""

from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue

from faceswap.options import Side
from faceswap.preview.protocol.message import (
    Answer,
    DoneAnswer,
    Message,
    Request,
    SourceName,
)


class Footage(Message):
    """A side's video."""

    path: Path = Field(description="The file.")
    width: int = Field(description="Width in pixels, as shown.")
    height: int = Field(description="Height in pixels, as shown.")
    frames: int = Field(description="Number of frames that the file announces.")
    rate: float = Field(description="Frames per second.")
    seconds: float = Field(description="Duration that the file announces.")


class SideState(Message):
    """What there is of A or B."""

    footage: Footage | None = Field(default=None, description="Its video; null if unreadable.")
    problem: str = Field(default="", description="Why its video cannot be read, in a sentence.")
    complete: bool = Field(default=False, description="Whether its extraction is complete.")
    processed_frames: int = Field(default=0, description="Frames that were processed.")
    faces: int = Field(default=0, description="Faces found.")
    tracks: int = Field(default=0, description="Tracks found.")
    crops: int = Field(default=0, description="Crops to train on.")
    excluded: int = Field(default=0, description="Crops taken out of training by hand.")


class SourceState(SideState):
    """What there is of a source."""

    id: str = Field(description="Its id.")
    path: Path = Field(description="Its file or folder, wherever it should be.")
    source_kind: Literal["video", "picture", "pictures"] = Field(
        description='What it is; "pictures" is a folder of them.'
    )
    sides: str = Field(description='Its sides: "a", "b", "ab", or "" if it is only converted.')
    in_point: float | None = Field(default=None, description="In point in seconds.")
    out_point: float | None = Field(default=None, description="Out point in seconds.")
    by_hand: int = Field(default=0, description="How often something was done by hand.")


class RunState(Message):
    """A training run that has a checkpoint."""

    name: str = Field(description="Its name.")
    step: int = Field(description="Step of its newest checkpoint.")
    saved: float = Field(description="When that was written, in seconds of Unix time.")
    preset: str = Field(description="Its model preset; empty if no checkpoint can be read.")
    options: dict[str, JsonValue] = Field(
        description="What it is trained with: options of 'faceswap train', by their names."
    )


class ProjectAnswer(Answer):
    """The project: both sides, runs and converted videos."""

    kind: Literal["project"] = "project"
    folder: Path = Field(description="Its folder.")
    a: SideState = Field(description="A, the footage that is changed: its first source, all faces.")
    b: SideState = Field(description="B, the face that is put on it, likewise.")
    sources: tuple[SourceState, ...] = Field(
        default=(), description="All sources, in the order in which they were added."
    )
    runs: tuple[RunState, ...] = Field(description="Its training runs, by name.")
    outputs: tuple[Path, ...] = Field(description="Its converted videos, newest last.")

    def side(self, side: Side) -> SideState:
        """The state of a side."""
        return self.a if side == "a" else self.b

    def source(self, name: str) -> SourceState | None:
        """The source with this id."""
        return next((source for source in self.sources if source.id == name), None)

    def sources_of(self, side: Side) -> list[SourceState]:
        """The sources of a side."""
        return [source for source in self.sources if side in source.sides]


class ProjectRequest(Request[ProjectAnswer]):
    """What the project contains. An index that was lost is rebuilt from the crops."""

    kind: Literal["project"] = "project"


class CreateProjectRequest(Request[ProjectAnswer]):
    """Create the project of two videos, or set the videos of an existing one."""

    kind: Literal["create-project"] = "create-project"
    a: Path = Field(description="The footage that is changed: a video or a folder of pictures.")
    b: Path = Field(description="The footage of the face that is put on it.")


class RelocateFootageRequest(Request[DoneAnswer]):
    """Tell where the file of a source is now; another file than before is refused."""

    kind: Literal["relocate-footage"] = "relocate-footage"
    source: SourceName
    path: Path = Field(description="Where it is now.")
