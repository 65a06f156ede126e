"""Processor time by stage, and which stage is the limit."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from benchmarks import _stages


def test_time_of_a_stage_within_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 3.0, 10.0, 11.0])
    monkeypatch.setattr(time, "process_time", lambda: next(seconds))
    inner = SimpleNamespace(work=lambda value: value + 1)
    clock = _stages.StageClock()
    with clock.watched("inner", inner, "work"), clock.stage("outer"):
        assert inner.work(1) == 2
    assert clock.seconds == {"outer": 3.0, "inner": 7.0}
    assert inner.work(1) == 2  # no longer watched: the clock has no more times


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (
            {"decode": 1.0, "network": 8.0, "encode": 2.0},
            "network; the thread that swaps, by itself",
        ),
        ({"decode": 4.0, "network": 5.0, "encode": 4.0}, "network; all 2 processors together, 154"),
    ],
)
def test_the_limit_is_a_thread_or_all_processors(
    cost: dict[str, float], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    threads = {"decode": "reads", "network": "swaps", "encode": "encodes"}
    rows = _stages.stage_rows({name: ms / 10 for name, ms in cost.items()}, 100, threads)
    assert rows[1]["processor ms/frame"] == pytest.approx(cost["network"])
    assert said in _stages.limit(rows)


def test_pools_work_in_the_thread_that_asks() -> None:
    module = SimpleNamespace(ThreadPoolExecutor=None)
    with _stages.alone(module):
        pool = module.ThreadPoolExecutor(2)
        assert list(pool.map(lambda a, b: a + b, [1, 2], [3, 4])) == [4, 6]
        assert pool.submit(max, 1, 2).result() == 2
    assert module.ThreadPoolExecutor is None
