"""Run a job: everything that takes its events and its result goes through here."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Generic, TypeVar

EventT = TypeVar("EventT")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def run(
    job: Generator[EventT, None, ResultT], on_event: Callable[[EventT], object] | None = None
) -> ResultT:
    """Run ``job`` to its end and return its result, usually a ``Summary``.

    on_event: called with each event. Whatever is raised, by the job or by ``on_event``, stops the
    job: it is closed, saves what it has, and the error comes out here. Example::

        faces = run(extract(ExtractOptions(video=clip, project=project, side="a")), print).faces
    """
    outcome = _Outcome(job)
    with closing(outcome.events()) as events:
        for event in events:
            if on_event is not None:
                on_event(event)
    return outcome.result


def forward(
    job: Generator[ItemT, None, ResultT], change: Callable[[ItemT], Iterable[EventT]]
) -> Generator[EventT, None, ResultT]:
    """A job that yields what ``change`` makes of each event of ``job``, and returns its result."""
    outcome = _Outcome(job)
    with closing(outcome.events()) as events:
        for event in events:
            yield from change(event)
    return outcome.result


class _Outcome(Generic[EventT, ResultT]):
    """What a job returns: ``result`` is there after the last of its ``events``."""

    result: ResultT

    def __init__(self, job: Generator[EventT, None, ResultT]) -> None:
        self._job = job

    def events(self) -> Generator[EventT, None, None]:
        self.result = yield from self._job
