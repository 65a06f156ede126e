"""Requests about the extracted faces of a source."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from faceswap.preview.protocol.message import (
    Answer,
    CropNames,
    DoneAnswer,
    FrameNumber,
    Message,
    Request,
    SourceName,
    Span,
)


class FacesAnswer(Answer):
    """The table of a source's crops, excluded ones included, as two files in the exchange folder.

    Its columns: frame, track, time in seconds, yaw and pitch in degrees, presence from 0 to 1,
    mouth (its opening) and lids (that of the more closed eye), both in distances between the outer
    corners of the eyes, person, which is NaN if unknown, blur (the higher, the sharper) and
    brightness from 0 to 1, both NaN until they are measured, and excluded, which is 0 or 1.
    """

    kind: Literal["faces"] = "faces"
    count: int = Field(description="Number of faces.")
    columns: tuple[str, ...] = Field(description="Names of the columns of the values.")
    names: Path = Field(description="UTF-8 text: the crops' file names in order, one a line.")
    values: Path = Field(description="NumPy .npy file: float32 (count, columns).")
    folder: Path = Field(description="The folder of the crops.")
    excluded_folder: Path = Field(description="The folder of the excluded crops.")

    def files(self) -> tuple[Path, ...]:
        return (self.names, self.values)


class FacesRequest(Request[FacesAnswer]):
    """The table of all crops of a source."""

    kind: Literal["faces"] = "faces"
    source: SourceName


class MeasuredFacesAnswer(Answer):
    """Blur and brightness of the first of the faces that were asked for."""

    kind: Literal["measured-faces"] = "measured-faces"
    blur: tuple[float | None, ...] = Field(
        description="For each measured face, higher is sharper; null if it cannot be read."
    )
    brightness: tuple[float | None, ...] = Field(
        description="For each measured face, 0 to 1; null if it cannot be read."
    )


class MeasureFacesRequest(Request[MeasuredFacesAnswer]):
    """Measure blur and brightness of crops, in order, as many as the time allows."""

    kind: Literal["measure-faces"] = "measure-faces"
    source: SourceName
    names: CropNames
    seconds: float = Field(default=0.25, ge=0, description="How long; at least one is measured.")


class LikenessAnswer(Answer):
    """How much the tracks of a source look like a face."""

    kind: Literal["likeness"] = "likeness"
    tracks: dict[int, float] = Field(description="From -1 to 1, by number of the track.")


class LikenessRequest(Request[LikenessAnswer]):
    """How much the tracks of a source look like the face in a crop of any source."""

    kind: Literal["likeness"] = "likeness"
    source: SourceName
    of: str = Field(description="Id of the source that the crop is of.")
    name: str = Field(description="File name of the crop.")


class MovedFacesAnswer(Answer):
    """The crops that were taken out of training or put back."""

    kind: Literal["moved-faces"] = "moved-faces"
    names: Annotated[CropNames, Field(description="Those that were moved.")]


class ExcludeFacesRequest(Request[MovedFacesAnswer]):
    """Take crops out of training; they stay on disk."""

    kind: Literal["exclude-faces"] = "exclude-faces"
    source: SourceName
    names: CropNames


class RestoreFacesRequest(Request[MovedFacesAnswer]):
    """Put excluded crops back into training."""

    kind: Literal["restore-faces"] = "restore-faces"
    source: SourceName
    names: CropNames


class DeleteFacesRequest(Request[DoneAnswer]):
    """Delete the faces of a track that are none, in some frames; a new extraction does it again."""

    kind: Literal["delete-faces"] = "delete-faces"
    source: SourceName
    track: int = Field(description="Number of the track.")
    first: FrameNumber
    last: Annotated[FrameNumber, Field(description="The last frame in which they are deleted.")]


class UndoByHandRequest(Request[DoneAnswer]):
    """Take back what was last added to or deleted from a source by hand."""

    kind: Literal["undo-by-hand"] = "undo-by-hand"
    source: SourceName


class TrackSpans(Message):
    """Where a track has faces."""

    track: int = Field(description="Number of the track.")
    person: int | None = Field(default=None, description="Number of its person; null if none yet.")
    seen: tuple[Span, ...] = Field(description="Spans [first, last] of frames with its face.")
    low_presence: tuple[Span, ...] = Field(
        description="Spans within these of faces whose presence is low."
    )


class TimelineAnswer(Answer):
    """Where a source has faces, as spans [first, last] of frame numbers."""

    kind: Literal["timeline"] = "timeline"
    frames: int = Field(default=0, description="Number of frames that were processed.")
    tracks: tuple[TrackSpans, ...] = Field(default=(), description="All tracks, by number.")
    gaps: tuple[Span, ...] = Field(default=(), description="Spans of frames without any face.")
    cuts: tuple[int, ...] = Field(default=(), description="Frames that begin a new shot.")


class TimelineRequest(Request[TimelineAnswer]):
    """Where a source has faces, faces with low presence, none, and cuts."""

    kind: Literal["timeline"] = "timeline"
    source: SourceName


class NewestCrop(Message):
    """A crop."""

    frame: FrameNumber
    path: Path = Field(description="The crop, a PNG in the project.")


class NewestCropAnswer(Answer):
    """The crop that was written last."""

    kind: Literal["newest-crop"] = "newest-crop"
    crop: NewestCrop | None = Field(description="The crop, or null if there is none yet.")


class NewestCropRequest(Request[NewestCropAnswer]):
    """The crop that a running extraction wrote last."""

    kind: Literal["newest-crop"] = "newest-crop"
    source: SourceName
