import itertools
from pathlib import Path

import pytest
from asked_servers import real_server

from faceswap.preview.protocol import StepCostAnswer, StepCostRequest
from faceswap.preview.step_cost import estimate_step_cost
from faceswap.swap.model.presets import PRESETS


def test_time_and_memory_grow_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 0.5)  # a step takes half a second, however busy the machine is
    monkeypatch.setattr("faceswap.preview.step_cost.time.perf_counter", lambda: next(clock))
    few, many = estimate_step_cost("quick", 4, "cpu"), estimate_step_cost("quick", 400, "cpu")
    assert few.resolution == 160
    assert (few.seconds, many.seconds) == (0.5, 50)
    assert many.memory > 20 * few.memory > 20 * few.parameters * 4


def test_the_window_gets_it_for_the_presets_own_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    cost = StepCostAnswer(seconds=1, memory=2, parameters=3, resolution=64)

    def told(preset: str, batch: int) -> StepCostAnswer:
        asked.append(batch)
        return cost

    monkeypatch.setattr("faceswap.preview.step_cost.estimate_step_cost", told)
    with real_server(tmp_path / "none", tmp_path / "x") as server:
        assert server.step_cost(StepCostRequest(preset="classic")) == cost
        server.step_cost(StepCostRequest(preset="quick", batch=None))
        server.step_cost(StepCostRequest(preset="quick", batch=3))
    assert asked == [PRESETS["classic"].batch, PRESETS["quick"].batch, 3]
