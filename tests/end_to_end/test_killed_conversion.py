"""Killed at any moment, a conversion and an extraction go on where they were, and it shows not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_swaps import train_briefly

SUPPORT = Path(__file__).parents[1] / "support"

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


def told(program: str, *words: str) -> dict[str, Any]:
    """What a program of the folder ``support`` writes."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, str(SUPPORT / program), *words],
        capture_output=True,
        text=True,
        timeout=1800,
        env={**os.environ, **threads},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["wrong"] == [], done.stderr
    return found


def test_a_killed_conversion_does_not_show(sample: Path, tmp_path: Path) -> None:
    project = train_briefly(tmp_path / "p", sample / "a.mp4", sample / "b.mp4")
    found = told(
        "killed_conversion.py", str(tmp_path / "k"), str(project), "3", '{"segment": 8, "cache": 0}'
    )
    assert found["frames"] == 50
    assert found["rest"] == ["whole.mp4"]


@pytest.mark.slow
@pytest.mark.real
def test_a_conversion_of_a_real_clip_may_be_killed_anywhere(clips: Path, tmp_path: Path) -> None:
    a, b = clips / "film_600x480.mp4", clips / "studio_b.mp4"
    project = train_briefly(tmp_path / "p", a, b)
    options = json.dumps({"segment": 20, "end": "4", "cache": 0})
    found = told("killed_conversion.py", str(tmp_path / "k"), str(project), "20", options)
    assert found["frames"] == 100
    assert found["rest"] == ["whole.mp4"]


@pytest.mark.slow
@pytest.mark.real
def test_an_extraction_of_a_real_clip_may_be_killed_anywhere(clips: Path, tmp_path: Path) -> None:
    clip = clips / "film_600x480.mp4"
    found = told("killed_extraction.py", str(tmp_path / "k"), str(clip), "20")
    assert found["frames"] == 185
