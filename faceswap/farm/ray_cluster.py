"""A Ray cluster as a farm: the one file that knows Ray, which is imported when it is used."""

import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

from faceswap.errors import FarmError
from faceswap.farm.cluster import Lost, Node, RemoteWorker, Slot, plan_slots
from faceswap.farm.worker import Worker

LOCAL = "local"
"""The address of a Ray that is started here, and ends with the job."""

_OBJECTS = 100 * 2**20  # bytes of Ray's own store, which only lines of text go through
_MISSING = "A farm needs the package ray; install it with: pip install 'faceswap[farm]'"


class RayCluster:
    """The Ray cluster at ``address``; per_node: workers on each machine, see ``plan_slots``.

    Raises FarmError where there is none, or Ray is not installed. To be closed.
    """

    def __init__(self, address: str, per_node: int | None) -> None:
        # Or Ray writes what its machines tell to standard output, between the events.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        try:
            import ray
        except ModuleNotFoundError as error:
            raise FarmError(_MISSING) from error
        self._ray: Any = ray
        self._per_node = per_node
        self._close = threading.Event()
        self._ready = threading.Event()
        self._failed: Exception | None = None
        self.address = address
        # On Linux what Ray starts ends with the thread that started it.
        self._keeper = threading.Thread(target=self._keep, args=(address,), daemon=True)
        self._keeper.start()
        self._ready.wait()
        if self._failed is not None:
            reason = next(iter(f"{self._failed}".strip().splitlines()), type(self._failed).__name__)
            raise FarmError(
                f"No Ray cluster can be used at {address} ({reason.rstrip('.')}); start one as "
                "docs/farm.md says, or give --ray local."
            ) from self._failed

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._close.set()
        self._keeper.join()

    def slots(self) -> list[Slot]:
        """Where workers can be now."""
        nodes = [
            Node(
                entry["NodeID"],
                entry["NodeManagerHostname"],
                entry["Resources"].get("CPU", 0.0),
                entry["Resources"].get("GPU", 0.0),
            )
            for entry in self._ray.nodes()
            if entry["Alive"]
        ]
        return plan_slots(nodes, self._per_node)

    def start(self, slot: Slot) -> RemoteWorker:
        """Start a worker."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(slot.node, soft=False)
        actor = self._ray.remote(Worker).options(
            num_cpus=slot.cpus, num_gpus=slot.gpus, scheduling_strategy=place
        )
        return RayWorker(self._ray, actor.remote())

    def answers(
        self, workers: Sequence[RemoteWorker], seconds: float
    ) -> list[tuple[RemoteWorker, object]]:
        """The answers that came within ``seconds``."""
        asked = {
            worker.answer: worker
            for worker in workers
            if isinstance(worker, RayWorker) and worker.answer is not None
        }
        if not asked:
            return []
        ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(list(asked), timeout=seconds)
        return [(asked[answer], asked[answer].result()) for answer in ready]

    def _keep(self, address: str) -> None:
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        if address == LOCAL:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            quiet |= {"include_dashboard": False, "object_store_memory": _OBJECTS}
        try:
            self._ray.init(address=address, **quiet)
            self.address = self._ray.get_runtime_context().gcs_address
        except Exception as error:  # noqa: BLE001  (Ray raises all kinds; told in one sentence)
            self._failed = error
            self._ready.set()
            return
        self._ready.set()
        self._close.wait()
        self._ray.shutdown()


class RayWorker:
    """A ``Worker`` that is an actor. answer: of what it was asked last, until it is taken."""

    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor
        self.answer: Any = None

    @property
    def asked(self) -> bool:
        """Whether an answer is still to come, or to be taken."""
        return self.answer is not None

    def ask(self, method: str, *arguments: str) -> None:
        """Call a method."""
        self.answer = getattr(self._actor, method).remote(*arguments)

    def result(self) -> object:
        """What the method returned, or Lost."""
        answer, self.answer = self.answer, None
        try:
            return self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            text = f"{error}"
            if "ModuleNotFoundError" in text:
                return Lost("faceswap[farm] of this version is not installed there.")
            if isinstance(error, self._ray.exceptions.RayActorError):
                return Lost("its process or machine ended.")
            return Lost(next(iter(text.strip().splitlines()), type(error).__name__))

    def end(self) -> None:
        """End the process at once."""
        self._ray.kill(self._actor)
