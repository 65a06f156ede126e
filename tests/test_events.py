"""Events survive the trip through a line of JSON, and a meter tells rate and time left."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from faceswap.events import (
    Failed,
    Finished,
    Line,
    Meter,
    Metrics,
    Notice,
    Preview,
    Progress,
    Saved,
    Stopped,
    parse,
)


@pytest.mark.parametrize(
    "line",
    [
        Progress(stage="train", done=3, total=10, unit="steps", rate=1.5, eta=4.5),
        Metrics(step=5, values={"loss": 0.25}),
        Preview(path=Path("/tmp/ä b.png"), caption="A → B"),
        Saved(what="model", path=Path("m.safetensors")),
        Notice(message="no face", frame=3),
        Finished(summary={"frames": 3}, text="Done."),
        Failed(message="x", details="y"),
        Stopped(),
    ],
)
def test_a_line_of_json_is_the_event_again(line: Line) -> None:
    assert parse(line.model_dump_json()) == line


def test_a_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse('{"kind": "unheard of"}')


def test_a_meter_tells_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = Meter("extract", total=100, start=20)
    shown = []
    for _ in range(40):
        now[0] += 0.0625
        shown.append(meter.add())
    progress = [event for event in shown if event is not None]
    assert len(progress) == 20
    assert progress[-1].rate == pytest.approx(16, rel=0.05)
    assert progress[-1].eta == pytest.approx(40 / 16, rel=0.1)


def test_what_is_over_is_all_of_it() -> None:
    meter = Meter("convert", total=8)  # which a file said that breaks off before
    meter.add(7)
    over = meter.finished()
    assert (over.done, over.total, over.eta) == (7, 7, None)


def test_work_of_an_earlier_run_does_not_count_as_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    meter = Meter("train", total=2000, start=1000)
    now[0] = 10.0
    meter.set(1010)
    assert meter.progress().rate == pytest.approx(1.0)
