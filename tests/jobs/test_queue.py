"""The queue as a command: processes, a table, an exit code, and what is skipped."""

import json
from pathlib import Path

import pytest

from faceswap.cli import DONE, FAILED, run

QUEUE = """
[[job]]
name = "missing"
command = "extract"
options = { inputs = ["none.mp4"], project = "P", side = "a" }
retries = 1

[[job]]
name = "presets"
command = "models"

[[job]]
name = "never"
command = "train"
after = ["missing"]
options = { project = "P" }
"""

RIGHT = """
[[job]]
name = "missing"
command = "models"

[[job]]
name = "presets"
command = "models"
"""


def test_a_queue_ends_with_a_table_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "night.toml"
    file.write_text(QUEUE)
    assert run(["queue", str(file), "--events", "jsonl"]) == FAILED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    text = lines[-1]["text"]
    assert "3 jobs: 1 done, 0 done before, 1 failed, 1 left out." in text
    rows = {row["name"]: row for row in lines[-1]["summary"]["rows"]}
    assert rows["missing"]["tries"] == 2
    assert "none.mp4" in rows["missing"]["message"]
    assert rows["never"]["message"] == "missing was not done"
    # What was wrong is put right: only what is left is run, from the folder of the file.
    file.write_text(RIGHT)
    assert run(["queue", str(file)]) == DONE
    text = capsys.readouterr().out
    assert "2 jobs: 1 done, 1 done before, 0 failed, 0 left out." in text


def test_a_mistake_ends_it_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "q.toml"
    file.write_text(QUEUE.replace("train", "drain"))
    assert run(["queue", str(file)]) == FAILED
    said = capsys.readouterr().err.replace("\n", "")
    assert "line 14: there is no command 'drain'" in said
    assert [path.name for path in tmp_path.iterdir()] == ["q.toml"]
