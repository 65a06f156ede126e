"""What all messages between the preview server and its clients have in common."""

from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field


class Message(BaseModel):
    """A request, an answer or a part of one: immutable, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(Message):
    """What a request is answered with."""

    def files(self) -> tuple[Path, ...]:
        """Its files in the exchange folder, which the client deletes once they are read."""
        return ()


AnswerT = TypeVar("AnswerT", bound=Answer)


class Request(Message, Generic[AnswerT]):
    """What the server is asked for; ``Request[FrameAnswer]`` is answered with a FrameAnswer."""

    @classmethod
    def answer_type(cls) -> type[AnswerT]:
        """The class of the answer."""
        answer: type[AnswerT]
        (parent,) = cls.__bases__
        (answer,) = parent.__pydantic_generic_metadata__["args"]  # type: ignore[attr-defined]
        return answer


class DoneAnswer(Answer):
    """It is done; there is nothing more to tell."""

    kind: Literal["done"] = "done"


class FailureAnswer(Answer):
    """The request failed; the server goes on."""

    kind: Literal["failure"] = "failure"
    message: str = Field(description="Why, and what to do: a sentence for the user.")


Span = tuple[int, int]
"""First and last of consecutive frames, numbered from 0."""

FrameNumber = Annotated[int, Field(description="Number of a frame, from 0.")]

SourceName = Annotated[
    str,
    Field(
        pattern=r"^[abc]\d*$",
        validation_alias=AliasChoices("source", "side"),
        description="Id of a source; a and b also mean the first source of that side. Once called "
        "side.",
    ),
]

RunName = Annotated[str, Field(description="Name of a training run.")]

CropNames = Annotated[
    tuple[str, ...], Field(description="File names of crops, such as 000012_0.png.")
]
