from typing import Any

import pytest
import torch

from faceswap.training.device_timer import DeviceTimer


def test_on_a_processor_it_is_its_clock() -> None:
    clock = DeviceTimer(torch.device("cpu"))
    start = clock.now()
    torch.rand(100, 100)
    end = clock.now()
    assert clock.total([(start, end)]) == end - start > 0
    assert clock.total([]) == 0


def test_on_a_card_it_waits_once_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []
    made: list[Any] = []

    class Event:
        """What a card's events offer; each is recorded 20 ms after the one before."""

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing
            self.at = -1
            made.append(self)

        def record(self) -> None:
            self.at = 20 * len(made)

        def synchronize(self) -> None:
            waited.append(self.at)

        def elapsed_time(self, other: "Event") -> int:
            return other.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    clock = DeviceTimer(torch.device("cuda"))
    spans = [(clock.now(), clock.now()) for _ in range(3)]
    assert waited == []
    assert clock.total(spans) == pytest.approx(0.060)
    assert waited == [120]
    assert clock.total([]) == 0
