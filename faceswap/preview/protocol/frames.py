"""Requests for frames and swapped frames."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from faceswap.preview.protocol.message import (
    Answer,
    DoneAnswer,
    FrameNumber,
    Message,
    Request,
    SourceName,
)
from faceswap.preview.protocol.people import Casting
from faceswap.swap.compositing.options import BlendOptions


class PictureSize(Message):
    """A size in pixels."""

    width: int = Field(ge=1, description="Width in pixels.")
    height: int = Field(ge=1, description="Height in pixels.")


class PictureFile(Message):
    """A picture in the exchange folder: binary PPM (P6), 8-bit RGB.

    Its pixels, row by row from the top, are the last 3 × width × height bytes of the file.
    """

    path: Path = Field(description="The file; delete it once it is read.")
    width: int = Field(description="Width in pixels.")
    height: int = Field(description="Height in pixels.")


class FrameFace(Message):
    """A face in a frame."""

    track: int = Field(description="Number of its track.")
    person: int | None = Field(default=None, description="Number of its person; null if none yet.")
    presence: float = Field(description="Confidence, 0 to 1, that there is a face.")
    points: tuple[tuple[float, float], ...] = Field(
        description="68 landmarks (x, y) in iBUG order, in pixels of the whole frame; pixel "
        "centers are at integer coordinates."
    )


class FrameAnswer(Answer):
    """A frame of a video, with its faces where it is a source's."""

    kind: Literal["frame"] = "frame"
    frame: int = Field(description="Its number; the last one's if a later one was requested.")
    time: float = Field(description="Its presentation time in seconds.")
    frames: int = Field(description="Number of frames that the file announces.")
    rate: float = Field(description="Frames per second.")
    width: int = Field(description="Width of the whole frame in pixels.")
    height: int = Field(description="Height of the whole frame in pixels.")
    picture: PictureFile = Field(description="The frame, scaled down to fit.")
    faces: tuple[FrameFace, ...] = Field(description="Its faces that were extracted, by track.")

    def files(self) -> tuple[Path, ...]:
        return (self.picture.path,)


class SwapAnswer(Answer):
    """A frame of A with B's face."""

    kind: Literal["swap"] = "swap"
    frame: int = Field(description="Its number; the last one's if a later one was requested.")
    faces: int = Field(description="Number of swapped faces; 0 leaves the frame as it is.")
    seconds: float = Field(description="Time that computing and writing it took.")
    picture: PictureFile = Field(description="The swapped frame, scaled down to fit.")

    def files(self) -> tuple[Path, ...]:
        return (self.picture.path,)


Fit = Annotated[
    PictureSize | None,
    Field(description="Scale the picture down to fit this size; null leaves it as it is."),
]


class FrameRequest(Request[FrameAnswer]):
    """A frame of a source with its faces."""

    kind: Literal["frame"] = "frame"
    source: SourceName
    frame: FrameNumber = 0
    fit: Fit = None


class FileFrameRequest(Request[FrameAnswer]):
    """A frame of any video or picture, without faces; needs no project."""

    kind: Literal["file-frame"] = "file-frame"
    path: Path = Field(description="The video or picture.")
    frame: FrameNumber = 0
    fit: Fit = None


class SwapRequest(Request[SwapAnswer]):
    """A frame of A with B's face, just as a conversion makes it."""

    kind: Literal["swap"] = "swap"
    source: SourceName = "a"
    frame: FrameNumber
    run: str = Field(default="main", description="The training run whose newest model to use.")
    casting: Casting = ()
    blend: BlendOptions = Field(default=BlendOptions(), description="How the face is blended in.")
    mask: bool = Field(
        default=False, description="The frame as it was, tinted where faces would be swapped."
    )
    fit: Fit = None


class CloseVideoRequest(Request[DoneAnswer]):
    """Close a video that is about to be replaced: Windows replaces no open file."""

    kind: Literal["close-video"] = "close-video"
    path: Path = Field(description="The video; it need not be open.")
