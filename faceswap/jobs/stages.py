"""What several jobs do: other jobs as stages of theirs, and the ends of videos."""

from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

from faceswap.background import whole
from faceswap.events import Event, Progress

if TYPE_CHECKING:
    from faceswap.video.writer import VideoWriter

T = TypeVar("T")


def stage(name: str, job: Generator[Event, None, T]) -> Generator[Event, None, T]:
    """The events of ``job`` as one stage of a larger one: its progress goes by ``name``."""
    try:
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                made: T = end.value
                return made
            yield event.model_copy(update={"stage": name}) if isinstance(event, Progress) else event
    finally:
        job.close()


def finished(video: "VideoWriter") -> None:
    """Put a video on the disk: once begun that is not broken off, and all of it is moved once."""
    with whole():
        video.finish()
