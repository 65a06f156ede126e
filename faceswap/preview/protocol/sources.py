"""Requests about the sources of a project."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from faceswap.options import Side
from faceswap.preview.protocol.message import DoneAnswer, Request, SourceName


class AddSourcesRequest(Request[DoneAnswer]):
    """Add videos, pictures and folders of pictures to a side; all of them or, on an error, none.

    A file that is a source already gets its new place, and serves both sides if it is of the other.
    """

    kind: Literal["add-sources"] = "add-sources"
    side: Side = Field(description="The side.")
    paths: tuple[Path, ...] = Field(min_length=1, description="The files and folders.")


class RemoveSourceRequest(Request[DoneAnswer]):
    """Remove a source with its faces and crops; its own file stays."""

    kind: Literal["remove-source"] = "remove-source"
    source: SourceName


class TrimSourceRequest(Request[DoneAnswer]):
    """Set the in and out point of a source: the part that is converted."""

    kind: Literal["trim-source"] = "trim-source"
    source: SourceName
    in_point: float | None = Field(ge=0, description="Seconds; null for the beginning.")
    out_point: float | None = Field(gt=0, description="Seconds; null for the end.")
