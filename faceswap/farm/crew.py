"""The workers that make a film's segments: hired, given stretches, replaced when they are lost."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from faceswap import __version__
from faceswap.errors import FarmError
from faceswap.events import Event, Failed, Finished, Notice, Progress, parse
from faceswap.farm.cluster import Cluster, Lost, RemoteWorker, Slot
from faceswap.farm.orders import FilmOrder, Greeting, StretchMade, StretchOrder
from faceswap.farm.stretches import Stretch, StretchPlan

WAIT = 0.25
"""Seconds between looks at what workers tell."""

_MOST_LOSSES = 3  # of workers in one place, which is then left
_PATIENCE = 60.0  # seconds until it is told that no worker has begun
_LOOK_EVERY = 2.0  # seconds between looks at which machines there are


@dataclass
class Member:
    """A hired worker. ready: the film is open. frames: of ``stretch``, so far."""

    slot: Slot
    remote: RemoteWorker
    ready: bool = False
    stretch: Stretch | None = None
    frames: float = 0.0


def version_problem(greeting: Greeting) -> str | None:
    """Why a worker cannot be used, if its faceswap is another one."""
    if greeting.version == __version__:
        return None
    return (
        f"it has faceswap {greeting.version}, and this is {__version__}; install the same version "
        "on all machines."
    )


class Crew:
    """Workers for the film of ``order``; key_of: the key of a segment."""

    def __init__(self, cluster: Cluster, order: FilmOrder, key_of: Callable[[int], str]) -> None:
        self._cluster, self._order, self._key_of = cluster, order, key_of
        self._members: list[Member] = []
        self._left: set[Slot] = set()
        self._losses: Counter[Slot] = Counter()
        self._told: set[str] = set()
        self._reason = "it has no machine"
        self._looked = 0.0
        self._begun: float | None = time.monotonic()  # None once a worker has begun

    @property
    def frames(self) -> float:
        """Frames of the stretches in work."""
        return sum(member.frames for member in self._members)

    def step(self, plan: StretchPlan) -> Generator[Event, None, None]:
        """Hire who is lacking, give out stretches, and hear for a moment what workers tell.

        Raises FarmError when no worker is left, or a stretch failed too often.
        """
        self._hire(plan)
        for member in self._members:
            if member.ready and member.stretch is None and (stretch := plan.take()) is not None:
                self._give(member, stretch)
        asked = {
            member.remote: member
            for member in self._members
            if not member.ready or member.stretch is not None
        }
        if self._begun is not None and time.monotonic() - self._begun > _PATIENCE:
            self._begun = None
            yield Notice(message=f"No worker has begun for {_PATIENCE:.0f} s; they may be busy.")
        if not asked:
            time.sleep(WAIT)
        for remote, answer in self._cluster.answers(list(asked), WAIT) if asked else ():
            yield from self._hear(asked[remote], answer, plan)

    def dismiss(self) -> None:
        """End all workers, whatever they do."""
        for member in self._members:
            member.remote.end()
        self._members.clear()

    def _hire(self, plan: StretchPlan) -> None:
        if self._members and time.monotonic() - self._looked < _LOOK_EVERY:
            return
        self._looked = time.monotonic()
        taken = {member.slot for member in self._members} | self._left
        for slot in self._cluster.slots():
            idle = sum(member.stretch is None for member in self._members)
            if slot in taken or idle >= plan.waiting:
                continue
            remote = self._cluster.start(slot)
            remote.ask("hello")
            self._members.append(Member(slot, remote))
        if not self._members:
            raise FarmError(
                f"The farm at {self._cluster.address} has no usable worker: {self._reason}"
            )

    def _give(self, member: Member, stretch: Stretch) -> None:
        order = StretchOrder(
            number=stretch.number,
            end=stretch.end,
            key=self._key_of(stretch.number),
            before=stretch.before,
        )
        member.stretch, member.frames = stretch, 0.0
        member.remote.ask("begin", order.model_dump_json())

    def _hear(self, member: Member, answer: object, plan: StretchPlan) -> Iterator[Event]:
        if isinstance(answer, Lost):
            yield from self._lost(member, answer, plan)
        elif isinstance(answer, str):
            problem = version_problem(Greeting.model_validate_json(answer))
            if problem is not None:
                yield from self._leave(member, problem)
            else:
                member.remote.ask("begin", self._order.model_dump_json())
        elif isinstance(answer, list):
            ended = False
            for line in map(parse, answer):
                ended = ended or isinstance(line, Finished | Failed)
                yield from self._tell(member, line, plan)
            if not ended:
                member.remote.ask("told")

    def _tell(self, member: Member, line: object, plan: StretchPlan) -> Iterator[Event]:
        if isinstance(line, Progress) and member.stretch is not None:
            member.frames = line.done
        elif isinstance(line, Notice) and line.message not in self._told:
            self._told.add(line.message)
            yield line
        elif isinstance(line, Finished):
            if member.stretch is None:
                member.ready, self._begun = True, None
            else:
                made = StretchMade.model_validate(line.summary)
                plan.add(member.stretch, made.segments)
                member.stretch, member.frames = None, 0.0
        elif isinstance(line, Failed):
            stretch = member.stretch
            yield from self._leave(member, line.message)
            if stretch is not None and not plan.failed(stretch):
                raise FarmError(f"Segment {stretch.number} failed everywhere: {line.message}")

    def _lost(self, member: Member, lost: Lost, plan: StretchPlan) -> Iterator[Event]:
        self._members.remove(member)
        member.remote.end()
        self._losses[member.slot] += 1
        self._reason = lost.reason
        if self._losses[member.slot] >= _MOST_LOSSES:
            self._left.add(member.slot)
        again = ""
        if member.stretch is not None:
            plan.give_back(member.stretch)
            again = f"; segment {member.stretch.number} is made again"
        yield Notice(message=f"A worker on {member.slot.host} was lost{again}: {lost.reason}")

    def _leave(self, member: Member, reason: str) -> Iterator[Event]:
        """Use a worker no more, nor another in its place."""
        self._members.remove(member)
        member.remote.end()
        self._left.add(member.slot)
        self._reason = reason
        told = f"The worker on {member.slot.host} is not used: {reason}"
        if told not in self._told:
            self._told.add(told)
            yield Notice(message=told)
