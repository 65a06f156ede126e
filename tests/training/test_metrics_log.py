import json
import os
from pathlib import Path
from typing import Any

import pytest

from faceswap.errors import OutputError
from faceswap.training.metrics_log import MetricsLog, describe_progress, read_metrics


def test_rows_are_on_disk_at_once_and_survive_a_cut_line(tmp_path: Path) -> None:
    records = MetricsLog(tmp_path)
    records.add(20, 1.5, {"loss": 0.25})
    path = tmp_path / "metrics.jsonl"
    assert json.loads(path.read_text()) == {"step": 20, "seconds": 1.5, "loss": 0.25}
    records.close()
    with path.open("a") as file:
        file.write('{"step": 40, "secon')
    assert [row["step"] for row in read_metrics(path)] == [20]
    assert read_metrics(tmp_path / "missing.jsonl") == []


def rows(errors: list[float], minutes: float) -> list[dict[str, float]]:
    return [
        {"step": 100 * i, "seconds": 60 * minutes * i, "held-out SSIM": 1 - e}
        for i, e in enumerate(errors)
    ]


def test_the_sentence_says_how_it_goes() -> None:
    assert describe_progress([{"step": 20, "seconds": 1, "loss": 0.3}]) == "quality not measured"
    assert describe_progress(rows([0.2, 0.1], 1)) == "too early to tell"
    better = describe_progress(rows([0.30, 0.28, 0.20, 0.20, 0.18, 0.18], 5))
    # 0.20 → 0.18 in two steps of five minutes.
    assert better == "still improving 10.0 % per 10 min"
    assert describe_progress(rows([0.3, 0.1, 0.1, 0.1, 0.1, 0.1], 5)) == "flat since step 100"
    worse = describe_progress(rows([0.3, 0.2, 0.1, 0.1, 0.2, 0.2], 5))
    assert worse == "getting worse since step 200"
    day = [0.3, 0.2, *(0.1 + 0.0005 * n for n in range(140))]  # ten minutes each
    falling = [{**row, "loss": 1 / (1 + n)} for n, row in enumerate(rows(day, 10))]
    assert describe_progress(falling) == "overfitting since step 200"
    assert describe_progress(rows(day, 10)) == "getting worse since step 200"
    for loss, how in (([6, 5, 4, 3, 2, 1], "overfitting"), ([1, 1, 1, 1, 2, 2], "getting worse")):
        between = [
            {"step": 100 * i - 1, "seconds": 0, "loss": value} for i, value in enumerate(loss)
        ]
        measured = rows([0.3, 0.2, 0.1, 0.1, 0.2, 0.2], 5)
        mixed = [row for pair in zip(between, measured, strict=True) for row in pair]
        assert describe_progress(mixed) == f"{how} since step 200"
    assert describe_progress(rows([0.3, 0.28, 0.20, 0.20, 0.18, 0.18], 0.1)) == "too early to tell"
    quick = describe_progress(rows([0.30, 0.28, 0.20, 0.20, 0.18, 0.18], 1))
    assert quick == "still improving 10.0 % per 2 min"


def test_a_full_disk_is_told_once_and_what_comes_later_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    records = MetricsLog(tmp_path)
    assert records.add(20, 1.0, {"loss": 0.3}) is None
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        problem = records.add(40, 2.0, {"loss": 0.2})
        assert problem is not None
        assert "No space left on device. Training goes on." in problem
        assert records.add(60, 3.0, {"loss": 0.2}) is None
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "sec')  # as much of it as there was room for
    assert records.add(80, 4.0, {"loss": 0.1}) is None
    records.close()
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [20, 80]


def test_a_disk_that_is_full_at_the_start_costs_no_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 20, "seconds": 1}\n{"step": 40, "seconds": 2}\n')
    before = path.read_text()
    write = Path.write_text

    def full(self: Path, text: str) -> int:
        write(self, text[:5])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        MetricsLog(tmp_path, 20).close()
    assert path.read_text() == before
    assert not list(tmp_path.glob("*.part"))
    MetricsLog(tmp_path, 20).close()
    assert [row["step"] for row in read_metrics(path)] == [20]


def test_a_board_that_fails_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = MetricsLog(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records._board, "add_scalar", full)
    assert "Nothing more is written to TensorBoard" in str(records.add(20, 1.0, {"loss": 0.3}))
    assert records.add(40, 2.0, {"loss": 0.2}) is None
    records.close()
    assert [r["step"] for r in read_metrics(tmp_path / "metrics.jsonl")] == [20, 40]


def test_a_place_for_the_board_that_is_a_file_costs_the_board_only(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("mine")
    records = MetricsLog(tmp_path)
    problem = records.add(20, 1.0, {"loss": 0.3})
    assert problem is not None
    assert problem.startswith("Nothing is written to TensorBoard: ")
    assert records.add(40, 2.0, {"loss": 0.2}) is None
    records.close()
    assert [r["step"] for r in read_metrics(tmp_path / "metrics.jsonl")] == [20, 40]
    assert (tmp_path / "tensorboard").read_text() == "mine"


def test_a_folder_that_cannot_be_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match="Cannot make"):
        MetricsLog(tmp_path / "run")
    monkeypatch.setattr(os, "access", lambda *_: False)  # this may run as one who may all
    with pytest.raises(OutputError, match="Nothing can be written to"):
        MetricsLog(tmp_path / "locked")
