"""A farm whose workers are threads of this process, and can be lost when a test wants."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from faceswap.farm.cluster import Lost, RemoteWorker, Slot
from faceswap.farm.worker import Worker

Fate = Callable[[str, list[str]], bool]
"""Whether a worker is lost now: what it was asked, and the lines that it would answer."""


class ThreadWorker:
    """A worker behind a pool of one thread. methods: what it was asked, in order."""

    def __init__(self, worker: Worker, fate: Fate | None) -> None:
        self.worker, self.methods = worker, list[str]()
        self._fate, self._pool = fate, ThreadPoolExecutor(1)
        self.answer: Future[object] | None = None

    @property
    def asked(self) -> bool:
        return self.answer is not None

    def ask(self, method: str, *arguments: str) -> None:
        self.methods.append(method)
        self.answer = self._pool.submit(self._call, method, arguments)

    def end(self) -> None:
        self.worker.stop()
        self._pool.shutdown(cancel_futures=True)

    def _call(self, method: str, arguments: tuple[str, ...]) -> object:
        answer: object = getattr(self.worker, method)(*arguments)
        lines = answer if isinstance(answer, list) else []
        if self._fate is not None and self._fate(method, lines):
            self.worker.stop()
            return Lost("its process or machine ended.")
        return answer


class ThreadCluster:
    """Workers in ``hosts``, which may be taken away; fates: of the first workers, in order."""

    def __init__(self, hosts: Sequence[str], fates: Sequence[Fate] = ()) -> None:
        self.address = "threads"
        self.hosts = list(hosts)
        self.started: list[ThreadWorker] = []
        self.kind: type[Worker] = Worker
        self._fates = list(fates)

    def slots(self) -> list[Slot]:
        return [Slot(host, host, 0, 1, 0) for host in self.hosts]

    def start(self, slot: Slot) -> RemoteWorker:
        number = len(self.started)
        fate = self._fates[number] if number < len(self._fates) else None
        self.started.append(ThreadWorker(self.kind(), fate))
        return self.started[-1]

    def answers(
        self, workers: Sequence[RemoteWorker], seconds: float
    ) -> list[tuple[RemoteWorker, object]]:
        asked = {
            worker.answer: worker
            for worker in workers
            if isinstance(worker, ThreadWorker) and worker.answer is not None
        }
        done, _ = wait(asked, seconds, FIRST_COMPLETED)
        found: list[tuple[RemoteWorker, object]] = []
        for future in done:
            asked[future].answer = None
            found.append((asked[future], future.result()))
        return found
