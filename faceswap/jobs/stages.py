"""Jobs made of jobs."""

from collections.abc import Generator
from typing import TypeVar

from faceswap.events import Event, Progress, Summary

AnySummary = TypeVar("AnySummary", bound=Summary)


def stage(name: str, job: Generator[Event, None, AnySummary]) -> Generator[Event, None, AnySummary]:
    """The events of ``job`` as one stage of a larger one: its progress goes by ``name``."""
    try:
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                summary: AnySummary = end.value
                return summary
            yield event.model_copy(update={"stage": name}) if isinstance(event, Progress) else event
    finally:
        job.close()
