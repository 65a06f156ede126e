"""Runs what yields events to its end."""

from collections.abc import Generator
from typing import TypeVar

from faceswap import run

Y = TypeVar("Y")
R = TypeVar("R")


def finished(job: Generator[Y, None, R]) -> tuple[list[Y], R]:
    """All that ``job`` yields, and what it returns."""
    events: list[Y] = []
    result = run(job, events.append)
    return events, result
