"""A lab task is declared once, and everything else follows from its declaration."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap.lab.task_registry import TASKS, LabTaskInfo, former_names, task_path

ROOT = Path(__file__).parents[2]


def test_a_declared_task_is_seen_everywhere(tmp_path: Path) -> None:
    support = ROOT / "tests" / "support"
    places = os.pathsep.join(map(str, (ROOT, support)))
    done = subprocess.run(
        [sys.executable, str(support / "declared_task.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["choices"] == [*TASKS, "weave"]
    for words, text in zip(
        ("* **weave**: weave by a test.", "for weave: yarn.", "weave: turns of the yarn."),
        seen["help"],
        strict=True,
    ):
        assert words in text
    assert "weave of 'lab'" in seen["restore"]
    assert seen["provenance"] == "Repaired with faceswap: it was woven."
    assert seen["model"] == "weave"
    assert seen["figures"] == {"turns": 3}
    assert seen["written"] == ["weave.json", "weave.png"]
    assert seen["item"] == ["Weave by a test", "weave"]


def test_former_names_are_of_one_task_each() -> None:
    assert not set(former_names()) & set(TASKS)
    assert len(former_names()) == len([task for task in TASKS.values() if task.former])


@pytest.mark.parametrize("task", [task for task in TASKS.values() if task.can_restore])
def test_what_restores_files_says_what_it_did(task: LabTaskInfo) -> None:
    assert "neural network" in task.provenance.text


def test_what_an_earlier_version_wrote_is_found(tmp_path: Path) -> None:
    assert task_path(tmp_path, "align") == tmp_path / "align"
    for earlier in ("shift", "shift.png", "restraint-none", "shift clip"):
        (tmp_path / earlier).touch()
    assert task_path(tmp_path, "align") == tmp_path / "shift"
    assert task_path(tmp_path, "align.png") == tmp_path / "shift.png"
    assert task_path(tmp_path, "align clip") == tmp_path / "shift clip"
    assert task_path(tmp_path, "align.json") == tmp_path / "align.json"
    assert task_path(tmp_path, "regularization-none") == tmp_path / "restraint-none"
    assert task_path(tmp_path, "denoise") == tmp_path / "denoise"
    (tmp_path / "align").touch()
    assert task_path(tmp_path, "align") == tmp_path / "align"
