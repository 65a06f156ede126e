"""A log of days of events stays small, keeps its course, and is read without a loss meanwhile."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faceswap import event_log
from faceswap.errors import OutputError
from faceswap.event_log import EventLog, LogReader, events_in, metrics_in
from faceswap.events import (
    Failed,
    Finished,
    Line,
    Metrics,
    Notice,
    Preview,
    Progress,
    Saved,
    parse,
)

LONG = Finished(summary={"text": "x" * (1 << 20)}, text="Done.")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is thinned every few hundred events."""
    for name, value in {
        "LIMIT": 64 << 10,
        "TAIL": 8 << 10,
        "HEAD": 24 << 10,
        "POINTS": 100,
    }.items():
        monkeypatch.setattr(event_log, name, value)


def training(steps: int) -> Iterator[Line]:
    """What a run tells: each step its loss, now and then its quality, a preview and a save."""
    for step in range(1, steps + 1):
        yield Progress(stage="train", done=step, unit="steps", rate=1.5)
        yield Metrics(step=step, values={"loss": 1 / step, "faces/s": 100.0})
        if step % 500 == 0:
            yield Metrics(step=step, values={"held-out SSIM": 0.8}, state="still improving")
            yield Preview(path=Path(f"/p/step-{step:09}.png"))
            yield Saved(what="model", path=Path(f"/p/step-{step:09}.safetensors"))
        if step % 2000 == 0:
            yield Notice(message=f"odd at {step}")


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """No file can grow beyond ``size`` bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def read_all(path: Path) -> list[Line]:
    return events_in(path.read_bytes().split(b"\n"))


def all_looks(reader: LogReader) -> list[Line]:
    lines: list[Line] = []
    at_end = False
    while not at_end:
        look = reader.read_new()
        lines, at_end = [*lines, *look.lines], look.at_end
    return lines


@pytest.mark.usefixtures("small")
def test_a_long_run_s_log_stays_small_and_tells_its_course(tmp_path: Path) -> None:
    path, largest = tmp_path / "events.jsonl", 0
    log = EventLog(path)
    for line in training(10_000):
        log.show(line)
        largest = max(largest, path.stat().st_size)
    log.show(Finished(summary={}, text="Done."))
    assert largest <= event_log.LIMIT
    assert [p.name for p in tmp_path.iterdir()] == ["events.jsonl"]
    lines = read_all(path)
    assert isinstance(lines[-1], Finished)
    assert [p.done for p in lines if isinstance(p, Progress)][-1] == 10_000
    loss = [m.step for m in lines if isinstance(m, Metrics) and "loss" in m.values]
    assert loss == sorted(set(loss))
    assert (loss[0] <= 200, loss[-1]) == (True, 10_000)
    gaps = [b - a for a, b in itertools.pairwise(loss)]
    assert len(loss) >= 50
    assert max(gaps) <= 3 * 10_000 / 50
    quality = [m.step for m in lines if isinstance(m, Metrics) and m.state]
    assert quality == list(range(500, 10_001, 500))
    assert sum(isinstance(line, Preview) for line in lines) == 20
    assert [n.message for n in lines if isinstance(n, Notice)] == [
        f"odd at {step}" for step in range(2000, 10_001, 2000)
    ]


@pytest.mark.usefixtures("small")
def test_who_reads_along_gets_every_event_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log, reader, told, seen = EventLog(path), LogReader(path), list(training(3000)), []
    for number, line in enumerate(told):
        log.show(line)
        if number % 37 == 0:
            seen += all_looks(reader)
    seen += all_looks(reader)
    assert path.read_bytes().startswith(b'{"kind": "thinned"')
    assert seen == told


@pytest.mark.usefixtures("small")
def test_who_was_away_reads_anew_and_who_comes_later_reads_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log, reader = EventLog(path), LogReader(path)
    lines = training(3000)
    for _ in range(10):
        log.show(next(lines))
    assert len(all_looks(reader)) == 10
    for line in lines:
        log.show(line)
    log.show(Finished(summary={}, text="Done."))
    look = reader.read_new()
    assert look.restarted
    assert look.lines + all_looks(reader) == read_all(path) == all_looks(LogReader(path))
    assert [m.step for m in metrics_in(path)][:1] == [look.lines[0].step]  # type: ignore[union-attr]


def test_a_run_that_went_back_has_one_curve(tmp_path: Path) -> None:
    steps = [*range(1, 60), *range(30, 90)]
    told = [Metrics(step=s, values={"loss": 1.0}).model_dump_json().encode() for s in steps]
    kept = [parse(line) for line in event_log.thinned([*told, b"library: hello", b""], 1 << 20)]
    assert [m.step for m in kept if isinstance(m, Metrics)] == list(range(1, 90))
    assert event_log.thinned(told, 500)[-1] == told[-1]
    assert sum(len(line) + 1 for line in event_log.thinned(told, 500)) <= 500
    assert event_log.thinned(told, 10) == []


def test_a_line_of_a_mebibyte_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log, reader = EventLog(path), LogReader(path)
    log.show(Notice(message="before"))
    assert len(all_looks(reader)) == 1
    data = LONG.model_dump_json().encode() + b"\n"
    with path.open("ab") as file:
        file.write(data[:600_000])
        file.flush()
        look = reader.read_new()
        assert (look.lines, look.at_end, len(look.partial_line)) == ([], True, 600_000)
        file.write(data[600_000:])
    look = reader.read_new()
    assert (look.lines, look.at_end, look.partial_line) == ([LONG], True, b"")
    assert reader.read_new().lines == []


@pytest.mark.parametrize("size", [1, 1000, 1 << 30])
def test_the_end_of_a_log_begins_with_a_whole_line(size: int, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    notices = [Notice(message=f"{number}" * 10_000) for number in range(100)]
    lines: list[Line] = [*notices, LONG]
    text = "".join(line.model_dump_json() + "\n" for line in lines)
    path.write_text(text + '{"kind": "not')  # killed while it wrote
    reader = LogReader(path)
    reader.skip_to_tail(size)
    seen = all_looks(reader)
    assert seen == lines[-len(seen) :]
    assert (len(seen) == 101) is (size == 1 << 30)
    assert reader.read_new().partial_line == b'{"kind": "not'
    LogReader(tmp_path / "none").skip_to_tail(size)
    assert LogReader(tmp_path / "none").read_new().at_end


@pytest.mark.usefixtures("small")
def test_a_log_that_cannot_be_thinned_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("another process has the file open")

    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        for line in training(1900):
            log.show(line)
        assert path.stat().st_size < 2 * event_log.LIMIT + 1000
        log.show(Notice(message="This matters."))
        assert read_all(path)[-1] == Notice(message="This matters.")
    assert [p.name for p in tmp_path.iterdir()] == ["events.jsonl"]
    for line in training(100):
        log.show(line)
    assert path.stat().st_size < event_log.LIMIT


def test_on_a_full_disk_the_end_is_told_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log, reader = EventLog(path), LogReader(path)
    with full_at(40_000):
        for number in range(1000):
            log.show(Notice(message=f"{number}"))
        assert path.stat().st_size == 40_000
        before = all_looks(reader)
        log.show(Failed(message="The disk is full; make room."))
    assert len(before) > 500
    assert all_looks(reader)[-1] == Failed(message="The disk is full; make room.")
    assert read_all(path)[-1] == Failed(message="The disk is full; make room.")


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    with full_at(20):
        log.show(Notice(message="lost"))
    log.show(Notice(message="kept"))
    assert read_all(path) == [Notice(message="kept")]


def test_a_log_is_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text("mine")
    with pytest.raises(OutputError, match="exists already; name another"):
        EventLog(tmp_path / "there.jsonl")
    with pytest.raises(OutputError, match=r"Cannot write .*No such file"):
        EventLog(tmp_path / "none" / "log.jsonl")
    assert (tmp_path / "there.jsonl").read_text() == "mine"


def test_reading_a_log_loads_nothing_heavy() -> None:
    heavy = "[m for m in ('torch', 'cv2', 'av') if m in sys.modules]"
    code = f"import sys, faceswap.event_log; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
