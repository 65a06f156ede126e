"""Segments of an output: frames that are finished together, so that no crash takes them back."""

from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from faceswap.video.packet_file import PacketIndex
from faceswap.video.patch import Patch
from faceswap.video.reader import Footage


class Pictures(BaseModel):
    """The pictures of a segment, once they are written.

    frames: how many. last_pts, end_pts: when the last one begins and ends, in ticks of the
    footage. packets: of a video. stamps: the pts of an animation's pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    last_pts: int
    end_pts: int
    packets: PacketIndex | None = None
    stamps: tuple[int, ...] = ()


class Segment(BaseModel):
    """A finished segment.

    number: from 0. key: of all that its pictures depend on; the same segment with another key has
    other pictures. swapped: how many of its frames have a swapped face. last: whether the output
    ends with it. passes: entries of its frames in the list of compositing passes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    key: str
    pictures: Pictures
    swapped: int
    last: bool
    passes: tuple[dict[str, JsonValue], ...] = ()
    entered: bool = False


class SegmentWriter(Protocol):
    """Takes the frames of one segment."""

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Add a stored picture, which may be changed, with ``patches``. Raises OutputError."""

    def finish(self) -> Pictures:
        """Write all that is left and sync it to disk. Raises OutputError."""

    def discard(self) -> None:
        """Remove what is not finished. May be called twice."""
