"""What a worker is ordered to do. Orders travel as JSON, and events come back as their lines."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from faceswap.swap.compositing.convert_options import ConvertOptions
from faceswap.video.segment_journal import FoundQuality
from faceswap.video.segments import Segment


class _Order(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilmOrder(_Order):
    """Open a film, to make segments of it.

    film: None for A's. proof: a file that only who shares the storage sees. aspects: what the
    segments depend on, as the one who orders sees it.
    """

    kind: Literal["film"] = "film"
    options: ConvertOptions
    film: Path | None
    output: Path
    proof: Path
    quality: FoundQuality | None
    aspects: dict[str, str]


class StretchOrder(_Order):
    """Make the segments of the open film from ``number`` to before ``end``.

    end: None for the end of the film. key: of the first one. before: the segment before it, where
    it is finished.
    """

    kind: Literal["stretch"] = "stretch"
    number: int
    end: int | None
    key: str
    before: Segment | None = None


class JobOrder(_Order):
    """Run a job of a queue in ``folder``. queue, digest: the queue's file and its SHA-256."""

    kind: Literal["job"] = "job"
    name: str
    arguments: tuple[str, ...]
    folder: Path
    queue: Path
    digest: str


Order = FilmOrder | StretchOrder | JobOrder

_ORDER: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])


def parse_order(text: str) -> Order:
    """The order that ``text`` is in JSON. Raises ``pydantic.ValidationError``."""
    return _ORDER.validate_json(text)


class Greeting(_Order):
    """Who a worker is: the version of its faceswap, and the name of its machine."""

    version: str
    host: str


class FilmOpened(_Order):
    """The summary of a film that was opened."""


class StretchMade(_Order):
    """The summary of a stretch: its segments, none where the film ends before it."""

    segments: tuple[Segment, ...]


class JobEnded(_Order):
    """The summary of a job: whether it was done, and what it said at its end."""

    ok: bool
    message: str
