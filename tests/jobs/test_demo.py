"""The demo trains until a step, or for a time, and says which it was."""

import json
from pathlib import Path

import pytest
from driving import finished

from faceswap.events import Notice
from faceswap.jobs.demo import DemoOptions, DemoSummary, demo


@pytest.mark.slow
def test_the_demo_ends_by_steps_or_time_and_says_so(tmp_path: Path) -> None:
    options = DemoOptions(folder=tmp_path / "d", steps=2, seconds=0.8, size=192, device="cpu")
    events, summary = finished(demo(options))
    assert isinstance(summary, DemoSummary)
    told = [event.message for event in events if isinstance(event, Notice)]
    assert any("until step 2, but for 10 minutes at most" in message for message in told)
    assert summary.trained.startswith("Trained 2 steps in ")
    assert "time limit" not in summary.trained
    assert json.loads((options.folder / "report.json").read_text())["frames"] == 20
    hasty = options.model_copy(update={"overwrite": True, "steps": 500, "minutes": 0.01})
    _, summary = finished(demo(hasty))
    assert isinstance(summary, DemoSummary)
    assert "The time limit came before step 502: resume with --overwrite" in summary.trained
