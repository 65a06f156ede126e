"""An extraction that is killed anywhere leaves old faces or new ones, and what was curated."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[1] / "support" / "killed.py"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def killed(folder: Path, job: str, step: int) -> dict[str, Any]:
    """What ``killed.py`` found, killing ``job`` at every ``step``-th change."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), job, str(step)],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, **threads},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert set(told["after"]) == {"new"}
    assert told["left"] == []
    return told


@pytest.mark.slow
@pytest.mark.parametrize(("job", "step"), [("redo", 1), ("other", 5)])
def test_a_killed_redo_leaves_all_old_faces_or_all_new_ones(
    job: str, step: int, tmp_path: Path
) -> None:
    told = killed(tmp_path, job, step)
    assert not told["same"]
    assert len(told["found"]) > 30 / step
    changed = told["found"].index("new")
    assert set(told["found"][:changed]) == {"old"}
    assert set(told["found"][changed:]) == {"new"}
    # Of every second frame; the first was excluded before, and the third deleted.
    assert told["curated"] == (["000000_0.png", "000002_0.png"] if job == "redo" else [])


@pytest.mark.slow
def test_a_killed_first_extraction_keeps_what_it_has(tmp_path: Path) -> None:
    told = killed(tmp_path, "plain", 5)
    assert set(told["found"]) <= {"none", "some new", "new"}


@pytest.mark.slow
def test_making_a_lost_index_anew_changes_no_crop_wherever_it_is_killed(tmp_path: Path) -> None:
    told = killed(tmp_path, "lost", 3)
    assert told["same"]
    assert set(told["found"]) <= {"old", "old crops"}
    assert told["curated"] == ["000000_0.png", "000003_0.png"]
