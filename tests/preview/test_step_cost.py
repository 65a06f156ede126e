import itertools
from pathlib import Path

import pytest
from drawn_faces import draw_project

from faceswap.preview.server import PreviewServer
from faceswap.preview.step_cost import estimate_step_cost
from faceswap.swap.model.presets import PRESETS


def test_time_and_memory_grow_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 0.5)  # a step takes half a second, however busy the machine is
    monkeypatch.setattr("faceswap.preview.step_cost.time.perf_counter", lambda: next(clock))
    few, many = estimate_step_cost("quick", 4, "cpu"), estimate_step_cost("quick", 400, "cpu")
    assert few["resolution"] == 160
    assert (few["seconds"], many["seconds"]) == (0.5, 50)
    assert many["memory"] > 20 * few["memory"] > 20 * few["parameters"] * 4


def test_the_window_gets_it_for_the_presets_own_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def told(preset: str, batch: int) -> dict[str, float]:
        asked.append(batch)
        return {"seconds": 1.0}

    monkeypatch.setattr("faceswap.preview.step_cost.estimate_step_cost", told)
    with PreviewServer(draw_project(tmp_path, 1).folder, "cpu") as answers:
        assert answers.on_estimate("classic") == {"seconds": 1.0}
        answers.on_estimate("quick", None)
        answers.on_estimate("quick", 3)
    assert asked == [PRESETS["classic"].batch, PRESETS["quick"].batch, 3]
