"""Memory told beforehand, against what autograd keeps and what the allocator gives out."""

from typing import Any

import pytest
import torch
from driving import finished
from torch import Tensor
from toy_task import Product, make_stepper

from faceswap.devices import Precision, autocast
from faceswap.events import Notice
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training import model_stats as stats
from faceswap.swap.training.model_stats import step_memory
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training import batch_size_finder
from faceswap.training.batch_size_finder import (
    MAX_BATCH,
    estimated_batch_size,
    find_batch_size,
    largest_batch_size,
    saved_bytes_per_sample,
)
from faceswap.training.memory_estimate import saved_activation_bytes

CPU = torch.device("cpu")
SMALL = SwapConfig(preset="quick", resolution=96)


def real_step(config: SwapConfig, count: int, precision: Precision) -> tuple[SwapModel, Any]:
    """A model, and a function that goes the way forward with ``count`` faces a side."""
    torch.manual_seed(0)
    model = SwapModel(config)
    task = SwapTask({}, model.input_size, ObjectiveConfig(), CPU)

    def forward() -> Tensor:
        seen, side = model.input_size, model.resolution
        inputs = torch.rand(2 * count, 3, seen, seen).contiguous(memory_format=torch.channels_last)
        batch = SwapBatch(
            dict(zip("ab", inputs.chunk(2), strict=True)),
            torch.rand(2 * count, 3, side, side),
            torch.rand(2 * count, 3, side // 2, side // 2),
            torch.ones(2 * count),
            torch.rand(count) < 0.5,
        )
        with autocast(CPU, precision):
            return task.losses(model, batch)["loss"]

    return model, forward


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_foretold_is_what_autograd_keeps_and_the_allocator_gives(
    precision: Precision,
) -> None:
    told = step_memory(SMALL, 6, precision)
    model, forward = real_step(SMALL, 6, precision)
    assert told.saved == saved_activation_bytes(forward, model.parameters())
    model.zero_grad(set_to_none=True)
    kind = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[kind], profile_memory=True) as profiler:
        torch.autograd.backward(forward())
    # The allocator's own words, one for each block given out or back.
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    assert told.states == 4 * weights
    assert told.peak - told.states == pytest.approx(most, rel=0.03)
    assert told.peak > told.states + told.saved


def test_each_face_more_keeps_as_much_more() -> None:
    tiny = SwapConfig(preset="classic", resolution=64)
    one, two, five = (step_memory(tiny, count).saved for count in (1, 2, 5))
    assert five - two == pytest.approx(3 * (two - one), rel=0.01)


def test_of_many_faces_it_is_told_by_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = step_memory(SMALL, 6)
    monkeypatch.setattr(stats, "_DIRECT", 4)
    told = step_memory(SMALL, 6)
    assert told.states == taken.states
    assert told.saved == pytest.approx(taken.saved, rel=1e-3)
    assert told.peak == pytest.approx(taken.peak, rel=0.02)


def test_a_steppers_batch_is_foretold_from_one_and_two() -> None:
    """Of a product W x the input is kept, 3 numbers, and the difference that is squared, 4."""
    stepper = make_stepper(Product())
    once, each = saved_bytes_per_sample(stepper)
    assert each == 4 * (3 + 4)
    assert once >= 0
    assert stepper.state.step == 0


@pytest.mark.parametrize(
    ("once", "each", "free", "batch"),
    [
        (0, 0, 10_000, 1),  # nothing is kept
        (0, 100, 150, 1),
        (0, 100, 1500, 8),  # a third is left for what is not kept
        (600, 100, 1500, 4),
        (2000, 100, 1500, 1),  # not even one; it is tried all the same
        (0, 1, 10**9, MAX_BATCH),
    ],
)
def test_the_search_begins_with_what_should_fit(
    once: int, each: int, free: int, batch: int
) -> None:
    assert estimated_batch_size(once, each, free) == batch


@pytest.mark.parametrize("first", [1, 8, 64, 256])
@pytest.mark.parametrize("limit", [1, 7, 100, 512])
def test_wherever_it_begins_it_finds_the_same(first: int, limit: int) -> None:
    def trial(size: int) -> float:
        if size > limit:
            raise torch.OutOfMemoryError("out of memory")
        return 1.0

    tried, found = finished(largest_batch_size(trial, first=first))
    assert limit - max(1, limit // 16) < found <= limit
    assert len(tried) <= 16


def test_the_batch_is_told_with_its_memory_and_found_where_two_do_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        batch_size_finder, "fastest_batch_size", lambda trial, *_: largest_batch_size(trial)
    )
    for limit, told in ((40, "; its activations take"), (1, "The batch size is 1 pictures.")):
        events, _ = finished(find_batch_size(make_stepper(Product(limit=limit))))
        last = events[-1]
        assert isinstance(last, Notice)
        assert told in last.message
