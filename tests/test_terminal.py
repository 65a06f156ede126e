"""What a person at a terminal sees of a running job."""

import pytest

from faceswap.events import Metrics, Progress, Stopped
from faceswap.terminal import TerminalDisplay


def test_how_a_run_does_is_told_when_it_is_measured_and_when_it_stops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = TerminalDisplay()
    display.show(Progress(stage="train", done=1, unit="steps"))
    display.show(Metrics(step=1200, values={"SSIM": 0.9}, state="flat since step 900"))
    display.show(Metrics(step=1220, values={"loss": 0.1}))
    said = capsys.readouterr().err
    assert said.count("step 1,200: flat since step 900") == 1
    display.show(Stopped())
    said = capsys.readouterr().err
    assert "Stopped (step 1,200: flat since step 900). Extracted faces" in said


def test_a_job_that_measures_nothing_stops_without_a_word_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = TerminalDisplay()
    display.show(Stopped())
    assert (
        "Stopped. Extracted faces, training progress and what is converted are kept"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_names_of_stages_are_whole_in_any_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # as in a terminal, where bars are drawn
    display = TerminalDisplay()
    values = dict.fromkeys(("loss", "l1", "gradient", "faces/s", "gradient norm"), 0.12345)
    display.show(Metrics(step=500, values=values))
    display.show(Progress(stage="faces of B", done=150, total=150, rate=21.2))
    display.show(Progress(stage="extract A", done=150, total=150, rate=21.2, eta=0.0))
    display.show(Progress(stage="train", done=521, total=1200, unit="steps", rate=2.1, eta=323.0))
    display.close()
    said = capsys.readouterr().err.rpartition("\x1b[2K")[2]  # the last of all drawings
    assert len(said.splitlines()) >= 3
    for name in ("faces of B", "extract A ", "train ", "521/1200 steps", "5:23 left"):
        assert name in said


def test_of_many_stages_the_last_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    display = TerminalDisplay()
    for number in range(30):
        display.show(Progress(stage=f"film {number:02}", done=1, total=1))
        display.show(Progress(stage="queue", done=number, total=30, unit="jobs"))
    display.close()
    said = capsys.readouterr().err.rpartition("\x1b[2K")[2]
    assert "29/30 jobs" in said
    assert "film 29" in said
    assert "film 20" not in said
