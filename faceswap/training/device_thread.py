"""A run's work in a thread of its own, while the run goes on answering."""

from collections.abc import Callable, Generator
from typing import TypeVar

import torch

from faceswap.background import Report, Sign, steadily
from faceswap.events import Event
from faceswap.training.threads import use_device

T = TypeVar("T")


class Aside:
    """Does work on ``device`` in a thread of its own; ``sign`` is what is told meanwhile."""

    def __init__(self, stage: str, device: torch.device, sign: Sign) -> None:
        self._stage, self._device, self._sign = stage, device, sign

    def __call__(self, work: Callable[[], T]) -> Generator[Event, None, T]:
        """What ``work`` gives."""

        def alone() -> Generator[Event, None, T]:
            yield from ()
            return work()

        return (yield from self.steadily(self._stage, alone, self._sign))

    def steadily(
        self, stage: str, job: Callable[[], Generator[Event, None, T]], sign: Sign | None = None
    ) -> Generator[Event, None, T]:
        """What the generator ``job`` returns, and its events; see ``waiting.steadily``."""

        def there(_: Report) -> Generator[Event, None, T]:
            use_device(self._device)
            return (yield from job())

        return (yield from steadily(stage, there, "steps", sign))
