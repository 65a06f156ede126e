"""What a farm needs of a cluster, and where on its machines workers are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Node:
    """A machine of a cluster: its id, name, processor cores and graphics cards."""

    id: str
    host: str
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Slot:
    """Where a worker can be: a machine, and the share of its cores and cards that it takes."""

    node: str
    host: str
    number: int
    cpus: float
    gpus: float


@dataclass(frozen=True)
class Lost:
    """That a worker's process, or its machine, is gone, and why."""

    reason: str


class RemoteWorker(Protocol):
    """A ``Worker`` in another process, maybe on another machine."""

    @property
    def asked(self) -> bool:
        """Whether an answer is still to come, or to be taken."""

    def ask(self, method: str, *arguments: str) -> None:
        """Call a method, one at a time; ``Cluster.answers`` has what it returns."""

    def end(self) -> None:
        """End the process at once."""


class Cluster(Protocol):
    """Machines that workers can be started on."""

    address: str

    def slots(self) -> list[Slot]:
        """Where workers can be now: machines come and go."""

    def start(self, slot: Slot) -> RemoteWorker:
        """Start a worker, which answers once its share of the machine is free."""

    def answers(
        self, workers: Sequence[RemoteWorker], seconds: float
    ) -> list[tuple[RemoteWorker, object]]:
        """The answers that came within ``seconds``: a text, lines, or ``Lost``."""


def plan_slots(nodes: Sequence[Node], per_node: int | None) -> list[Slot]:
    """One slot for each graphics card or, where no machine has one, for each machine.

    per_node: so many for each machine instead. Machines without a card are left out where others
    have one, as they would be far slower.
    """
    with_cards = [node for node in nodes if node.gpus >= 1]
    slots = []
    for node in with_cards or nodes:
        count = per_node or max(1, int(node.gpus))
        cpus, gpus = (_share(amount, count) for amount in (node.cpus, node.gpus))
        slots += [Slot(node.id, node.host, number, cpus, gpus) for number in range(count)]
    return slots


def _share(amount: float, count: int) -> float:
    """A share as Ray takes it: whole, or a fraction below one."""
    share = amount / count
    return float(int(share)) if share >= 1 else int(share * 1000) / 1000
