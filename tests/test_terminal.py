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
    assert "Stopped (step 1,200: flat since step 900); what was done is kept" in said


def test_a_job_that_measures_nothing_stops_without_a_word_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = TerminalDisplay()
    display.show(Stopped())
    assert "Stopped; what was done is kept" in capsys.readouterr().err
