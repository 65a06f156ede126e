"""Run a job to its end."""

from collections.abc import Generator
from typing import TypeVar

from faceswap.events import Event, Summary

S = TypeVar("S", bound=Summary)


def done(job: Generator[Event, None, S]) -> S:
    """Run a job to its end; returns its summary."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            summary: S = end.value
            return summary
