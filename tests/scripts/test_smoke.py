"""scripts/smoke.py: that it notices what goes wrong. The run itself takes a minute, by itself."""

import importlib.util
import json
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from made_clips import MakeClip

SCRIPT = Path(__file__).parents[2] / "scripts" / "smoke.py"


@pytest.fixture
def smoke() -> ModuleType:
    spec = importlib.util.spec_from_file_location("smoke", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_ends_at_the_first_step_that_fails(
    smoke: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def failing(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        assert Path(options["cwd"]).is_dir()
        return subprocess.CompletedProcess(command, 1, "", "This should not have happened: Oh")

    monkeypatch.setattr(smoke.subprocess, "run", failing)
    assert smoke.main() == 1
    assert [command[1:4] for command in asked] == [["-m", "faceswap", "doctor"]]
    said = capsys.readouterr().out
    assert "This should not have happened: Oh" in said
    assert said.endswith("The smoke test failed at 'doctor'.\n")


def test_what_doctor_finds_wrong_fails(smoke: ModuleType) -> None:
    def events(level: str, title: str) -> str:
        finding = {"level": level, "title": title, "value": "broken", "advice": "mend it"}
        return "{}\n" + json.dumps({"summary": {"findings": [finding]}})

    assert smoke.healthy(events("optional", "fan")) == "1 findings, nothing wrong"
    smoke.healthy(events("wrong", "free space"))
    with pytest.raises(smoke.StepError, match="video: broken -> mend it"):
        smoke.healthy(events("wrong", "video"))


def test_figures_that_are_no_numbers_fail(smoke: ModuleType) -> None:
    good = {"values": {"seam": 1.0}, "rows": {"swap": {"PSNR": 20.0}}}
    assert smoke.finite(good) == "2 figures"
    for bad in (None, float("nan")):
        with pytest.raises(smoke.StepError, match="swap, PSNR"):
            smoke.finite(good | {"rows": {"swap": {"PSNR": bad}}})
    with pytest.raises(smoke.StepError, match="there are none"):
        smoke.finite({"values": {}, "rows": {}})


def test_a_swap_that_changes_nothing_fails(smoke: ModuleType, make_clip: MakeClip) -> None:
    clip = make_clip(width=smoke.SIZE, height=smoke.SIZE, frames=2)
    assert smoke.frames(clip) == 2
    with pytest.raises(smoke.StepError, match=r"0\.0 levels of change in the middle"):
        smoke.changed(clip, clip)
    assert smoke.at_least(3, 3, "faces") == "3 faces"
    with pytest.raises(smoke.StepError, match="2 faces"):
        smoke.at_least(2, 3, "faces")
