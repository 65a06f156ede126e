from collections.abc import Callable, Generator
from mmap import mmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch
from driving import finished
from toy_task import Product, make_stepper

from faceswap.errors import TrainingError
from faceswap.events import Notice
from faceswap.training import batch_size_finder
from faceswap.training.batch_size_finder import (
    fastest_batch_size,
    find_batch_size,
    largest_batch_size,
)
from faceswap.training.memory import free_memory, used_memory


def holds(limit: int) -> Callable[[int], float]:
    def trial(size: int) -> float:
        if size > limit:
            raise torch.OutOfMemoryError("out of memory")
        return 1.0

    return trial


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 16, 21, 100, 300, 512, 9000])
def test_the_largest_that_fits_is_found_to_a_sixteenth(limit: int) -> None:
    tried, found = finished(largest_batch_size(holds(limit)))
    allowed = min(limit, batch_size_finder.MAX_BATCH)
    assert found <= allowed
    assert found >= allowed - max(1, allowed // 16) + (1 if allowed < 16 else 0)
    assert len(tried) <= 16


def test_nothing_fits() -> None:
    with pytest.raises(TrainingError, match="Not even one face"):
        finished(largest_batch_size(holds(0)))
    with pytest.raises(TrainingError, match="Not even one face"):
        finished(fastest_batch_size(holds(0), lambda: 0, lambda: 2**40))


def machine(fixed: float, each: float, cost: int) -> tuple[Callable[[int], float], list[int]]:
    """A processor that needs ``fixed`` seconds a step and ``each`` a face of ``cost`` bytes."""
    used = [1000]

    def trial(size: int) -> float:
        used[0] = max(used[0], 1000 + size * cost)
        return fixed + each * size

    return trial, used


def test_a_processor_gets_the_smallest_batch_that_is_about_as_fast_as_any() -> None:
    trial, used = machine(1.0, 0.5, 10)
    tried, found = finished(fastest_batch_size(trial, lambda: used[0], lambda: 2**40))
    speeds = {size: size / trial(size) for size in tried}
    assert speeds[found] >= max(speeds.values()) / 1.05
    assert speeds[found // 2] < max(speeds.values()) / 1.05
    assert found == 32


def test_memory_ends_the_search_before_it_is_used_up() -> None:
    trial, used = machine(100.0, 0.1, 10)
    room = 2000
    tried, found = finished(
        fastest_batch_size(trial, lambda: used[0], lambda: 1000 + room - used[0])
    )
    assert found == tried[-1] == 128
    assert used[0] <= 1000 + room
    trial, used = machine(100.0, 0.1, 10)
    assert finished(fastest_batch_size(trial, lambda: used[0], lambda: 2**40))[1] > 128


def test_a_slower_step_ends_the_search() -> None:
    tried, found = finished(
        fastest_batch_size(lambda n: 1.0 if n <= 8 else n / 4.0, lambda: 0, lambda: 2**40)
    )
    assert found == 8
    assert tried == [1, 2, 4, 8, 16]


def test_on_a_card_the_batch_is_tried_and_the_state_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def on_a_card(trial: Callable[[int], float], *_: Any) -> Generator[int, None, int]:
        return largest_batch_size(trial)

    monkeypatch.setattr(batch_size_finder, "fastest_batch_size", on_a_card)
    task = Product(limit=37)
    stepper = make_stepper(task)
    before = stepper.state.snapshot()
    events, found = finished(find_batch_size(stepper))
    assert 35 <= found <= 37
    assert isinstance(events[-1], Notice)
    assert f"batch size is {found} pictures" in events[-1].message
    after = stepper.state.snapshot()
    assert after.metadata == before.metadata
    assert after.tensors.keys() == before.tensors.keys()
    assert all(torch.equal(after.tensors[k], v) for k, v in before.tensors.items())
    assert stepper.micro_batches == 1
    assert not stepper.notices


def test_on_a_processor_it_measures_real_steps() -> None:
    task = Product(limit=64)
    _, found = finished(find_batch_size(make_stepper(task)))
    assert 1 <= found <= 64
    assert {1, 2, 4} <= {*task.sizes}


def test_free_memory_is_what_the_machine_or_the_container_still_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = tmp_path / "container"
    container.mkdir()
    machine = psutil.virtual_memory()
    assert 0 < free_memory(container) < machine.total
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1_024_000))
    assert free_memory(container) == 1_024_000
    (container / "memory.max").write_text("max\n")
    (container / "memory.current").write_text("5000\n")
    assert free_memory(container) == 1_024_000
    (container / "memory.max").write_text("9000\n")
    assert free_memory(container) == 4000


def test_used_memory_grows_with_what_is_held() -> None:
    cpu, size = torch.device("cpu"), 2**26
    before = used_memory(cpu)
    with mmap(-1, size) as held:  # new pages; the allocator may have free ones left
        held.write(bytes(size))
        assert used_memory(cpu) - before > size // 2
