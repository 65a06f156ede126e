import json
from pathlib import Path

from faceswap.training.records import Records, read_metrics, state_sentence


def test_rows_are_on_disk_at_once_and_survive_a_cut_line(tmp_path: Path) -> None:
    records = Records(tmp_path)
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
    assert state_sentence(rows([0.2, 0.1], 1)) == "too early to tell"
    better = state_sentence(rows([0.30, 0.28, 0.20, 0.20, 0.18, 0.18], 5))
    # Twenty per cent… 0.24·… means 0.20 → 0.18: 10 % in 10 minutes.
    assert better == "still improving 10.0 % per 10 min"
    assert state_sentence(rows([0.3, 0.1, 0.1, 0.1, 0.1, 0.1], 5)) == "flat since step 100"
    worse = state_sentence(rows([0.3, 0.2, 0.1, 0.1, 0.2, 0.2], 5))
    assert worse == "getting worse since step 200"
