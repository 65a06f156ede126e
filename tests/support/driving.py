"""Runs what yields events to its end."""

from collections.abc import Generator
from typing import TypeVar

Y = TypeVar("Y")
R = TypeVar("R")


def finished(job: Generator[Y, None, R]) -> tuple[list[Y], R]:
    """All that ``job`` yields, and what it returns."""
    events: list[Y] = []
    while True:
        try:
            events.append(next(job))
        except StopIteration as end:
            result: R = end.value
            return events, result
